"""Columns that the user chose: their rules, the dialog, and the config."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprig_tui.console.deliveries.row_format import COLUMNS, MARK_CELLS, place_columns
from sprig_tui.console.payload.records.row_format import COLUMNS as RECORD_COLUMNS
from sprig_tui.console.payload.records.row_format import place_record_columns
from sprig_tui.console.widgets.columns import ChosenColumn, parse_columns
from sprig_tui.errors import JournalError
from sprig_tui.journal.records import NewDelivery

NAMES = [column.name for column in COLUMNS]


@pytest.mark.parametrize(
    ("value", "columns", "fault"),
    [
        (["id", "user:20", "result"], ("id", "user:20", "result"), ""),
        (["usr"], (), "there is no column 'usr'; did you mean user?"),
        (["user:two"], (), "there is no column 'user:two'; did you mean user?"),
        (["user:2"], (), "a width is 3 to 300 cells, such as user:20"),
        (["user:999999"], (), "a width is 3 to 300 cells"),
        (["user", "user:9"], (), "user is named twice"),
        ([], (), "names no column"),
        ("user", (), "must be a list of texts"),
        (["user", 3], (), "must be a list of texts"),
        (["x" * 500], (), "there is no column"),
    ],
)
def test_columns_of_the_config(value, columns, fault):
    chosen, said = parse_columns("columns", value, NAMES)
    assert tuple(one.text for one in chosen) == columns
    assert fault in said
    assert bool(fault) == bool(said)
    assert len(said) < 400


choices = st.lists(
    st.tuples(st.sampled_from(NAMES), st.just(0) | st.integers(3, 300)), min_size=1, unique_by=lambda one: one[0]
).map(lambda found: tuple(ChosenColumn(*one) for one in found))


@settings(max_examples=40)
@given(choices, st.integers(26, 400))
def test_chosen_columns_keep_their_order_and_fit(chosen, width):
    placed = place_columns(width, chosen)
    order = [one.name for one in chosen]
    assert [one.name for one in placed] == sorted((one.name for one in placed), key=order.index)
    used = sum(one.width + one.gap for one in placed)
    assert used <= width - MARK_CELLS or len(placed) == 1
    wanted = {one.name: one.width for one in chosen if one.width}
    assert all(one.width <= wanted.get(one.name, 400) for one in placed)
    if "result" in {one.name for one in placed} and "result" not in wanted:
        assert used == width - MARK_CELLS, "result takes what is left"


def test_width_is_given_as_far_as_it_fits():
    chosen = (ChosenColumn("id"), ChosenColumn("user", 30), ChosenColumn("answer"), ChosenColumn("result"))
    widths = {one.name: one.width for one in place_columns(77, chosen)}
    assert list(widths) == ["id", "user", "answer", "result"]
    assert widths["user"] == 30
    assert [(one.name, one.width) for one in place_columns(24, chosen)] == [("id", 7), ("result", 14)]


def test_wide_lists_show_the_question():
    for place in (place_columns, place_record_columns):
        assert "question" not in {one.name for one in place(149)}
        widths = {one.name: one.width for one in place(297)}
        assert min(widths["question"], widths["answer"] * 2) > 60


CONFIG = """\
# ours
[console]   # how it looks
theme = "nord"  # set by mira
columns = ["time", "user:14", "answer"]  # the three
"""


async def add(console, **fields) -> None:
    body = json.dumps({"messageId": "sprig-1", "properties": {"question": "How was 日本 \x1b[2J?"}}).encode()
    given = NewDelivery("production", "sprig-1", raw=b"{}", body=body, user_id="acct_88213", answer="4", **fields)
    async with console.journal_class(console.paths.journal_file) as journal:
        await journal.add([given])


async def test_columns_are_chosen_in_the_dialog_and_saved(console):
    await add(console)
    console.write(CONFIG)
    async with console.running(size=(100, 30), engine=False) as pilot:
        log = pilot.app.main.deliveries
        await console.press("3")
        await console.until(lambda: "acct_88213" in console.text())
        assert "  time     user           answer" in console.text()
        # by the titles, as by the key
        await pilot.click(log._header)
        await console.until(lambda: "Columns of the log" in console.text())
        assert "[✓] user         14 cells" in console.text()
        await console.press("space", "down", "J", "plus")
        assert "[ ] time         not shown" in console.text()
        placed = [(one.name, one.width) for one in log.lines.columns]
        assert placed == [("answer", placed[0][1]), ("user", 15)]
        await console.press("enter")
        await console.until(lambda: any("saved for the next start" in said for said in console.notices()))
        assert [(one.name, one.width) for one in log.lines.columns] == placed
        shown = ", ".join(f'"{one.text}"' for one in log.lines.chosen)
        wanted = CONFIG.replace('["time", "user:14", "answer"]', f"[{shown}]")
        assert "".join(console.paths.config_file.read_text().split()) == "".join(wanted.split())

        # the question is read with the payload, and is harmless
        async def away(_ids):
            raise JournalError("the journal is away")

        log.journal.bodies = away
        console.write('[console]\ncolumns = ["question:24", "result"]\n')
        await console.until(lambda: log.lines.shows_questions)
        del log.journal.bodies
        await console.until(lambda: "How was 日本 ␛[2J?" in console.text())
        # escape shows what was shown before; reset removes the key
        await console.press("vertical_line", "down", "space", "escape")
        assert [one.name for one in log.lines.columns] == ["question", "result"]
        await console.press("vertical_line", "r", "enter")
        await console.until(lambda: console.config() == {"console": {}} or "console" not in console.config())
        assert {"time", "state", "result"} <= {one.name for one in log.lines.columns}
        # on the smallest screen too
        await pilot.resize_terminal(40, 10)
        pilot.app.clear_notifications()
        await console.press("vertical_line", "j", "K", "minus")
        assert "Columns of the log" in console.text()
        assert console.text().count("[✓]") > 1
        await console.press("escape")


async def test_columns_of_a_read_only_console_are_not_stored(console, tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text('{"userId": "acct_1", "question": "Why?", "response": "x", "responseGroupUid": "g"}\n')
    console.write('[console]\nrecord_columns = ["nmber"]\n')
    async with console.running(read_only=True, files=(str(file),)) as pilot:
        records = pilot.app.main.payload.records
        assert any("did you mean number?" in text for text in pilot.app.preferences.warnings)
        await console.press("f")
        await console.until(lambda: records.lines.columns and "acct_1" in console.text())
        await console.press("vertical_line")
        await console.until(lambda: "Columns of the records" in console.text())
        await console.press("space", "enter")
        await console.until(lambda: any("for now: this console is read-only" in said for said in console.notices()))
        assert records.lines.columns[0].name == "place"
        # what else is read again does not undo it
        console.write('[console]\nrecord_columns = ["number"]\n')
        await console.until(lambda: pilot.app.preferences.columns["record_columns"])
        assert records.lines.columns[0].name == "place"
    assert console.config() == {"console": {"record_columns": ["number"]}}
    assert {column.name for column in RECORD_COLUMNS} >= {"question", "why"}
