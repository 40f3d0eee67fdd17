"""Screen that explains a delivery, opened from Payload and from the detail screen."""

from __future__ import annotations

import asyncio

import pytest

from sprig_tui.console.screens.explain import ExplainScreen
from sprig_tui.errors import SprigTuiError
from sprig_tui.explain.model import Answer, Check, Line, Obstacle, Origin
from sprig_tui.journal.base import Journal
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.records import Attempt, NewDelivery, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal

CONFIG = '[environments.production]\nwrite_key = "Zq8TinventedKeyOfThirtyTwoChE1Rk"\n'
TOKEN = '[segment]\npublic_api_token = "sgp_madeUpTokenOfTheWorkspace"\n'
HOSTILE = "[/red]Amp\x1b[2J\u202elitude"
NEEDED = "it needs a token of Segment's Public API: sprig-tui keys workspace"
LATE = 1_790_000_000_000 - 90_000_000
FINDINGS = [
    Line(check=Check.TAKEN, answer=Answer.YES, evidence="1 attempt, answered 200 at 14:13:20", at=1_790_000_000_000),
    Line(check=Check.KEY, answer=Answer.YES, subject="Web", source=Origin.PUBLIC_API, at=1_790_000_000_000),
    Line(
        check=Check.PLAN,
        answer=Answer.NO,
        evidence="properties.response: 5 is more than 4; " * 6,
        why="the source blocks what breaks its plan",
        source=Origin.PUBLIC_API,
        at=LATE,
    ),
    Line(check=Check.DESTINATION_ENABLED, answer=Answer.YES, subject=HOSTILE, evidence="[/x]\x9b31m", at=LATE),
    Line(
        check=Check.FILTERS,
        answer=Answer.UNKNOWN,
        subject=HOSTILE,
        why="only on request: the payload would leave",
        obstacle=Obstacle.NOT_ASKED,
        at=LATE,
    ),
    Line(check=Check.MAPPINGS, answer=Answer.UNKNOWN, subject=HOSTILE, why=NEEDED, at=LATE),
    Line(check=Check.PROFILE, answer=Answer.UNKNOWN, why=NEEDED, at=LATE),
]


class Segment:
    """What is explained, a line at a time; `held` stops it after the second line."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, bool]] = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.closed = 0
        self.error: SprigTuiError | None = None
        self.journal: Journal | None = None

    async def explain(self, _settings, journal, detail, send_payload, on_wait):
        self.journal = journal
        self.asked.append((detail.delivery.id, send_payload))
        try:
            for number, line in enumerate(FINDINGS):
                if number == 2:
                    on_wait("Segment asks to wait 2 s")
                    await self.go_on.wait()
                    if self.error:
                        raise self.error
                yield line
        finally:
            self.closed += 1


@pytest.fixture
async def segment(console, clock) -> Segment:
    """A console with a delivery that Segment took, and one that is queued."""
    console.write(CONFIG + TOKEN)
    console.paths.config_file.chmod(0o600)
    async with SQLiteJournal(console.paths.journal_file, clock=clock) as journal:
        body = b'{"messageId":"sprig-1","event":"SDK - Submitted","properties":{"response":5}}'
        given = NewDelivery("production", "sprig-1", survey_name="Checkout [/b]", user_id="acct_1", raw=body, body=body)
        await journal.add([given])
        claim = await journal.claim(ClaimRequest("production", events=1, payload_bytes=99_999, lease_ms=60_000))
        attempt = Attempt(started_at=clock.now(), status=200, outcome="delivered", latency_ms=38, events=1)
        await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED, attempt=attempt)])
        await journal.add([NewDelivery("production", "sprig-2", raw=body, body=body)])
    one = Segment()
    console.explain = one.explain
    return one


async def open_from_payload(console, pilot) -> None:
    await console.press("3", "home")
    await console.until(lambda: pilot.app.main.payload.detail is not None)
    await console.press("2", "E")
    await console.until(lambda: isinstance(pilot.app.screen, ExplainScreen))


async def test_each_line_has_its_answer_and_where_it_is_from(console, clock, segment, snapshot):
    async with console.running(clock=clock, engine=False, size=(80, 24)) as pilot:
        await open_from_payload(console, pilot)
        await console.until(lambda: "user's profile" in console.text() or pilot.app.screen.lines.count > 15)
        assert segment.asked == [(1, False)]
        assert segment.journal is pilot.app.session.journal, "counts are held against it"
        await snapshot(pilot, "explain", sizes=[(80, 24), (120, 40)])


async def test_a_config_without_its_token_is_used_below_the_screen_once_its_end_is_confirmed(console, clock, segment):
    async with console.running(clock=clock, engine=False, size=(80, 24)) as pilot:
        await open_from_payload(console, pilot)
        assert pilot.app.session.settings.workspace.token is not None
        console.write(CONFIG)  # as a file that was cut off after its first table
        await console.until(lambda: any("breaks off, or its end was deleted" in said for said in console.notices()))
        assert "SIGHUP" not in console.notices()[-1], "it ends a console"
        assert "leave the console and open it again, or add a comment" in console.notices()[-1]
        assert pilot.app.session.settings.workspace.token is not None
        console.write(f"{CONFIG}# no token on this machine\n")
        await console.until(lambda: pilot.app.session.settings.workspace.token is None)
        assert isinstance(pilot.app.screen, ExplainScreen)


async def test_lines_come_one_by_one_while_keys_work_and_closing_asks_no_more(console, clock, segment):
    segment.go_on.clear()
    async with console.running(clock=clock, engine=False, size=(80, 24)) as pilot:
        await open_from_payload(console, pilot)
        await console.until(lambda: "belongs to a source of the workspace: yes" in console.text())
        assert "Segment asks to wait 2 s" in console.text()
        assert "tracking plan" not in console.text()
        await console.press("r")
        assert console.notices()[-1] == "it is being asked"
        await console.press("down", "q")
        assert not isinstance(pilot.app.screen, ExplainScreen)
        await console.until(lambda: segment.closed == 1)
        segment.go_on.set()
        await console.press("3", "enter")
        await console.until(lambda: "delivery 1" in console.text() and pilot.app.screen is not pilot.app.main)
        await console.press("E")
        await console.until(lambda: "user's profile: cannot be known" in console.text())
        await console.press("escape")
        assert "attempt" in console.text()
        assert pilot.app.screen is not pilot.app.main, "back on the detail screen"


async def test_payload_leaves_only_after_a_yes(console, clock, segment):
    async with console.running(clock=clock, engine=False, size=(80, 24)) as pilot:
        await open_from_payload(console, pilot)
        await console.press("f")
        await console.until(lambda: "Send this payload to Segment" in console.text())
        await console.press("enter")
        assert segment.asked == [(1, False)], "no is the default"
        await console.press("f", "y")
        await console.until(lambda: segment.asked == [(1, False), (1, True)])
        await console.press("y")
        await console.until(lambda: any("the explanation" in notice for notice in console.notices()))
        segment.error = SprigTuiError("Segment's Public API cannot be reached", hint="try again")
        await console.press("r")
        await console.until(lambda: "it was not explained to the end" in console.text())
        assert segment.asked[-1] == (1, False)


async def test_without_a_token_no_filter_is_asked_for(console, clock, segment):
    console.write(CONFIG)
    async with console.running(clock=clock, engine=False, size=(80, 24)) as pilot:
        await open_from_payload(console, pilot)
        await console.press("f")
        assert "sprig-tui keys workspace" in console.notices()[-1]
        assert segment.asked == [(1, False)]


async def test_read_only_console_explains_but_sends_no_payload(console, clock, segment):
    async with console.running(clock=clock, read_only=True, size=(80, 24)) as pilot:
        await open_from_payload(console, pilot)
        await console.press("f")
        assert "read-only" in console.notices()[-1]
        assert segment.asked == [(1, False)]


async def test_record_of_a_file_is_no_delivery(console, segment, tmp_path):
    file = tmp_path / "one.jsonl"
    file.write_text('{"responseGroupId":"g","question":"How?","questionType":"OPEN","response":"x","userId":"u"}\n')
    async with console.running(files=(str(file),), engine=False, ready=False) as pilot:
        await console.until(lambda: pilot.app.main.payload.inspection is not None)
        await console.press("2", "E")
        assert "no delivery of the log" in console.notices()[-1]
        assert segment.asked == []
