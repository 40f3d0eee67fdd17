import json

from textual import events
from textual.widgets import Input

from sprig_tui.console.clipboard import CopyRequested
from sprig_tui.console.commands.base import Permissions
from sprig_tui.console.payload.file_picker import FilePicker, FolderLines
from sprig_tui.console.payload.inspector import PayloadInspector
from sprig_tui.console.payload.send_requests import SendAllRequested, SendRequested
from sprig_tui.journal.records import DeliveryDetail
from sprig_tui.mapping.records import Rules
from sprig_tui.sprig.reader import read_responses

from .conftest import flat, notices, press, settle


def shown(inspector):
    return inspector.inspection.record.user_id


async def test_empty_payload_pane_shows_next_steps_until_a_dropped_path_is_opened(
    bench, inspector, lines_file, screen_text
):
    async with bench() as (app, pilot):
        text = screen_text(app)
        assert "no payload yet" in text
        assert "open a file or folder of answers" in text

        await press(pilot, "s", "S", "n", "e", "y", "m", "v")
        assert "no payload is shown" in inspector.refusal("send_record")
        assert "no file is open" in inspector.refusal("next_record")
        assert inspector.check_action("open_file", ()) is True

        path = lines_file(2, "my answers.jsonl")
        assert inspector.open_pasted(f"'{path}' ").opens
        await settle(pilot)
        await settle(pilot)
        assert shown(inspector) == "acct_0"
        assert not inspector.open_pasted("just some text").opens


async def test_keys_move_through_the_records_of_a_file(bench, inspector, lines_file, screen_text):
    async with bench(file=lines_file(200)) as (app, pilot):
        assert "answers.jsonl  1 of 200 " in screen_text(app).split("\n")[0]
        await press(pilot, "n", "right_square_bracket", "n")
        assert shown(inspector) == "acct_3"
        await press(pilot, "p", "left_square_bracket")
        assert "answers.jsonl  2 of 200 " in screen_text(app).split("\n")[0]
        await press(pilot, "ctrl+g", *"200", "enter", "n")
        assert (notices(app)[-1], shown(inspector)) == ("on from the first record", "acct_0")
        await press(pilot, "n", "ctrl+g", *"201", "enter")
        assert notices(app)[-1] == "record 201 is past the end: there are 200"
        await press(pilot, "ctrl+g", "1", "enter", "p")
        assert (notices(app)[-1], shown(inspector)) == ("on from the last record", "acct_199")


async def test_only_troubled_records(bench, inspector, lines_file, screen_text):
    listed = [flat(number) for number in range(40)]
    for number in (5, 17, 33):
        del listed[number]["userId"]
    async with bench(file=lines_file(listed)) as (app, pilot):
        await press(pilot, "exclamation_mark")
        await press(pilot, "n")
        await press(pilot, "n")
        assert "34 of 40  ! 3 of 3" in screen_text(app)
        await press(pilot, "n")
        assert notices(app)[-1] == "on from the first record with a problem"
        await press(pilot, "p")
        assert notices(app)[-1] == "on from the last record with a problem"
        await press(pilot, "n")
        assert "6 of 40  ! 1 of 3" in screen_text(app)
        await press(pilot, "exclamation_mark", "n")
        assert "7 of 40 ──" in screen_text(app)


async def test_file_without_problem_records_is_reported_and_failed_open_keeps_the_record_shown(
    bench, inspector, lines_file, tmp_path
):
    async with bench(file=lines_file(3)) as (app, pilot):
        await press(pilot, "exclamation_mark")
        inspector.navigator._tick()
        await settle(pilot)
        assert notices(app)[-1] == "no record of this file has a problem; all are shown"
        await press(pilot, "n")
        assert shown(inspector) == "acct_1"

        inspector.show_file(tmp_path / "none.jsonl")
        await settle(pilot)
        assert "there is no file" in notices(app)[-1]
        inspector.show_file(lines_file([], "empty.jsonl"))
        await settle(pilot)
        assert notices(app)[-1] == "empty.jsonl holds no records"
        await press(pilot, "n")
        assert shown(inspector) == "acct_2"


async def test_the_four_views_by_key_and_by_click(bench, inspector, lines_file, screen_text):
    async with bench(file=lines_file(2)) as (app, pilot):
        for view, sign in (
            ("JSON", '"messageId": "sprig-'),
            ("Raw", '{"responseGroupId": "group-0"'),
            ("curl", "curl "),
        ):
            await press(pilot, "v")
            assert f"[{view}]" in screen_text(app)
            assert sign in screen_text(app)
        await press(pilot, "V")
        assert inspector.view_name == "Raw"
        top = screen_text(app).split("\n")[0]
        for view in ("Fields", "curl", "JSON"):
            await pilot.click(PayloadInspector, offset=(top.index(view) + 1, 0))
            await settle(pilot)
            assert inspector.view_name == view
        await press(pilot, "alt+1")
        assert inspector.view_name == "Fields"


async def test_a_value_opens_in_place(bench, lines_file, screen_text):
    async with bench(file=lines_file([flat(1, attributes={"plan": "team", "seats": [1, 2]})])) as (app, pilot):
        line = next(
            number for number, text in enumerate(screen_text(app).split("\n")) if "properties.attributes" in text
        )
        await press(pilot, *["j"] * (line - 2), "enter")
        assert '"plan": "team",' in screen_text(app)
        await press(pilot, "space")
        assert '"plan": "team",' not in screen_text(app)


async def test_keys_post_requests_to_copy_and_to_send(bench, inspector, lines_file, heard):
    path = lines_file(3)
    async with bench(file=path) as (app, pilot):
        await press(pilot, "y", "Y", "C")
        value, call, curl = heard(pilot.seen, CopyRequested)
        assert (value.text, value.what) == ("acct_0", "userId")
        assert json.loads(call.text)["userId"] == "acct_0"
        assert curl.text.startswith("curl https://api.segment.io/v1/track")
        assert "$SEGMENT_WRITE_KEY" in curl.text
        await press(pilot, "G", "y")
        assert notices(app)[-1] == "nothing was copied: there is no value in this line"
        await press(pilot, "n", "s", "S")
        (one,) = heard(pilot.seen, SendRequested)
        assert ([record.user_id for record in one.records], one.edits, one.environment) == (
            ["acct_1"],
            (None,),
            "development",
        )
        (every,) = heard(pilot.seen, SendAllRequested)
        assert (every.sources, every.name, every.total, every.complete) == ((str(path),), "answers.jsonl", 3, True)


async def test_withheld_record_is_not_sent(bench, lines_file, heard):
    async with bench(file=lines_file([flat(1, userId=None)])) as (app, pilot):
        await press(pilot, "s")
        assert not heard(pilot.seen, SendRequested)
        assert notices(app)[-1].startswith("this would be withheld, not sent: userId:")


async def test_a_read_only_console_sends_nothing(bench, inspector, lines_file, heard):
    async with bench(file=lines_file(2), permissions=Permissions(read_only=True)) as (_app, pilot):
        await press(pilot, "s", "S", "n")
        assert not heard(pilot.seen, SendRequested)
        assert not heard(pilot.seen, SendAllRequested)
        assert "--read-only" in inspector.refusal("send_record")
        assert shown(inspector) == "acct_1", "looking goes on"


async def test_the_picker_completes_and_opens(bench, inspector, lines_file, tmp_path, screen_text):
    lines_file(2, "alpha-one.jsonl")
    lines_file(5, "alpha-two.jsonl")
    (tmp_path / "notes.txt").write_text("no data")
    (tmp_path / "more").mkdir()
    async with bench() as (app, pilot):
        await press(pilot, "o")
        assert isinstance(app.screen, FilePicker)
        app.screen.query_one(Input).value = f"{tmp_path}/"
        await settle(pilot)
        text = screen_text(app)
        assert "all files in this folder" in text
        assert "alpha-one.jsonl" in text
        assert "notes.txt" not in text
        await press(pilot, "end", "a", "tab")
        assert app.screen.query_one(Input).value == f"{tmp_path}/alpha-"
        await press(pilot, "t", "tab", "enter")
        assert inspector.navigator.browser.file.name == "alpha-two.jsonl"
        assert shown(inspector) == "acct_0"
        # typed on from the list: over a folder without data, which was entered from the list
        await press(pilot, "o")
        app.screen.query_one(Input).value = f"{tmp_path}/mor"
        await settle(pilot)
        await press(pilot, "down", "enter")
        await settle(pilot)
        assert app.screen.query_one(FolderLines).has_focus
        await press(pilot, *["backspace"] * 5, "a")
        assert app.screen.query_one(Input).value == f"{tmp_path}/a"
        await press(pilot, "escape")


async def test_enter_after_two_tabs_opens_what_is_typed(bench, inspector, lines_file, tmp_path, screen_text):
    lines_file(2, "answers.jsonl")
    (tmp_path / "a-folder").mkdir()
    async with bench() as (app, pilot):
        await press(pilot, "o")
        app.screen.query_one(Input).value = f"{tmp_path}/"
        await settle(pilot)
        await press(pilot, "end", "a", "tab", "tab")
        assert app.screen.query_one(Input).has_focus
        assert "tab completes nothing more: enter opens what is typed" in screen_text(app)
        await press(pilot, *"nswers.jsonl", "tab", "tab", "enter")
        assert inspector.navigator.browser.file.name == "answers.jsonl"


async def test_pasted_path_replaces_the_path_in_the_picker(bench, inspector, lines_file, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    file = lines_file(3, name="two words.jsonl")
    async with bench() as (app, pilot):
        for pasted in (str(file), f"'{file}' ", "~/two words.jsonl", f"file://{file}".replace(" ", "%20")):
            inspector.navigator.browser = None
            await press(pilot, "o")
            app.screen.query_one(Input).post_message(events.Paste(pasted))
            await pilot.pause()
            await press(pilot, "enter")
            await settle(pilot)
            assert inspector.navigator.browser.file.sources == (str(file),), pasted
        await press(pilot, "o")
        app.screen.query_one(Input).post_message(events.Paste("~/gone.jsonl\n"))
        await pilot.pause()
        await press(pilot, "enter")
        assert "there is no file ~/gone.jsonl" in str(app.screen.query_one(".dialog-fault").content)


async def test_existing_ones_of_several_files_are_opened(bench, inspector, lines_file, tmp_path):
    there = str(lines_file(3))
    async with bench() as (app, pilot):
        inspector.show_file((there, str(tmp_path / "gone.jsonl"), there))
        await settle(pilot)
        assert inspector.navigator.browser.file.sources == (there, there)
        (said,) = notices(app)
        assert said == f"2 of 3 opened: there is no file {tmp_path / 'gone.jsonl'}"


async def test_the_picker_opens_a_whole_folder(bench, inspector, lines_file, tmp_path):
    lines_file(2, "a.jsonl")
    lines_file(3, "b.jsonl")
    async with bench() as (app, pilot):
        await press(pilot, "o")
        app.screen.query_one(Input).value = f"{tmp_path}/"
        await settle(pilot)
        await press(pilot, "down")
        assert app.screen.query_one(FolderLines).has_focus
        await press(pilot, "enter")
        await settle(pilot)
        assert inspector.navigator.position().name == f"{tmp_path.name}/"
        assert inspector.navigator.browser.file.count == 5


async def test_changed_file_is_read_again_at_the_same_record(bench, inspector, lines_file):
    path = lines_file(3)
    async with bench(file=path) as (app, pilot):
        await press(pilot, "n")
        lines_file([flat(number) for number in range(70, 90)])
        inspector.navigator.browser.file._cached.clear()
        inspector.navigator.browser.file._reader = None
        await press(pilot, "n")
        assert "has changed since it was opened: it is read again" in notices(app)[-1]
        assert shown(inspector) == "acct_72"


async def test_record_is_mapped_again_for_other_environment_or_rules(bench, inspector, lines_file, screen_text):
    async with bench(file=lines_file(1)) as (app, pilot):
        assert "would be sent to Development" in screen_text(app)
        inspector.environment = "production"
        await settle(pilot)
        assert "would be sent to Production (protected)" in screen_text(app)
        inspector.rules = Rules(event="Answered")
        await settle(pilot)
        assert b'"event":"Answered"' in inspector.inspection.body

        # without the key of its hashes it is not said to be sent
        inspector.environment = "development"
        inspector.rules = Rules(hmac=frozenset({"properties.email"}))
        await settle(pilot)
        assert "cannot be sent now" in screen_text(app)
        await press(pilot, "s")
        assert "its key could not be read" in notices(app)[-1]
        inspector.rules = Rules()
        await settle(pilot)
        assert "would be sent to Development" in screen_text(app)


async def test_a_delivery_is_shown_and_mapped_again(bench, inspector, lines_file, journal, screen_text, heard):
    record = next(read_responses([str(lines_file(1))]))
    entry = inspector.previews.make_builder().entry(record)
    (added,) = await journal.add([entry])
    detail = await journal.get(added.id)
    assert isinstance(detail, DeliveryDetail)
    async with bench() as (app, pilot):
        inspector.show_delivery(detail)
        await settle(pilot)
        assert f"delivery {added.id}" in screen_text(app)
        assert "queued for Development" in screen_text(app)
        await press(pilot, "s")
        assert not heard(pilot.seen, SendRequested)
        assert notices(app)[-1].startswith("this is in the log already")
        app.clear_notifications()
        await press(pilot, "m")
        assert "mapped again" in screen_text(app)
        assert "would be sent to Development" in screen_text(app)
        await press(pilot, "m")
        assert "queued for Development" in screen_text(app)


async def test_file_position_is_kept_while_a_delivery_is_shown(bench, inspector, lines_file, journal):
    path = lines_file(5)
    record = next(read_responses([str(path)]))
    (added,) = await journal.add([inspector.previews.make_builder().entry(record)])
    async with bench(file=path) as (_app, pilot):
        await press(pilot, "n", "n")
        inspector.show_delivery(await journal.get(added.id))
        await settle(pilot)
        assert inspector.navigator.position() is None
        await press(pilot, "n")
        assert shown(inspector) == "acct_2"
