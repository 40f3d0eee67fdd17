import asyncio
import contextlib

import pytest

from sprig_tui.console.commands.base import Permissions
from sprig_tui.console.payload.inspector import PayloadInspector
from sprig_tui.console.payload.records.record_lines import RecordLines
from sprig_tui.console.payload.send_requests import SendAllRequested, SendRequested
from sprig_tui.mapping.records import Rules

from .conftest import flat, notices
from .test_untrusted import NASTY

MIXED = [flat(number, userId=None if number % 20 == 7 else f"acct_{number}") for number in range(100)]


async def until_quiet(pilot, inspector):
    """Wait for everything but the loop that reads rows."""
    endless = ("record-rows", "payload-flow")
    for _ in range(200):
        await pilot.pause()
        working = [one for one in pilot.app.workers if not one.is_finished and one.group not in endless]
        rows = inspector.records.lines
        # rows of a file that cannot be read stay wanted
        missing = rows.is_mounted and rows.wanted_numbers() and not inspector.records.state.trouble
        if not working and not rows.rows_wanted.is_set() and not missing:
            break
    inspector.records._tick()
    await pilot.pause()


@pytest.fixture
def listing(host, inspector):
    """A list of the records of a file on the screen; `press` waits for what the keys lead to."""

    @contextlib.asynccontextmanager
    async def run(file, *, size=(100, 30), permissions=None):
        app = host(inspector, permissions=permissions)
        seen = []
        async with app.run_test(size=size, message_hook=seen.append, notifications=True) as pilot:
            pilot.seen = seen

            async def press(*keys):
                for key in keys:
                    await pilot.press(*(key[5:] if key.startswith("type ") else [key]))
                    await until_quiet(pilot, inspector)

            pilot.press_keys = press
            inspector.focus()
            inspector.show_file(file)
            await until_quiet(pilot, inspector)
            await press("f")
            yield pilot, press

    return run


def selected(inspector):
    """The records that list and inspector are at, which have to agree."""
    assert inspector.navigator.browser.number == inspector.records.selected
    return inspector.records.selected + 1


async def test_the_list_filters_marks_and_comes_back(listing, inspector, lines_file, screen_text, heard):
    async with listing(lines_file(MIXED)) as (pilot, press):
        text = screen_text(pilot.app)
        assert "answers.jsonl  1 of 100 ── [List]" in text
        assert "acct_3" in text
        assert "would be sent to Development" in text
        await press("right_square_bracket", "right_square_bracket", "left_square_bracket")
        assert selected(inspector) == 2, "the next record, as beside the list"
        await press("right_curly_bracket")
        assert selected(inspector) == 8
        assert "withheld   anonymous" in screen_text(pilot.app)
        await press("left_curly_bracket")
        assert selected(inspector) == 88
        assert notices(pilot.app)[-1] == "on from the end of the file"

        assert inspector.unasked_command("send_record") is not None
        await press("slash", "type reason:anonymous", "enter")
        assert "/reason:anonymous: 5 of 100" in screen_text(pilot.app)
        assert inspector.refusal("edit_field") == "the record is hidden by the list: enter opens it"
        await press("S")
        (every,) = heard(pilot.seen, SendAllRequested)
        assert (every.total, every.listed) == (100, 5)
        await press("n", "n")
        assert selected(inspector) == 48
        await press("enter")
        assert "[Fields]" in screen_text(pilot.app)
        assert inspector.lines.has_focus
        assert not inspector.refusal("edit_field")
        await press("n", "right_square_bracket")
        assert selected(inspector) == 88, "the records that are listed, to the last"
        await press("n")
        assert (notices(pilot.app)[-1], selected(inspector)) == ("on from the first match", 8)
        await press("p")
        assert (notices(pilot.app)[-1], selected(inspector)) == ("on from the last match", 88)
        await press("p", "left_square_bracket", "escape")
        assert selected(inspector) == 48
        await press("enter", "escape")
        assert selected(inspector) == 48

        await press("space", "space")
        assert "2 marked" in screen_text(pilot.app)
        assert inspector.unasked_command("send_record") is None, "it asks about all of them"
        await press("s")
        (sent,) = heard(pilot.seen, SendRequested)
        assert [record.origin.line for record in sent.records] == [48, 68]
        assert sent.edits == (None, None)
        inspector.editing.forget_sent(sent)
        await press("escape")
        assert "of 100 ── [List]" in screen_text(pilot.app)
        assert "reason:anonymous" not in screen_text(pilot.app)
        assert selected(inspector) == 88, "clearing the filter stays with the record"
        await press("n")
        assert selected(inspector) == 8, "n still goes to what the last filter matched"
        await press("asterisk")
        assert "100 marked" in screen_text(pilot.app)
        await press("asterisk", "f")
        assert not inspector.listing.shown
        assert inspector.lines.has_focus
        assert inspector.records.marked == []


async def test_a_mistyped_filter_leaves_the_list(listing, inspector, lines_file, screen_text):
    async with listing(lines_file(MIXED)) as (pilot, press):
        await press("G", "slash", "type a frm:x", "enter")
        assert "there is no field frm:" in screen_text(pilot.app)
        assert inspector.records.lines.count == 100
        await press("escape")
        assert selected(inspector) == 100
        await press("slash", "type zzz", "enter")
        assert "no record matches" in screen_text(pilot.app)
        await press("s", "enter", "right_curly_bracket", "space", "n")
        await press("escape")
        assert selected(inspector) == 100, "the place before nothing matched"
        await press("exclamation_mark")
        assert "with problems: 5 of 100" in screen_text(pilot.app)
        await press("exclamation_mark")
        assert inspector.records.lines.count == 100


async def test_the_list_by_mouse_and_beside_the_record(listing, inspector, lines_file, screen_text, heard):
    async with listing(lines_file(MIXED), size=(130, 30)) as (pilot, press):
        text = screen_text(pilot.app)
        assert "[Fields]" in text
        assert "would be" in text
        assert ".surveyName" in text
        await pilot.click(RecordLines, offset=(5, 3))
        await until_quiet(pilot, inspector)
        assert selected(inspector) == 4
        await pilot.click(RecordLines, offset=(5, 3))
        await until_quiet(pilot, inspector)
        assert inspector.lines.has_focus
        await press("p")
        assert selected(inspector) == 3, "the list goes along"
        await press("escape", "down")
        assert inspector.records.lines.has_focus
        assert selected(inspector) == 4
        await press("home", "space", "down", "down", "s")
        await press("enter", "s")
        marked, shown = heard(pilot.seen, SendRequested)
        assert (marked.marked, shown.marked) == (True, False), "beside the list the record shown is sent"
        assert [one.records[0].origin.line for one in (marked, shown)] == [1, 4]
        inspector.editing.forget_sent(marked)
        assert not inspector.records.marked
        inspector.lines.focus()
        inspector.navigator.in_view = False
        assert inspector.focused_lines is inspector.lines, "a delivery is shown beside the list"
        inspector.records.focus()
        await until_quiet(pilot, inspector)
        assert inspector.navigator.in_view
        assert selected(inspector) == 4, "the record under the cursor is shown again"
        await pilot.resize_terminal(60, 12)
        await until_quiet(pilot, inspector)
        assert "[List]" in screen_text(pilot.app)
        await pilot.click(PayloadInspector, offset=(screen_text(pilot.app).split("\n")[0].index("[List]") + 1, 0))
        await until_quiet(pilot, inspector)
        assert not inspector.listing.shown


async def test_a_changed_file_is_told_and_read_again(listing, inspector, lines_file, screen_text):
    path = lines_file(3_000)
    async with listing(path) as (pilot, press):
        await press("space")
        path.write_text(path.read_text().replace("acct_2999", "acct_new"))
        inspector.navigator.browser.file._cached.clear()
        await press("G")
        assert "has changed since it was opened: f5 reads it again" in screen_text(pilot.app)
        assert "acct_0" not in screen_text(pilot.app)
        await press("s")
        async with asyncio.timeout(20):
            while "has changed" not in "".join(notices(pilot.app)[-1:]):  # nothing of another file is sent
                await pilot.pause(0.02)
        await press("f5", "G")
        assert "acct_new" in screen_text(pilot.app)
        assert any("the marks are removed" in said for said in notices(pilot.app))
        path.unlink()
        inspector.navigator.browser.file._cached.clear()
        await press("g")
        assert "cannot open" in screen_text(pilot.app)
        await press("f5", "f", "f")
        assert inspector.listing.shown


async def test_other_rules_and_hostile_text_in_the_list(listing, inspector, lines_file, screen_text):
    hostile = [flat(1, userId=text, surveyName=text, response=text, questionType=text) for text in NASTY]
    async with listing(lines_file([*hostile, flat(50, environment="production")]), size=(80, 24)) as (pilot, press):
        assert all(character.isprintable() for line in screen_text(pilot.app).split("\n") for character in line)
        await press("G")
        assert "environment-unkn" in screen_text(pilot.app)
        inspector.environment = "production"
        await until_quiet(pilot, inspector)
        assert "to Production" in screen_text(pilot.app)
        inspector.rules = Rules(omit=frozenset({"properties.email"}))
        await until_quiet(pilot, inspector)
        assert selected(inspector) == len(hostile) + 1


async def test_a_read_only_list_sends_nothing(listing, inspector, lines_file, heard, snapshot):
    async with listing(lines_file(MIXED[:8]), size=(80, 24), permissions=Permissions(read_only=True)) as (pilot, press):
        await press("space", "space", "s", "j")
        assert not heard(pilot.seen, SendRequested)
        await press("slash", "escape")
        await snapshot(pilot, "payload-records")
