"""Every screen and dialog at every size, on the real console with a journal that holds all states."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from sprig_tui.config.settings import Settings
from sprig_tui.console.deliveries.detail import DetailScreen
from sprig_tui.console.environments.send_test_event import SendTestEventScreen
from sprig_tui.console.environments.source_picker import SourceForm, SourceList
from sprig_tui.console.screens.progress import ProgressScreen
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.records import Attempt, NewDelivery, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.segment.public_api_models import Source

from .conftest import SNAPSHOTS
from .screen_snapshot import PICTURES, colours_of, text_of

ROOT = Path(__file__).parents[2]
SIZES = [(80, 24), (120, 40), (200, 60)]
CONFIG = """\
[environments.production]
write_key = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
sprig_environment_id = "QmK7x2dTfa"
[environments.development]
write_key = "Bb7UanotherMadeUpKeyOfThirty2c9Q"
requests_per_second = 5
endpoint = "eu"
"""
Journey = Callable[["Walk"], Awaitable[None]]


class Walk:
    """What a journey through the console needs."""

    def __init__(self, console, pilot: Pilot[int], ids: dict[str, int]) -> None:
        self.console, self.pilot, self.ids = console, pilot, ids
        self.app = pilot.app
        self.press, self.until = console.press, console.until

    async def select(self, name: str) -> None:
        """In the log."""
        log = self.app.main.deliveries
        await self.press("3")
        log.lines.go_to(self.ids[name])
        await self.until(lambda: self.app.main.payload.detail is not None)
        await self.until(lambda: self.app.main.payload.detail.delivery.id == self.ids[name])

    async def sees(self, text: str) -> None:
        try:
            await self.until(lambda: text in self.console.text())
        except TimeoutError:
            raise AssertionError(f"{text!r} is not in\n{self.console.text()}") from None

    async def detail(self, name: str) -> None:
        await self.select(name)
        await self.press("enter")
        await self.until(lambda: isinstance(self.app.screen, DetailScreen) and self.app.screen.detail is not None)


def configure(console) -> None:
    """Two environments; production was selected when the console was closed last."""
    console.write(CONFIG)
    console.paths.config_file.chmod(0o600)
    console.paths.state_dir.mkdir(exist_ok=True)
    (console.paths.state_dir / "console.json").write_text('{"version": 1, "environment": "production"}')


def entry(number: int, environment: str = "production", **fields) -> NewDelivery:
    default = {
        "environment": environment,
        "message_id": f"sprig-{number:032x}",
        "digest": b"\x00" * 8,
        "survey_id": "5120",
        "survey_name": "Checkout effort",
        "user_id": f"acct_{number}",
        "question_type": "LIKERT",
        "answer": "4",
        "answered_at": 1_789_990_000_000,
        "source": "answers.jsonl",
        "line": number,
        "raw": b'{"responseGroupId":"g","question":"How easy?","questionType":"LIKERT","response":4,"userId":"acct_1"}',
        "body": b'{"messageId":"sprig-%032x","event":"SDK - Submitted","properties":{"response":4}}' % number,
    }
    return NewDelivery(**{**default, **fields})


async def settle(journal, clock, environment: str, state: State, status: int, **fields) -> None:
    claim = await journal.claim(ClaimRequest(environment, events=100, payload_bytes=475_000, lease_ms=60_000))
    attempt = Attempt(
        started_at=clock.now(),
        status=status,
        outcome="delivered" if status == 200 else "refused",
        latency_ms=38,
        events=len(claim.ids),
        body_bytes=812,
        excerpt='{"success":true}' if status == 200 else '{"error":"[/bold]\x1b[2J"}',
    )
    await journal.settle(claim, [Settlement(ids=claim.ids, state=state, attempt=attempt, **fields)])


@pytest.fixture
async def ids(console, clock) -> dict[str, int]:
    """Deliveries of each kind, by what they are."""
    found: dict[str, int] = {}
    async with SQLiteJournal(console.paths.journal_file, clock=clock) as journal:

        async def add(name: str, given: NewDelivery) -> None:
            (added,) = await journal.add([given])
            found[name] = added.id
            clock.advance(1)

        await add("delivered", entry(1))
        await settle(journal, clock, "production", State.DELIVERED, 200)
        await add("failed", entry(2, survey_name="日本語 [b]NPS[/b]", question_type="NPS", answer="9"))
        await settle(journal, clock, "production", State.FAILED, 400, error="invalid_request: bad userId")
        await add("elsewhere", entry(3, "development"))
        await settle(journal, clock, "development", State.DELIVERED, 200)
        await add("anonymous", entry(4, question_type="OPEN", answer="Slow…", user_id="", reason="anonymous"))
        await add("duplicate", entry(1, digest=b"1" * 8, updated_at=9, answer="2"))
        (again,) = await journal.requeue([found["failed"]], as_new=True)
        found["again"] = again.id
        await add("queued", entry(5, edited=True))
    clock.advance(90)
    return found


async def nothing(walk: Walk) -> None:
    await walk.select("failed")


def keys(*pressed: str, sees: str, select: str = "delivered") -> Journey:
    async def go(walk: Walk) -> None:
        await walk.select(select)
        await walk.press(*pressed)
        await walk.sees(sees)

    return go


def at(pane: str) -> Journey:
    async def go(walk: Walk) -> None:
        await walk.select("failed")
        await walk.press(pane)

    return go


def of_file(*pressed: str, sees: str) -> Journey:
    async def go(walk: Walk) -> None:
        walk.app.main.payload.show_file("sample_payloads/trouble-markup.jsonl")
        await walk.until(lambda: walk.app.main.payload.navigator.browser is not None)
        await walk.until(lambda: walk.app.main.payload.navigator.browser.file.complete)
        await walk.press("2", *pressed)
        await walk.sees(sees)

    return go


async def detail_of_an_origin(walk: Walk) -> None:
    await walk.detail("failed")
    await walk.sees("made of it")


async def help_of_detail(walk: Walk) -> None:
    await walk.detail("delivered")
    await walk.press("question_mark")
    await walk.sees("Help: Detail")


async def palette(walk: Walk) -> None:
    await walk.select("failed")
    await walk.press("ctrl+p", *"replay")
    await walk.sees("Deliveries: Replay")
    await walk.pilot.pause(0.5)


async def a_key_that_is_off(walk: Walk) -> None:
    await walk.press("1", "a", *'"abc def', "enter")
    await walk.sees("there are spaces inside")


async def trial(walk: Walk) -> None:
    core = walk.app.session
    await walk.app.push_screen(
        SendTestEventScreen(core, core.settings.environment("development"), walk.ids["elsewhere"])
    )
    await walk.sees("Segment answered 200")


async def open_file(walk: Walk) -> None:
    await walk.press("2", "o")
    field = walk.app.screen.query_one(Input)
    field.value = "sample_payloads/"
    # it was at the end of where the checkout lies
    field.cursor_position = len(field.value)
    await walk.sees("export.csv")


async def sources(walk: Walk) -> None:
    async def listing(_: Settings) -> tuple[Source, ...]:
        key = ("Zq8TinventedKeyOfThirtyTwoChE1Rk",)
        return (
            Source(id="a", slug="sprig-web", name="Web (prod) [/x]", enabled=True, write_keys=key, labels=()),
            Source(id="b", slug="dev", name="Acme dev", enabled=False, write_keys=(), labels=()),
        )

    await walk.app.push_screen(SourceForm("production", SourceList(walk.app.session.settings, listing)))
    await walk.sees("Acme dev")


async def bulk(walk: Walk) -> None:
    async def work(progress) -> None:
        progress.text = "sent 1,204 of 5,000\n3 failed, 41 withheld"
        await asyncio.Event().wait()

    await walk.app.push_screen(ProgressScreen("Sending answers.jsonl to Development", work))
    await walk.sees("1,204 of 5,000")


async def journal_lost(walk: Walk) -> None:
    await walk.select("failed")
    walk.app.session._set_state(
        "the journal was moved or deleted: put it back, or press J to begin a new one; it was /home/mira/journal.db"
    )
    await walk.sees("mira/journal.db")  # the line in the log; the one at the top, which is cut, comes before it


async def workers(walk: Walk) -> None:
    await walk.select("failed")
    await walk.press("L")
    await walk.sees("no worker")


SCREENS: dict[str, Journey] = {
    "console": nothing,
    "console-at-environments": at("1"),
    "console-at-payload": at("2"),
    "zoomed": keys("z", sees="Deliveries"),
    "marked-and-filtered": keys("slash", *"-status:queued", "enter", "g", "space", "space", sees="2 marked"),
    "filter-that-matches-nothing": keys("slash", *"user:nobody", "enter", sees="nothing matches this filter"),
    "detail-with-relatives": detail_of_an_origin,
    "help-payload": keys("2", "question_mark", sees="Help: Payload"),
    "help-deliveries": keys("question_mark", sees="Help: Deliveries"),
    "help-detail": help_of_detail,
    "palette": palette,
    "add-key": a_key_that_is_off,
    "edit-environment": keys("1", "e", sees="Requests per second"),
    "new-environment": keys("1", "n", sees="New environment"),
    "remove-key": keys("1", "x", sees="Type production"),
    "test-event": trial,
    "sources": sources,
    "replay-one": keys("r", sees="Replay this delivery?"),
    "replay-filter": keys("R", sees="Type production"),
    "as-new": keys("w", select="elsewhere", sees="twice"),
    "export": keys("e", sees="Export"),
    "bulk-send": bulk,
    "open-file": open_file,
    "go-to-record": of_file("ctrl+g", sees="Go to record"),
    "file": of_file(sees="trouble-markup.jsonl"),
    "send-file": of_file("S", sees="Send"),
    "workers": workers,
    "journal-lost": journal_lost,
}


MOUNTED_AT_EACH_SIZE = (
    "open-file",
    "detail-with-relatives",
    "help-payload",
    "help-deliveries",
    "help-detail",
)
"""Scenes with a scrollbar, a list whose height decides about the dialog's, or a line that a resize places anew."""

RESIZED_TO_AND_FRO = ("journal-lost", "sources")
"""Scenes with a line that only narrow screens have, and with a list whose lines are as wide as the screen lets them."""


@pytest.mark.parametrize("name", SCREENS)
async def test_screens(console, clock, ids, snapshot, monkeypatch, name):
    monkeypatch.chdir(ROOT)
    for sizes in [[size] for size in SIZES] if name in MOUNTED_AT_EACH_SIZE else [SIZES]:
        configure(console)
        async with console.running(size=sizes[0], clock=clock, engine=False) as pilot:
            await console.until(lambda shown=pilot: shown.app.main.payload.detail is not None)
            await SCREENS[name](Walk(console, pilot, ids))
            await pilot.pause()
            await snapshot(pilot, name, sizes=sizes)
            if name in RESIZED_TO_AND_FRO:
                # what was right once may have been so by the time of the poll
                await snapshot(pilot, name, sizes=2 * (SIZES[::-1] + SIZES[1:]))


async def test_a_console_that_cannot_send(console, clock, ids, snapshot):
    configure(console)
    async with console.running(clock=clock, read_only=True) as pilot:
        await Walk(console, pilot, ids).select("failed")
        await snapshot(pilot, "read-only")


async def test_no_color_and_light_theme_show_the_same_text(console, clock, ids, monkeypatch):
    texts, colours = {}, {}
    for look, environ, theme in (
        ("dark", {}, "sprig"),
        ("light", {}, "sprig-light"),
        ("grey", {"NO_COLOR": "1"}, "sprig"),
    ):
        configure(console)
        console.write(f'{CONFIG}[console]\ntheme = "{theme}"\n')
        with monkeypatch.context() as patched:
            for variable, value in environ.items():
                patched.setenv(variable, value)
            async with console.running(clock=clock, engine=False) as pilot:
                await Walk(console, pilot, ids).select("failed")
                texts[look], colours[look] = text_of(pilot.app), colours_of(pilot.app)
    assert texts["light"] == texts["grey"] == texts["dark"]
    assert all(is_grey(color) for color in colours["grey"])


def is_grey(color: str) -> bool:
    return len({color[1:3], color[3:5], color[5:7]}) == 1


def test_every_picture_belongs_to_a_scene():
    assert {file.stem for file in SNAPSHOTS.glob("*.html")} == PICTURES
