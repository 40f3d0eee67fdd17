"""The harness on the real program: it starts, is looked at, is left, and leaves the terminal as it found it."""

from __future__ import annotations

import signal

import pytest

from .conftest import KEY
from .terminal import DOWN, FULL, MIDDLE, NARROW, SIZES, TINY, ctrl


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_it_starts_shows_its_panes_and_quits(terminal, home, size):
    one = terminal(size=size)
    one.shows("Environments", "Deliveries")
    one.press("?")
    one.shows("Help: Environments")
    one.press("q")
    one.shows("Environments", gone="Help: Environments")
    one.press("q")
    assert one.leave() == 0
    one.assert_as_it_was()
    assert not home.paths.config_file.exists()


def test_the_installed_program_starts_like_a_persons(terminal):
    one = terminal("demo", size=NARROW, anew=True)
    one.shows("Environments", "Deliveries")
    one.press("q")
    assert one.leave() == 0
    one.assert_as_it_was()


def test_a_window_is_made_smaller_and_larger(terminal):
    one = terminal("demo")
    one.shows("Environments", "Payload", "no deliveries yet")
    for size in (NARROW, TINY, MIDDLE, FULL):
        one.resize(size)
        one.until(lambda size=size: one.rows[-1].rstrip().endswith("palette") and len(one.rows) == size.rows)
    one.press(ctrl("q"))
    assert one.leave() == 0


def test_a_paste_a_click_and_a_key_reach_it_and_a_test_event_arrives(terminal, home, segment):
    home.write(f'[environments.development]\nendpoint = "{segment.url}"\n')
    one = terminal()
    one.shows("Environments", "no deliveries yet")
    one.click_on("Development")
    one.press("a")
    one.shows("Write key of development")
    one.paste(KEY)
    one.shows("it looks like a write key")
    one.press("\r")
    one.shows("saved", gone="Write key of development")
    one.press("t")
    one.shows("Test event to development")
    one.until(lambda: len(segment.events) == 1)
    assert segment.events[0]["event"] == "sprig-tui test event"
    assert home.config()["environments"]["development"]["write_key"] == KEY
    one.press("\r")
    one.shows("Deliveries", gone="Test event to development")
    one.press("q")
    assert one.leave() == 0
    assert [delivery.state.value for delivery in home.deliveries()] == ["delivered"]


def test_a_closed_window_ends_it(terminal):
    one = terminal()
    one.shows("Environments", "no deliveries yet")
    one.hang_up()
    assert one.leave() == 0


def test_a_shell_has_it_as_a_job(shell):
    one = shell(NARROW)
    one.write("sprig-tui --version; echo code=$?\r")
    one.shows("sprig-tui 0.", "code=0")


def test_next_start_resumes_after_kill_during_send(home, terminal):
    home.key(endpoint="http://127.0.0.1:9")
    one = terminal()
    one.shows("Environments", "no deliveries yet")
    one.press("1", DOWN)
    one.shows("t test")
    one.press("t")
    one.shows("Test event to development", "next try")
    one.process.send_signal(signal.SIGKILL)
    assert one.leave() == -signal.SIGKILL
    two = terminal()
    two.shows("queued 1", "connection refused")  # waiting, or the try that was in the air
    two.press("q")
    assert two.leave() == 0
