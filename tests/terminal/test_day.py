"""A day of more than twenty tasks with keys alone, in one session of one terminal, and the keys that each task takes.

The journal has last week's work: answers that arrived, that Segment rejected, and that have no user. The window becomes
the other one, of 120x40 and 80x24, where a task is done, so that half of the tasks are done in each.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from support.clocks import ManualClock
from support.records import make_flat_record

from sprig_tui.config.settings import load_settings
from sprig_tui.ingest import EntryBuilder
from sprig_tui.journal.base import Journal
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.records import Attempt, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.records import Origin

from .conftest import KEY, Home, Segment
from .terminal import ENTER, ESCAPE, F3, FULL, NARROW, Terminal

COUNTS = {
    "find why the answer of acct_88213 is missing": (4, 15),
    "repair three records of a file, and send them": (15, 32),
    "look at record 12 of the file": (2, 2),
    "hold the queue of Development": (3, 18),
    "send the whole file": (3, 0),
    "look at the held queue, and take it back": (4, 0),
    "resume the queue": (2, 0),
    "export last week's failures": (5, 33),
    "compare a changed answer with what was sent": (4, 8),
    "find the survey with most anonymous answers, and list them": (4, 0),
    "send again what Segment rejected": (4, 20),
    "open a record of the clipboard, and send it": (2, 0),
    "see where the last answer went": (4, 16),
    "have the ids in the log": (3, 0),
    "copy the call as curl": (2, 0),
    "forget a person": (5, 11),
    "send a test event to Development": (3, 0),
    "see the workers": (1, 0),
    "read what a tombstone is": (4, 15),
    "see how fast Segment answers": (2, 0),
    "use a saved filter": (2, 5),
    "go on where the day ended": (0, 0),
}
"""Keys that command something, and letters of typed texts, by task."""
LONG_TEXT = "the shipping form asked for my address again"


class Day:
    """A person at a terminal, who counts the keys of each task: (keys that command, letters of typed texts)."""

    def __init__(self, terminal: Terminal, home: Home, segment: Segment) -> None:
        self.screen = terminal
        self.home = home
        self.segment = segment
        self.counts: dict[str, tuple[int, int]] = {}
        self._keys = self._letters = 0

    @contextmanager
    def task(self, name: str) -> Iterator[Terminal]:
        """One task."""
        self._keys = self._letters = 0
        yield self.screen
        self.counts[name] = (self._keys, self._letters)
        self.screen.reshape(self.screen.other_size)
        self.screen.settle()

    def press(self, *keys: str) -> None:
        """Keys that command something."""
        self._keys += len(keys)
        self.screen.press(*keys)

    def type(self, text: str, then: str = ENTER) -> None:
        """A text, and the key that ends it."""
        self._letters += len(text)
        self._keys += 1
        self.screen.write(text)
        self.screen.press(then)

    def paste(self, text: str) -> None:
        """The keys that paste, whatever they are."""
        self._keys += 1
        self.screen.paste(text)


# -- last week ---------------------------------------------------------------------------------------------------------


def last_week_ms() -> int:
    """Wednesday noon of the week before this one, UTC."""
    today = dt.datetime.now(dt.UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    return int((today - dt.timedelta(days=today.weekday() + 5)).timestamp() * 1000)


async def take_in(journal: Journal, builder: EntryBuilder, records: list[dict[str, object]]) -> None:
    for record in records:
        raw = msgspec.json.encode(record)
        [read] = parse_document(raw, Origin("responses.jsonl"))
        await journal.add([builder.entry(read)])


async def answer(journal: Journal, clock: ManualClock, url: str, status: int, error: str = "") -> None:
    """Every queued delivery is answered with this status."""
    request = ClaimRequest("production", events=2_500, payload_bytes=10_000_000, lease_ms=60_000)
    claim = await journal.claim(request)
    taken = status == 200
    attempt = Attempt(
        started_at=clock.now(),
        status=status,
        latency_ms=84.0,
        outcome="delivered" if taken else "refused",
        events=len(claim.ids),
        endpoint=url,
        error=error,
    )
    state = State.DELIVERED if taken else State.FAILED
    await journal.settle(claim, [Settlement(ids=claim.ids, state=state, attempt=attempt, error=error)])


async def write_last_week(home: Home, url: str) -> None:
    clock = ManualClock(last_week_ms())
    settings = load_settings(home.paths, {})
    builder = EntryBuilder(settings.rules, settings.environments, "production", clock=clock)
    async with SQLiteJournal(home.paths.journal_file, clock=clock) as journal:
        await take_in(journal, builder, [make_flat_record(number) for number in range(1, 9)])
        await answer(journal, clock, url, 200)
        clock.advance(3600)
        await take_in(
            journal,
            builder,
            [
                make_flat_record(number, question="What slowed you down?", questionType="OPEN", response=LONG_TEXT)
                for number in range(20, 25)
            ],
        )
        await answer(journal, clock, url, 400, "invalid_request")
        clock.advance(3600)
        nameless = {"userId": None, "surveyId": 5121, "surveyName": "Onboarding NPS", "questionType": "NPS"}
        await take_in(journal, builder, [make_flat_record(number, **nameless) for number in range(40, 46)])
        await take_in(journal, builder, [make_flat_record(50, userId=None)])
        await take_in(journal, builder, [make_flat_record(60, userId="acct_88213", environment="staging")])
        clock.ms = int(dt.datetime.now(dt.UTC).timestamp() * 1000) - 5_000
        await take_in(journal, builder, [make_flat_record(1, response=2, eventId="changed")])


def write_file(home: Home) -> Path:
    """Twelve answers; three of them have no user."""
    records = [make_flat_record(100 + number) for number in range(12)]
    for number in (3, 6, 10):
        records[number]["userId"] = None
    return home.file("answers.jsonl", "".join(json.dumps(record) + "\n" for record in records))


def test_day_of_tasks(home: Home, segment: Segment, terminal):
    home.write(
        f'[environments.production]\nwrite_key = "{KEY}"\nendpoint = "{segment.url}"\n'
        f'[environments.development]\nwrite_key = "{KEY[::-1]}"\nendpoint = "{segment.url}"\n'
        '[filters]\nlost = "status:withheld reason:anonymous"\n'
    )
    home.paths.config_file.chmod(0o600)
    asyncio.run(write_last_week(home, segment.url))
    write_file(home)
    day = Day(terminal(size=NARROW), home, segment)
    day.screen.shows("Deliveries ── 22")
    for task in TASKS:
        task(day)
    assert leave(day) == 0
    day.screen = terminal(size=FULL)
    with day.task("go on where the day ended") as screen:
        screen.shows("Deliveries ── /@lost ── 7 of 36", "id      time")
    screen.shows("Deliveries ── /@lost ── 7 of 36", "id      time")
    assert leave(day) == 0
    assert day.counts == COUNTS


def leave(day: Day) -> int:
    day.screen.press("q")
    return day.screen.leave()


def find_why_an_answer_is_missing(day: Day) -> None:
    with day.task("find why the answer of acct_88213 is missing") as screen:
        day.press("3", "/")
        day.type("user:acct_88213")
        screen.shows("1 of 22")
        day.press(ENTER)
        screen.shows("acct_88213", "staging")
    screen.press(ESCAPE)
    screen.shows("Deliveries ──")
    screen.press(ESCAPE)
    screen.shows("Deliveries ──", gone="1 of 22")


def repair_three_records(day: Day) -> None:
    with day.task("repair three records of a file, and send them") as screen:
        day.press("2", "o")
        screen.shows("Open a file or folder")
        day.type("answers.jsonl")
        screen.shows("answers.jsonl  1 of 12")
        day.press("!")
        for number in (4, 7, 11):
            screen.shows(f"{number} of 12")
            day.press("F")
            screen.shows("userId")
            day.type(f"acct_{number}")
            screen.shows(f"acct_{number}")
            day.press("s")
            if number < 11:
                day.press("n")
    screen.until(lambda: len(day.segment.events) == 3, "three repaired answers at Segment")


def withdraw_a_mistaken_send(day: Day) -> None:
    with day.task("hold the queue of Development") as screen:
        day.press("1", "p")
        screen.shows("Hold development?")
        day.type("before the mistake")
        screen.shows("held, nothing waits")
    with day.task("send the whole file") as screen:
        day.press("2", "S")
        screen.shows("y Send")
        day.press("y")
        screen.shows("queued 9")
    with day.task("look at the held queue, and take it back") as screen:
        day.press("1", "w")
        screen.shows("9 of 34")
        day.press("B")
        screen.shows("y Withdraw")
        day.press("y")
        screen.shows("queued 0")
    with day.task("resume the queue") as screen:
        day.press("1", "p")
        screen.shows("nothing queued", gone="p resumes")


def export_last_weeks_failures(day: Day) -> None:
    with day.task("export last week's failures") as screen:
        day.press("3", "/")
        day.type('status:failed arrived:"last week"')
        screen.shows("5 of 34")
        day.press("e")
        screen.shows("Export")
        day.press(ENTER)
        day.screen.until(lambda: list(day.home.folder.glob("*.jsonl")), "the exported file")
    screen.shows("Deliveries", gone="Export")


def compare_two_versions(day: Day) -> None:
    with day.task("compare a changed answer with what was sent") as screen:
        day.press("/")
        day.type("origin:1")
        screen.shows("1 of 34")
        day.press("2", "=")
        screen.shows("Delivery 22: - delivery 1, + this one", "- 4", "+ 2")
    day.screen.press(ESCAPE)
    screen.shows("Deliveries", gone="made of it")
    day.screen.press("3")


def survey_with_most_anonymous(day: Day) -> None:
    with day.task("find the survey with most anonymous answers, and list them") as screen:
        day.press("I")
        screen.shows("Insight")
        day.press("[", "d")
        screen.shows("Onboarding NPS")
        day.press(ENTER)
        screen.shows("6 of 34")


def replay_what_was_rejected(day: Day) -> None:
    with day.task("send again what Segment rejected") as screen:
        day.press("/")
        day.type("status:400")
        screen.shows("5 of 34")
        day.press("R")
        screen.shows("Type production to go ahead")
        day.type("production")
        screen.shows("── 0 of 34")


def use_a_saved_filter(day: Day) -> None:
    with day.task("use a saved filter") as screen:
        day.press(":")
        day.type("@lost")
        screen.shows("── 7 of 36")


def send_a_pasted_record(day: Day) -> None:
    with day.task("open a record of the clipboard, and send it") as screen:
        day.paste(json.dumps(make_flat_record(500, userId="acct_pasted")))
        screen.shows("pasted at", "acct_pasted")
        day.press("s")
        screen.shows("35")
    screen.until(lambda: day.segment.events[-1]["userId"] == "acct_pasted", "the pasted answer at Segment")


def where_did_it_go(day: Day) -> None:
    with day.task("see where the last answer went") as screen:
        day.press("3", "/")
        day.type("user:acct_pasted")
        screen.shows("1 of 35")
        day.press(ENTER)
        screen.shows(day.segment.url.removeprefix("http://"), "200")
    screen.press(ESCAPE)
    screen.shows("Deliveries ──")
    screen.press(ESCAPE)
    screen.shows("Deliveries ── 35")


def add_a_column(day: Day) -> None:
    with day.task("have the ids in the log") as screen:
        day.press("|")
        screen.shows("Columns of the log")
        day.press(" ", ENTER)
        screen.shows("id      time", gone="Columns of the log")


def go_to_a_record(day: Day) -> None:
    with day.task("look at record 12 of the file") as screen:
        day.press(":")
        day.type("12")
        screen.shows("12 of 12")


def copy_as_curl(day: Day) -> None:
    with day.task("copy the call as curl") as screen:
        day.press("2", "C")
        screen.shows("opied")


def forget_a_person(day: Day) -> None:
    with day.task("forget a person") as screen:
        day.press("3", "/")
        day.type("user:acct_8")
        screen.shows("1 of 35")
        day.press("D")
        screen.shows("acct_8", "Forget")
        day.press("y")
        screen.shows("forgotten")


def send_test_event(day: Day) -> None:
    with day.task("send a test event to Development") as screen:
        day.press("1", "t")
        screen.shows("Test event to")
        day.press(ENTER)
    screen.until(lambda: day.segment.events[-1]["event"] == "sprig-tui test event", "the test event at Segment")


def who_works(day: Day) -> None:
    with day.task("see the workers") as screen:
        day.press("L")
        screen.shows("Live workers")
    screen.press(ESCAPE)
    screen.shows("Deliveries ──", gone="Live workers")


def read_about(day: Day) -> None:
    with day.task("read what a tombstone is") as screen:
        day.press(F3, "/")
        day.type("tombstone keeps")
        screen.shows("people")
        day.press(ENTER)
        screen.shows("Help ── people")
    while "Help ──" in screen.text:
        screen.press("q")
        screen.settle()
    screen.shows("Deliveries ──")


def how_fast_was_it(day: Day) -> None:
    with day.task("see how fast Segment answers") as screen:
        day.press("I", "[")
        screen.shows("▸speed")
    screen.press("q")
    screen.shows("Deliveries ──", gone="▸speed")


TASKS = [
    find_why_an_answer_is_missing,
    repair_three_records,
    go_to_a_record,
    withdraw_a_mistaken_send,
    export_last_weeks_failures,
    compare_two_versions,
    survey_with_most_anonymous,
    replay_what_was_rejected,
    send_a_pasted_record,
    where_did_it_go,
    add_a_column,
    copy_as_curl,
    forget_a_person,
    send_test_event,
    who_works,
    read_about,
    how_fast_was_it,
    use_a_saved_filter,
]
