"""The harness on the real program: it starts, is looked at, is left, and leaves the terminal as it found it."""

from __future__ import annotations

import os
import select
import signal

import pytest

from .conftest import KEY
from .processes import Launcher
from .terminal import DOWN, FULL, MIDDLE, NARROW, PATIENCE_S, SIZES, TINY, Terminal, ctrl

ALTERNATE_ON, ALTERNATE_OFF = b"\x1b[?1049h", b"\x1b[?1049l"


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_it_starts_shows_its_panes_and_quits(terminal, home, size):
    one = terminal(size=size)
    one.shows("Environments", "Deliveries")
    if size == FULL:  # the first paint has more than frames
        first = bytes(one.written).partition(b"Deliveries")[0]
        for words in (b"Environments", b"Production", b"no key: press a to add one", b"Payload"):
            assert words in first
    one.press("?")
    one.shows("Help: Environments")
    one.press("q")
    one.shows("Environments", gone="Help: Environments")
    one.press("q")
    assert one.leave() == 0
    one.assert_as_it_was()
    assert one.written.count(ALTERNATE_ON) == one.written.count(ALTERNATE_OFF) == 1
    assert not home.paths.config_file.exists()


def test_the_installed_program_starts_like_a_persons_and_a_demo_writes_nothing_at_home(terminal, home):
    before = sorted(home.folder.rglob("*"))
    one = terminal("demo", anew=True)
    one.shows("Environments", "sample_payloads", "no deliveries yet")
    one.press("q")
    assert one.leave() == 0
    one.assert_as_it_was()
    assert sorted(home.folder.rglob("*")) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_good_order(terminal, number):
    one = terminal()
    one.shows("Environments", "no deliveries yet")
    one.process.send_signal(number)
    assert one.leave() == 0
    one.assert_as_it_was()


def test_an_invalid_config_is_a_sentence_and_exit_2(terminal, home):
    home.write("[environments.production\n")
    one = terminal()
    assert one.leave() == 2
    assert ALTERNATE_ON not in one.written
    assert "not valid TOML" in " ".join(one.text.split())


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


@pytest.mark.parametrize("controlling", [False, True], ids=["without a word", "with SIGHUP"])
def test_a_closed_window_ends_it(terminal, controlling):
    one = terminal(controlling=controlling)
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


def test_a_client_of_the_launcher_takes_only_its_own_along(home, terminal):
    gone, there = Launcher(), Terminal()
    command = ["sink", "--port", "0"]
    one = there.run(gone.start(command, home.environ, home.folder, there.slave))
    one.shows("listening on")
    other = terminal(*command)
    other.shows("listening on")
    gone.close()
    # the last descriptor of its terminal is ours: the kernel says when the program's are closed
    os.close(there.slave)
    there.slave = -1
    while select.select([there.master], [], [], PATIENCE_S)[0]:
        try:
            there.written += os.read(there.master, 4096)
        except OSError:
            break
    else:
        pytest.fail("it goes on")
    os.close(there.master)
    other.press(ctrl("c"))
    assert other.leave() == 0
