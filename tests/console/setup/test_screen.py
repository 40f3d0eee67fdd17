"""Set-up screen against the look-alike of a workspace: what it shows, what its keys do, and what it never does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.workspace_lookalike import DEVELOPMENT_KEY, MEMBER_TOKEN, TOKEN, WorkspaceLookalike
from textual.widgets import Input

from sprig_tui.cli.setup_services import setup_services
from sprig_tui.config.secret_reader import SecretReader
from sprig_tui.config.settings import load_settings
from sprig_tui.console import lifecycle
from sprig_tui.console.environments.key_form import KeyForm
from sprig_tui.console.environments.send_test_event import SendTestEventScreen
from sprig_tui.console.reconcile.screen import ReconcileScreen
from sprig_tui.console.screens.explain import ExplainScreen
from sprig_tui.console.setup.dialogs import ActionPicker, FindingPicker, GuideForm
from sprig_tui.console.setup.screen import SetupScreen
from sprig_tui.console.setup.secret_form import SecretForm
from sprig_tui.console.setup.webhook_form import WebhookForm
from sprig_tui.console.widgets.dialogs import Confirm, Prompt
from sprig_tui.ingest import EntryBuilder
from sprig_tui.ingest.test_event import make_test_event
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.segment.sink.messages import SinkReply
from sprig_tui.setup.model import ActionKind, StepKind
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.records import Origin

SAMPLES = Path(__file__).parents[3] / "sample_payloads"
KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
WEBHOOK = (SAMPLES / "webhooks.jsonl").read_bytes().splitlines()[0].replace(b"Checkout effort", b"Checkout [/x]")
TEST_WEBHOOK = (SAMPLES / "webhook-test.json").read_bytes()


@pytest.fixture
def workspace() -> Iterator[WorkspaceLookalike]:
    with WorkspaceLookalike() as api:
        api.sources = []
        api.destinations = []
        yield api


@pytest.fixture
def guided(console, clock, workspace):
    """A console of a newcomer, whose Segment is the look-alike."""
    console.setup = setup_services()
    console.write(
        f'[segment]\nregion = "{workspace.url}"\n[environments.production]\nendpoint = "{workspace.url}"\n'
        f'[environments.development]\nendpoint = "{workspace.url}"\n'
    )
    console.paths.config_file.chmod(0o600)
    return console


async def opens(console, pilot, kind: type) -> None:
    await console.until(lambda: isinstance(pilot.app.screen, kind))
    await pilot.pause()


async def sees(console, text: str) -> None:
    """Wait for a text; looking at the whole screen is dear, so it is done ten times a second."""
    async with asyncio.timeout(20):
        while text not in console.text():  # noqa: ASYNC110 - a screen has no event for what it shows
            await asyncio.sleep(0.1)


def with_token(console, token: str) -> None:
    text = console.paths.config_file.read_text(encoding="utf-8")
    console.write(text.replace("[segment]\n", f'[segment]\npublic_api_token = "{token}"\n'))


async def shown(console, pilot) -> None:
    """The set-up screen with its steps."""
    await console.until(lambda: isinstance(pilot.app.screen, SetupScreen) and pilot.app.screen.steps.count == 7)
    await pilot.pause()


async def test_first_start_shows_what_is_to_do_and_escape_shows_the_panes(guided, snapshot):
    async with guided.running(size=(80, 24), guided=True) as pilot:
        await shown(guided, pilot)
        await snapshot(pilot, "set-up", sizes=[(80, 24), (120, 40)])
        await guided.press("escape")
        assert pilot.app.screen is pilot.app.main
        await guided.press("i")
        await shown(guided, pilot)
        assert (guided.paths.state_dir / "set-up").exists()

        # keys typed with the one that opens a dialog wait for it
        await pilot.resize_terminal(80, 24)
        pilot.app.screen.steps.cursor = 0
        await pilot.press("down", "enter", "q", "escape", "o", "escape", "right_square_bracket")
        await sees(guided, "Set-up ── development")
        assert len(pilot.app.screen_stack) == 2
        await guided.press("left_square_bracket")
        assert "Set-up ── production" in guided.text()
        await guided.press("escape")
        assert pilot.app.main.environments.selected == "production"


async def test_it_comes_by_itself_for_nobody_who_opens_a_file_or_only_looks(guided, tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text("{}\n", encoding="utf-8")
    async with guided.running(guided=True, files=(str(file),)) as pilot:
        await guided.until(lambda: "payload" in pilot.app.main.panes)
        assert pilot.app.screen is pilot.app.main
    async with guided.running(guided=True, read_only=True) as pilot:
        assert pilot.app.screen is pilot.app.main
        await guided.press("i")
        await shown(guided, pilot)
        await guided.press("enter")
        assert "read-only" in guided.notices()[-1]
        assert isinstance(pilot.app.screen, SetupScreen)


async def test_from_a_token_to_a_counted_event_in_a_source_that_is_made(guided, workspace):
    async with guided.running(guided=True, size=(80, 24)) as pilot:
        await shown(guided, pilot)
        await guided.press("enter")
        await opens(guided, pilot, SecretForm)
        field = pilot.app.screen.query_one(Input)
        field.value = TOKEN + "x"
        await guided.press("enter")
        await sees(guided, "enter again saves it anyway")
        assert "public_api_token" not in guided.config()["segment"]
        field.value = TOKEN
        await guided.press("enter")
        await sees(guided, "make a source")
        assert guided.config()["segment"]["public_api_token"] == TOKEN
        await sees(guided, "⏎  make a source")
        await guided.press("enter")
        await opens(guided, pilot, Confirm)
        assert "sprig-production" in guided.text()
        assert workspace.sources == []
        await guided.press("y")
        await sees(guided, "Sprig (Production) (HTTP API")
        assert guided.config()["environments"]["production"]["write_key"] == workspace.sources[0]["writeKeys"][0]
        pilot.app.screen.steps.cursor = 4
        await guided.press("enter")
        await guided.press("y")
        await opens(guided, pilot, SendTestEventScreen)
        await sees(guided, "Segment answered 200")
        await guided.press("enter")
        await sees(guided, "counted by Segment: 1")
        # where Segment counted before the screen looked, the cursor has gone on to the next step
        pilot.app.screen.steps.cursor = 4
        await guided.press("enter")
        await opens(guided, pilot, ReconcileScreen)
        await guided.until(lambda: not pilot.app.screen.is_asking)
        await guided.press("escape")
        assert isinstance(pilot.app.screen, SetupScreen)


async def test_taken_slug_asks_for_another_one(guided, workspace):
    workspace.set_faults("slug-taken=sprig-production")
    with_token(guided, TOKEN)
    async with guided.running(guided=True, size=(80, 24)) as pilot:
        await shown(guided, pilot)
        # before Segment has answered: what the step needs is known only then
        await guided.press("enter")
        await opens(guided, pilot, Confirm)
        await guided.press("y")
        await opens(guided, pilot, Prompt)
        assert "sprig-production" in guided.text()
        pilot.app.screen.query_one(Input).value = "sprig-answers"
        await guided.press("enter")
        await opens(guided, pilot, Confirm)
        await guided.press("y")
        await guided.until(lambda: "write_key" in guided.config()["environments"]["production"])
        assert [source["slug"] for source in workspace.sources] == ["sprig-answers"]


async def test_missing_permission_is_told_and_nothing_is_saved(guided):
    with_token(guided, MEMBER_TOKEN)
    async with guided.running(guided=True, size=(80, 24)) as pilot:
        await shown(guided, pilot)
        await guided.press("o")
        await opens(guided, pilot, ActionPicker)
        picker = pilot.app.screen
        picker.lines.cursor = [action.value for action in picker.actions].index("create-source")
        await guided.press("enter")
        await opens(guided, pilot, Confirm)
        await guided.press("y")
        await guided.until(lambda: any("no source was made" in notice for notice in guided.notices()))
        assert "write_key" not in guided.config()["environments"]["production"]


async def test_without_a_token_a_key_is_pasted(guided):
    async with guided.running(guided=True, size=(80, 24)) as pilot:
        await shown(guided, pilot)
        await guided.press("down", "enter")
        await opens(guided, pilot, KeyForm)
        # whoever has no source yet is told how to make one
        assert "choose HTTP API, then Next," in guided.text()
        pilot.app.screen.query_one(Input).value = KEY
        await guided.press("enter")
        # the next step is chosen once this one is done
        await sees(guided, "⏎  open a file of answers")
        assert "Zq8T…E1Rk, in the config" in guided.text()
        pilot.app.clear_notifications()  # one stands at the other end of the list than its cursor
        await sees(guided, "cannot be known without a token")
        # a long step is wrapped beside its scroll bar, not behind it
        pilot.app.screen.steps.choose(StepKind.GOING_LIVE)
        await sees(guided, "backed up by journal backup")
        await pilot.pause()
        assert "whether a timer starts" in guided.text()
        assert "\n│one " not in guided.text()
        await guided.press("y")
        await guided.until(lambda: any("the command" in notice for notice in guided.notices()))


async def test_a_key_stored_beside_a_command_that_fails_is_not_said_to_be_in_use(guided):
    text = guided.paths.config_file.read_text(encoding="utf-8")
    text = text.replace("[segment]\n", '[segment]\npublic_api_token_command = ["false"]\n')
    guided.write(
        text.replace("[environments.production]\n", '[environments.production]\nwrite_key_command = ["false"]\n')
    )
    reader = SecretReader()
    reader.require()
    reader.read(load_settings(guided.paths))
    guided.load_settings = lambda paths: reader.reread(load_settings(paths))
    async with guided.running(guided=True, size=(80, 24)) as pilot:
        await shown(guided, pilot)
        await sees(guided, "let the place that the config names give")
        assert "cannot be read: command false" in guided.text()
        await guided.press("o")
        await opens(guided, pilot, ActionPicker)
        await guided.press("down", "enter")
        await opens(guided, pilot, KeyForm)
        assert "write_key_command of the config takes precedence" in guided.text()
        pilot.app.screen.query_one(Input).value = KEY
        await guided.press("enter")
        await guided.until(lambda: any("saved, but production has no key" in one for one in guided.notices()))
        await shown(guided, pilot)
        pilot.app.screen.steps.choose(StepKind.DESTINATIONS)
        await guided.press("o")
        await opens(guided, pilot, ActionPicker)
        await guided.press("down", "enter")
        await opens(guided, pilot, SecretForm)
        pilot.app.screen.query_one(Input).value = TOKEN
        await guided.press("enter")
        await guided.until(lambda: any("saved, but there is no token" in one for one in guided.notices()))


async def test_key_of_sprigs_api_is_tried_before_it_is_saved(guided, sprig_api, sprig_api_key):
    text = guided.paths.config_file.read_text(encoding="utf-8")
    guided.write(f'[sprig]\napi_url = "{sprig_api.url}"\n{text}')
    async with guided.running(guided=True, size=(80, 24)) as pilot:
        await shown(guided, pilot)
        pilot.app.screen.steps.cursor = 2
        await guided.press("o")
        await opens(guided, pilot, ActionPicker)
        kinds = list(pilot.app.screen.actions)
        await guided.press(*["down"] * kinds.index(ActionKind.STORE_SPRIG_KEY), "enter")
        await opens(guided, pilot, SecretForm)
        field = pilot.app.screen.query_one(Input)
        field.value = "spk_that_sprig_does_not_know"
        await guided.press("enter")
        await sees(guided, "rejects this key (403)")
        field.value = sprig_api_key
        await guided.press("enter")
        await guided.until(lambda: any(f"{sprig_api.url} accepts it" in notice for notice in guided.notices()))
    assert guided.config()["environments"]["production"]["sprig_api_key"] == sprig_api_key


async def test_webhook_token_is_shown_once_and_the_first_webhook_is_seen_as_it_comes(guided, clock):
    async with guided.running(guided=True, size=(80, 24)) as pilot:
        await shown(guided, pilot)
        pilot.app.screen.steps.cursor = 2
        await guided.press("o")
        await opens(guided, pilot, ActionPicker)
        await guided.press("down", "enter")
        await opens(guided, pilot, WebhookForm)
        token = guided.config()["environments"]["production"]["webhook_token"]
        assert token in guided.text()
        assert "https://YOUR.HOST/webhooks/production" in guided.text()
        assert "http://127.0.0.1:8722" in guided.text()
        await guided.press("t")
        await guided.until(lambda: any("the token" in notice for notice in guided.notices()))
        copies = guided.paths.state_dir.glob("clipboard*")
        assert not any(token in file.read_text(encoding="utf-8") for file in copies)
        await guided.press("escape")
        await sees(guided, "no listen runs")
        assert token not in guided.text()
        await guided.press("enter")
        await opens(guided, pilot, GuideForm)
        assert "sprig-tui listen" in guided.text()
        await guided.press("enter")
        settings = pilot.app.session.settings
        builder = EntryBuilder(settings.rules, settings.environments, "production")
        async with SQLiteJournal(guided.paths.journal_file) as other:
            for body, name in ((TEST_WEBHOOK, "Test Webhook"), (WEBHOOK, "Checkout [/x]")):
                await other.add([builder.entry(one) for one in parse_document(body, Origin("webhook"))])
                await sees(guided, f", {name}")
        pilot.app.screen.steps.cursor = 2
        await guided.press("enter")
        await opens(guided, pilot, Confirm)
        assert "QmK7x2dTfa" in guided.text()
        await guided.press("y")
        await sees(guided, "Sprig         done")
        assert guided.config()["environments"]["production"]["sprig_environment_id"] == "QmK7x2dTfa"


async def test_a_tiny_terminal_shows_it(guided):
    async with guided.running(guided=True, size=(40, 10), engine=False) as pilot:
        await shown(guided, pilot)
        await guided.press("end", "pagedown", "home", "r", "o")
        await opens(guided, pilot, ActionPicker)
        await guided.press("escape", "question_mark", "escape")
        assert isinstance(pilot.app.screen, SetupScreen)
        # the chosen step stays in view when the terminal shrinks
        await pilot.resize_terminal(80, 24)
        await guided.press("end")
        await pilot.resize_terminal(40, 10)
        await sees(guided, "7  Going live")


async def test_segment_is_asked_again_once_something_was_sent_and_no_more_after_closing(guided, workspace, clock):
    workspace.workspace.add_source("Sprig (Production)", KEY)
    workspace.workspace.add_source("Evil [/red]\x1b[2J\u202e", DEVELOPMENT_KEY)
    with_token(guided, TOKEN)
    guided.keys(production=KEY, development=DEVELOPMENT_KEY)
    async with guided.running(size=(80, 24)) as pilot:
        await guided.press("i")
        await shown(guided, pilot)
        # a hostile name is printed safely
        await sees(guided, "Evil [/red]")
        assert "\x1b" not in guided.text()
        await guided.press("left_square_bracket")
        await sees(guided, "Sprig (Production) (HTTP API")
        await guided.until(lambda: not pilot.app.screen.is_asking)
        pilot.app.screen._asked_at = -1e9
        session = pilot.app.session
        await session.journal.add([make_test_event("production", session.clock.now())])
        session.engine.wake("production")
        await sees(guided, "counted by Segment: 1")

        screen = pilot.app.screen
        workspace.problems = [SinkReply(ending="hang")] * 9
        await guided.press("r")
        assert screen.is_asking
        await guided.press("escape")
        await guided.until(lambda: not screen.is_asking)
        assert not [worker for worker in pilot.app.workers if worker.group.startswith("setup-")]


async def test_what_is_not_wanted_is_accepted_and_known_after_the_config_and_the_journal_are_lost(guided):
    async with guided.running(guided=True, size=(80, 24)) as pilot:
        await shown(guided, pilot)
        pilot.app.screen.steps.cursor = 6
        for way, code in (("accept", "alerts"), ("accept", "backup"), ("reopen", "backup")):
            await guided.press("o")
            await opens(guided, pilot, ActionPicker)
            picker = pilot.app.screen
            picker.lines.cursor = [action.value for action in picker.actions].index(way)
            await guided.press("enter")
            await opens(guided, pilot, FindingPicker)
            findings = pilot.app.screen
            findings.lines.cursor = next(n for n in range(9) if f" {code}:" in findings.lines.line(n)[0].text)
            await guided.press("enter")
            await guided.until(lambda: isinstance(pilot.app.screen, SetupScreen))
            accepted = guided.config()["environments"]["production"]["setup_accepted"]
            assert (code in accepted) is (way == "accept")
        await sees(guided, "✓ accepted in the config: nothing has read /metrics")

        # a lost journal or config is said, and what was known stays
        guided.write("broken [")
        await guided.until(lambda: any("not valid TOML" in notice for notice in guided.notices()))
        pilot.app.clear_notifications()
        await guided.until(lambda: "not valid TOML" in str(pilot.app.screen.query_one(".setup-notice").render()))
        guided.paths.journal_file.rename(guided.paths.journal_file.with_suffix(".moved"))
        await sees(guided, "the journal is not open")
        assert "Write Key" in guided.text()


async def test_what_did_not_arrive_is_explained(guided):
    async with guided.running(guided=True, size=(80, 24), engine=False) as pilot:
        await shown(guided, pilot)
        session = pilot.app.session
        await session.journal.add([make_test_event("production", session.clock.now())])
        await sees(guided, "the test event is queued")
        pilot.app.screen.steps.cursor = 4
        await guided.press("enter")
        await opens(guided, pilot, ExplainScreen)
        await guided.press("escape")
        assert isinstance(pilot.app.screen, SetupScreen)


async def test_a_first_start_whose_journal_opens_late_shows_it_then(guided, monkeypatch):
    monkeypatch.setattr(lifecycle, "JOURNAL_OPEN_TIMEOUT_S", 0.01)
    opens_now = asyncio.Event()

    class LateJournal(SQLiteJournal):
        async def open(self) -> None:
            await opens_now.wait()
            await super().open()

    guided.journal_class = LateJournal
    async with guided.running(guided=True, ready=False, size=(80, 24)) as pilot:
        await guided.until(lambda: "payload" in pilot.app.main.panes)
        await guided.press("question_mark", "escape")
        assert pilot.app.screen is pilot.app.main
        opens_now.set()
        await shown(guided, pilot)
