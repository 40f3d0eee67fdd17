"""Key rotation in the real console, against the fake Public API: nothing changes before its last question."""

from __future__ import annotations

import asyncio

import pytest
from support import workspace_lookalike
from support.file_keyring import file_keyring
from textual import events
from textual.widgets import Input, Static

from sprig_tui.cli.commands.console import _list_sources
from sprig_tui.cli.setup_services import setup_services
from sprig_tui.config.save import save_environment
from sprig_tui.config.secret_keyring import new_entry
from sprig_tui.config.secret_reader import process_secrets
from sprig_tui.config.settings import load_settings
from sprig_tui.console.screens.progress import ProgressScreen
from sprig_tui.console.setup.dialogs import GuideForm
from sprig_tui.console.widgets.dialogs import Confirm, ConfirmName
from sprig_tui.console.widgets.line_picker import LinePicker
from sprig_tui.errors import JournalError
from sprig_tui.ingest.test_event import make_test_event
from sprig_tui.text import mask

OLD = workspace_lookalike.PRODUCTION_KEY
PASTED = "Xq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
PLACE = "Connections > Sources > Acme production > Settings > API Keys"


@pytest.fixture
def workspace(console, workspace_api):
    """The console knows the workspace's token, and production has the key of Acme production."""
    console.write(
        f'[segment]\npublic_api_token = "{workspace_lookalike.TOKEN}"\nregion = "{workspace_api.url}"\n'
        f'[environments.production]\nwrite_key = "{OLD}"\nendpoint = "{workspace_api.url}"\nprotected = false\n'
    )
    console.list_sources = _list_sources
    console.setup = setup_services()
    return workspace_api


def key_now(console):
    return console.config()["environments"]["production"]["write_key"]


def keys_of(workspace):
    return workspace.sources[0]["writeKeys"]


def words(pilot):
    """What the dialog says, in one line: on the screen a sentence is broken where its box ends."""
    return " ".join(" ".join(str(text.content) for text in pilot.app.screen.query(Static)).split())


async def opens(console, pilot, kind):
    await console.until(lambda: type(pilot.app.screen) is kind)


async def test_segment_makes_the_key_and_the_queue_goes_out_with_it(console, workspace):
    async with console.running(engine=False) as pilot:
        await pilot.app.session.journal.add([make_test_event("production", n) for n in (1, 2)])
        await console.press("1", "r")
        await opens(console, pilot, LinePicker)
        assert "Rotate the key of production" in console.text()
        await console.press("enter")
        await opens(console, pilot, Confirm)
        shown = words(pilot)
        assert "Switch production to a new key?" in shown
        assert f"production has the key {mask(OLD)}, of the source Acme production (HTTP API" in shown
        assert "- Segment makes one more Write Key for that source" in shown
        assert "- 2 queued deliveries go out with the new key" in shown
        assert f"- {mask(OLD)} keeps working until you remove it in Segment" in shown
        assert keys_of(workspace) == [OLD] == [key_now(console)]
        await console.press("y")
        await opens(console, pilot, GuideForm)
        assert keys_of(workspace) == [OLD, key_now(console)]
        assert f"production is switched to {mask(key_now(console))}" in console.text()
        rest = words(pilot)
        assert "sprig-tui reconcile -e production --since " in rest
        assert "t sends a test event with the new key, c shows the counts" in rest
        assert f"then remove {mask(OLD)} in Segment: {PLACE}" in rest
        assert pilot.app.session.settings.environment("production").write_key.reveal() == key_now(console)
        await console.press("enter")
        assert len(pilot.app.screen_stack) == 1


async def test_no_is_the_default_and_escape_leaves_each_question(console, workspace):
    async with console.running() as pilot:
        await console.press("1", "r")
        await opens(console, pilot, LinePicker)
        await console.press("escape", "r")
        await opens(console, pilot, LinePicker)
        await console.press("enter")
        await opens(console, pilot, Confirm)
        await console.press("enter", "r")
        await opens(console, pilot, LinePicker)
        await console.press("j", "enter")
        await console.until(lambda: "New write key of production" in console.text())
        await console.press("escape")
        await console.until(lambda: len(pilot.app.screen_stack) == 1)
    assert keys_of(workspace) == [OLD] == [key_now(console)]


async def test_a_pasted_key_is_checked_like_at_the_command_line(console, workspace):
    workspace.sources[0]["writeKeys"].append(PASTED)
    async with console.running() as pilot:
        await console.press("1", "r")
        await opens(console, pilot, LinePicker)
        await console.press("j", "enter")
        await console.until(lambda: "New write key of production" in console.text())
        assert f"In Segment press Generate New Key: {PLACE}" in words(pilot)
        field = pilot.app.screen.query_one(Input)
        field.value = f' "{OLD}"'
        await console.press("enter", "enter")
        assert "✗ this is the present key of production: paste the new one" in console.text()
        field.value = workspace_lookalike.DEVELOPMENT_KEY
        await console.press("enter")
        assert "! the present key belongs to another source, Acme production" in console.text()
        assert "enter again takes it anyway" in console.text()
        field.value = ""
        field.post_message(events.Paste(f'"{PASTED[:20]}\n  {PASTED[20:]}"\n'))
        await console.until(lambda: "✓ it belongs to the source Acme production" in console.text())
        await console.press("enter")
        await opens(console, pilot, Confirm)
        assert f"- production is switched to {mask(PASTED)} in " in words(pilot)
        assert "makes one more" not in words(pilot)
        assert key_now(console) == OLD
        await console.press("y")
        await opens(console, pilot, GuideForm)
        assert not any(key in f"{words(pilot)}{console.notices()}" for key in (OLD, PASTED))
    assert key_now(console) == PASTED
    assert keys_of(workspace) == [OLD, PASTED]


@pytest.mark.parametrize(
    ("rule", "said"), [("no-new-key", "an alpha"), ("read-only", "Workspace Owner or Source Admin")]
)
async def test_a_rejection_of_segment_says_why_and_the_key_can_be_pasted(console, workspace, rule, said):
    workspace.set_faults(rule)
    workspace.sources[0]["writeKeys"].append(PASTED)
    async with console.running() as pilot:
        await console.press("1", "r")
        await opens(console, pilot, LinePicker)
        await console.press("enter")
        await opens(console, pilot, Confirm)
        assert f"! that source also has the key {mask(PASTED)}" in words(pilot)
        await console.press("y")
        await console.until(lambda: type(pilot.app.screen) is LinePicker and said in words(pilot))
        assert "no key was made" in words(pilot)
        assert "and paste that key" in words(pilot)
        assert key_now(console) == OLD
        await console.press("j", "enter")
        await console.until(lambda: "New write key of production" in console.text())
        pilot.app.screen.query_one(Input).value = PASTED
        await console.press("enter")
        await opens(console, pilot, Confirm)
        await console.press("y")
        await opens(console, pilot, GuideForm)
    assert key_now(console) == PASTED


async def test_where_the_source_is_not_known_the_key_is_pasted_and_the_reason_shown(console, workspace):
    workspace.set_faults("unknown")
    async with console.running() as pilot:
        await console.press("1", "r")
        await console.until(lambda: "New write key of production" in console.text())
        assert "it belongs to no source of the workspace" in words(pilot)
        await console.press("escape")
        workspace.down()
        await console.until(lambda: len(pilot.app.screen_stack) == 1)
        await console.press("r")
        await console.until(lambda: "Whose key it is could not be asked" in words(pilot))
        pilot.app.screen.query_one(Input).value = PASTED
        await console.press("enter")
        await opens(console, pilot, Confirm)
        await console.press("y")
        await opens(console, pilot, GuideForm)
    assert key_now(console) == PASTED


async def test_without_a_token_a_protected_environment_asks_for_its_name(console, workspace_api):
    console.keys(production=OLD, endpoint=workspace_api.url)
    save_environment(console.paths, "production", {"protected": True})
    async with console.running() as pilot:
        await console.press("1", "r")
        await console.until(lambda: "New write key of production" in console.text())
        pilot.app.screen.query_one(Input).value = PASTED
        await console.press("enter")
        await opens(console, pilot, ConfirmName)
        await console.press(*"prod", "enter")
        assert "that is not production" in console.text()
        assert key_now(console) == OLD
        await console.press(*"uction", "enter")
        await opens(console, pilot, GuideForm)
    assert key_now(console) == PASTED
    assert workspace_api.asked == []


async def test_a_stop_while_segment_makes_the_key_says_what_is_not_known(console, workspace):
    started, ended = asyncio.Event(), asyncio.Event()

    async def make_key(*_):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    console.setup = setup_services()._replace(make_key=make_key)
    async with console.running() as pilot:
        await console.press("1", "r")
        await opens(console, pilot, LinePicker)
        await console.press("enter")
        await opens(console, pilot, Confirm)
        await console.press("y")
        await started.wait()
        await opens(console, pilot, ProgressScreen)
        await console.press("escape")
        await console.until(
            lambda: any("whether Segment made a new one is not known" in one for one in console.notices())
        )
        assert any(PLACE in one for one in console.notices())
        assert ended.is_set()
    assert key_now(console) == OLD


async def test_a_config_that_changed_meanwhile_stays_and_the_new_key_is_named(console, workspace):
    async with console.running() as pilot:
        await console.press("1", "r")
        await opens(console, pilot, LinePicker)
        await console.press("enter")
        await opens(console, pilot, Confirm)
        save_environment(console.paths, "production", {"endpoint": "eu"})
        await console.press("y")
        await console.until(lambda: any("production keeps its key: the new one, " in one for one in console.notices()))
        (made,) = set(keys_of(workspace)) - {OLD}
        assert any(mask(made) in one and "--paste takes it" in one for one in console.notices())
    assert key_now(console) == OLD


async def test_a_stored_key_is_not_called_lost_where_the_journal_fails_afterwards(console, workspace, monkeypatch):
    async with console.running() as pilot:
        session = pilot.app.session
        reload = session.reload

        async def reload_and_fail(settings):
            await reload(settings)
            raise JournalError("the journal is locked")

        monkeypatch.setattr(session, "reload", reload_and_fail)
        await console.press("1", "r")
        await opens(console, pilot, LinePicker)
        await console.press("enter")
        await opens(console, pilot, Confirm)
        await console.press("y")
        await opens(console, pilot, GuideForm)
        assert "the key is stored, but the journal is locked" in console.notices()
        assert not any("keeps its key" in one for one in console.notices())
    assert keys_of(workspace) == [OLD, key_now(console)]


@pytest.mark.parametrize(
    ("permissions", "said"),
    [({"read_only": True}, "read-only"), ({"config": False}, "the demo has a config of its own")],
)
async def test_where_nothing_may_change_the_reason_is_shown(console, workspace, permissions, said):
    async with console.running(**permissions) as pilot:
        await console.press("1", "r")
        assert any(one.startswith("rotate key: ") and said in one for one in console.notices())
        assert len(pilot.app.screen_stack) == 1
    assert workspace.asked == []


async def test_a_key_from_elsewhere_and_none_at_all_are_not_rotated(console, workspace, monkeypatch):
    monkeypatch.setenv("SPRIG_TUI_WRITE_KEY_PRODUCTION", OLD)
    async with console.running() as pilot:
        await console.press("1", "r")
        await console.until(lambda: any("which sprig-tui cannot write" in one for one in console.notices()))
        assert any("Generate New Key" in one for one in console.notices())
        await console.press("j", "r")
        assert "development has no write key: press a to add one" in console.notices()
        assert len(pilot.app.screen_stack) == 1
    assert workspace.asked == []


async def test_a_key_in_the_keyring_is_replaced_there_and_used_at_once(console, workspace, tmp_path):
    entry = new_entry(console.paths.config_file, "production", "write_key")
    console.write(
        f'[segment]\npublic_api_token = "{workspace_lookalike.TOKEN}"\nregion = "{workspace.url}"\n'
        f'[environments.production]\nwrite_key_keyring = "{entry.entry}"\nprotected = false\n'
    )
    process_secrets.clear()
    process_secrets.require()
    console.load_settings = lambda paths: process_secrets.reread(load_settings(paths))
    try:
        with file_keyring(tmp_path) as keyring:
            keyring.set_password(entry.service, entry.user, OLD)
            async with console.running() as pilot:
                await console.press("1", "r")
                await opens(console, pilot, LinePicker)
                await console.press("enter")
                await opens(console, pilot, Confirm)
                assert f"- production is switched to it in the {entry.label}" in words(pilot)
                await console.press("y")
                await opens(console, pilot, GuideForm)
                assert ": what else runs asks the keyring again when it is started again" in words(pilot)
                made = keyring.get_password(entry.service, entry.user)
                assert keys_of(workspace) == [OLD, made]
                assert pilot.app.session.settings.environment("production").write_key.reveal() == made
            assert console.config()["environments"]["production"]["write_key_keyring"] == entry.entry
    finally:
        process_secrets.clear()
