"""The panes on terminals of few colours and of little room."""

from __future__ import annotations

import re

import pytest

from .terminal import ENTER, Size

NAVY_AND_TEAL = ("00005f", "005f5f", "00005f5f")


@pytest.mark.parametrize("name", ["xterm-256color", "xterm"])
def test_grounds_are_grey_without_truecolor(terminal, home, name):
    home.environ["TERM"] = name
    del home.environ["COLORTERM"]
    one = terminal()
    one.shows("Environments", "no deliveries yet")
    columns, rows = one.size
    grounds = {one.cell(column, row).bg for row in range(rows) for column in range(0, columns, 3)}
    assert not grounds & {*NAVY_AND_TEAL, "blue", "cyan"}
    # of the terminal's own 16: none is a number of its palette or a mixture
    texts = {one.cell(column, row).fg for row in range(rows) for column in range(columns)}
    assert texts - {"default"}
    assert not {text for text in texts if re.fullmatch("[0-9a-f]{6}", text)}
    one.press("q")
    assert one.leave() == 0


def test_a_read_only_console_says_so_in_the_narrowest_line(terminal, home, segment):
    home.key("development", endpoint=segment.url)
    one = terminal("--read-only", size=Size(80, 24))
    one.shows(" read-only  ● Development", "no deliveries yet")
    one.press("o")
    one.shows("Open a file or folder")
    path = home.file("odd name.jsonl", "{}\n")
    one.paste(f"'{path}' ")
    one.press(ENTER)
    one.shows("odd name.jsonl", gone="Open a file or folder")
    one.press("q")
    assert one.leave() == 0
