"""The terminal while others have it: a shell after ctrl+z, an editor; and after a fault of ours."""

from __future__ import annotations

import signal

import pytest

from .terminal import ENTER, FULL, NARROW, ctrl


def test_ctrl_z_goes_to_the_shell_and_fg_comes_back_and_the_next_start_shows_the_same(shell, home, segment):
    home.key(endpoint=segment.url)
    home.sample("flat.jsonl", environment="development")
    one = shell(FULL)
    one.write("cat flat.jsonl | sprig-tui\r")
    one.shows("standard input  1 of 4", "no deliveries yet")
    one.press(ctrl("z"))
    one.shows("Stopped", "$", gone="Environments")
    one.write("fg\r")
    one.shows("standard input  1 of 4", gone="Stopped")
    one.press("q")
    one.until(lambda: "Environments" not in one.text and one.text.rstrip().endswith("$"), "the prompt again")
    one.write("clear; sprig-tui flat.jsonl\r")
    one.shows("flat.jsonl  1 of 4", "no deliveries yet")

    (_, border) = one.place("╭─ Deliveries")
    one.drag((60, border), (60, border + 6))
    one.until(lambda: one.place("╭─ Deliveries")[1] == border + 6, "the border where the mouse let it go")
    (edge, row) = one.place("╮╭─ Payload")
    one.drag((edge, row + 3), (edge - 9, row + 3))
    one.until(lambda: one.places("╮╭─ Payload") == [(edge - 9, row)], "the other border, too")

    one.press("2", "n", "S")
    one.shows("Send all 4 records")
    one.press(ctrl("z"))
    one.shows("Stopped", "$", gone="Environments")
    one.assert_is_quiet()
    one.write("echo shell=$((40+2))\r")
    one.shows("shell=42")
    one.resize(NARROW)
    one.write("fg\r")
    one.shows("Send all 4 records", "palette", gone="shell=42")
    one.press("y")
    one.shows("flat.jsonl  2 of 4", "Deliveries ── 4", "delivered 200", gone="Send all")
    one.resize(FULL)
    one.until(lambda: one.place("╭─ Deliveries")[1] == border + 6, "the same share of the room")
    one.press("3", "/")
    one.write(f"user:acct_88213{ENTER}")
    one.shows("user:acct_88213", "1 of 4")
    one.press("f", "2", "f")
    one.shows("record   place")
    one.press("q")
    one.until(lambda: "Environments" not in one.text and one.text.rstrip().endswith("$"), "the prompt again")
    one.write("echo code=$?\r")
    one.shows("code=0")
    one.assert_is_quiet()

    one.write("clear; sprig-tui\r")
    one.shows("flat.jsonl  2 of 4", "user:acct_88213", "record   place")
    one.until(lambda: one.place("╭─ Deliveries")[1] == border + 6, "the same share of the room")
    one.until(lambda: one.places("╮╭─ Payload") == [(edge - 9, row)], "the other share, too")
    one.press("q")
    one.until(lambda: "Environments" not in one.text and one.text.rstrip().endswith("$"), "the prompt again")


def test_without_a_shell_it_says_that_it_cannot(terminal):
    one = terminal()
    one.shows("Environments", "no deliveries yet")
    one.press(ctrl("z"))
    one.until(lambda: "the console cannot be suspended: no shell" in one.notices)
    one.press("q")
    assert one.leave() == 0


def test_keys_typed_ahead_of_an_editor_are_no_commands(terminal, home, segment):
    home.key(endpoint=segment.url)
    editor = home.file("editor.sh", "#!/bin/sh\nsed -i 's/acct_88213/acct_1/' \"$1\"\n")
    editor.chmod(0o700)
    home.environ["EDITOR"] = str(editor)
    one = terminal(home.sample("flat.jsonl", environment="development"))
    one.shows("flat.jsonl  1 of 4", "no deliveries yet")
    one.write(f"2es{ENTER}tt:wq{ENTER}sy")
    one.shows("acct_1 ", "edited", "typed ahead")
    one.press("q")
    one.shows("Leave without sending 1 record?")
    one.press("y")
    assert one.leave() == 0
    one.assert_as_it_was()
    assert home.deliveries() == []
    assert segment.events == ()


def test_a_console_that_is_continued_without_a_stop_reads_keys_and_ends(terminal):
    one = terminal()
    one.shows("Environments", "no deliveries yet")
    for _ in range(3):
        one.process.send_signal(signal.SIGCONT)
        one.settle()
    one.press("?")
    one.shows("Help")
    one.press("q")
    one.shows("Environments", gone="Help")
    one.press("q")
    assert one.leave() == 0


BROKEN = {
    "while it paints": """
from sprig_tui.console.screens.help import HelpScreen
def render(self): raise RecursionError("forced")
HelpScreen.render = render
""",
    "while it handles a key": """
from sprig_tui.console.app import SprigTui
def action_help(self): raise ValueError("forced")
SprigTui.action_help = action_help
""",
    "in the keyboard queue": """
from sprig_tui.console.keyboard.queue import Keyboard
passed = Keyboard._wait_for_queues
async def broken(self, node):
    if self._app.screen is not self._app.main: raise MemoryError
    await passed(self, node)
Keyboard._wait_for_queues = broken
""",
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=list(BROKEN))
def test_after_a_fault_the_terminal_is_whole(terminal, home, fault):
    one = terminal(prepare=fault)
    one.shows("Environments", "no deliveries yet")
    one.press("?")
    assert one.leave() == 1
    one.assert_as_it_was()
    assert "unexpected fault" in one.text
    assert "Traceback" not in one.text
    assert "forced" in home.paths.log_file.read_text() or "MemoryError" in home.paths.log_file.read_text()
