"""The command line: names, numbers of records, and what is near; the keys in the palette; notices that repeat."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from sprig_tui.console.screens.command_line import CommandLineScreen, matching_names, record_number, resolve_name

NAMES = ["replay", "replay-filter", "leave", "list-records", "list-troubled", "@trouble", "zoom"]
SAMPLES = Path(__file__).parents[2] / "sample_payloads"


@pytest.mark.parametrize(
    ("typed", "name", "fault"),
    [
        ("replay", "replay", ""),
        (" Replay-Filter ", "replay-filter", ""),
        ("z", "zoom", ""),
        ("q", "leave", ""),
        ("@trouble", "@trouble", ""),
        ("list", "", "list may be list-records, list-troubled"),
        ("replya", "", "there is no command replya here; did you mean replay?"),
        ("records", "", "there is no command records here; did you mean list-records?"),
        ("\x1b[31m", "", "there is no command ␛[31m here"),
        ("0", "", "records are counted from 1"),
        ("", "", "type a name, or press escape"),
    ],
)
def test_a_typed_name(typed, name, fault):
    assert resolve_name(typed, NAMES) == (name, fault)


def test_numbers_and_lists():
    assert [record_number(text) for text in ("1", "1,204", "0", "-1", "x", "²", "9" * 13)] == [0, 1203, *[None] * 5]
    assert matching_names("re", NAMES) == ["replay", "replay-filter", "list-records"]
    assert matching_names("", NAMES) == NAMES


async def test_commands_and_records_are_typed(console, screen_text):
    async with console.running(files=(str(SAMPLES / "flat.jsonl"),)) as pilot:
        app = pilot.app
        await console.until(lambda: "1 of 4" in screen_text(app))
        await console.press("3", "colon", *"3", "enter")
        await console.until(lambda: "3 of 4" in screen_text(app))
        assert app.focused_scope() == "payload"

        await console.press("colon", *"zom", "enter")
        assert "there is no command zom here; did you mean zoom?" in screen_text(app)
        await console.press("backspace", "o")
        await console.until(lambda: app.screen.query_one(Input)._suggestion == "zoom")
        assert "Console: Zoom the pane  z" in screen_text(app)
        await console.press("tab", "enter")
        assert app.main.zoomed == "payload"
        await console.press("colon", "up", "up", "down", "enter")
        assert not app.main.zoomed
        await console.press("colon", *"99", "enter")
        await console.until(lambda: console.notices()[-1] == "record 99 is past the end: there are 4")

        await console.press("3", *"nnnn")
        notice = app.notices.notices[-1]
        assert (notice.text, notice.times) == ("no failed delivery in the log", 4)
        assert len([one for one in app._notifications if one.message == notice.text]) == 1
        await console.press("at")
        assert "4 times" in screen_text(app)
        await console.press("at", "ctrl+p", *"zoom")
        await console.until(lambda: "Zoom the pane  z" in screen_text(app))
        await console.press("escape", "f3", "colon", *"close", "enter")
        assert not isinstance(app.screen, CommandLineScreen)
        assert app.shows_panes

        # few rows: what was noticed does not cover the line, and the list is as long as the rows allow
        await console.press("n")
        await console.until(lambda: app._notifications)
        await pilot.resize_terminal(80, 24)
        await console.press("colon")
        await pilot.pause()
        assert not app._notifications
        assert "Command, or number of a record" in screen_text(app)
        listed = app.screen.query_one(".command-names")
        for rows, names in ((24, 8), (16, 4), (24, 8)):
            await pilot.resize_terminal(80, rows)
            await console.until(lambda names=names: listed.size.height == names + 1)  # and one for how many more
