"""Questions about the first answer: what it becomes, who it is of, sending it or a test event, and whether it came."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from sprig_tui.cli import diagnostics, prompts
from sprig_tui.cli.commands.setup import dialogue
from sprig_tui.cli.context import existing_journal_session
from sprig_tui.clock import SystemClock
from sprig_tui.errors import ExitCode, JournalError, SegmentApiError, SprigTuiError
from sprig_tui.formatting import format_duration
from sprig_tui.journal.records import State
from sprig_tui.reasons import Reason, reason_label
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from sprig_tui.cli.commands.setup.observation import Observation
    from sprig_tui.journal.records import Delivery, DeliveryDetail, NewDelivery
    from sprig_tui.sprig.records import Record

MAX_SAMPLED_RECORDS = 5_000
"""Records of a file that are looked at."""
LOOK_INTERVAL_S = 5.0
"""Seconds between two questions for Segment's counts."""
MAX_SHOWN_CHARS = 60
MAX_COUNTED_AGE_MS = 3 * 3_600_000
"""Segment answers for four hours by the minute at most."""
MAX_REPORTED = 5
"""Deliveries that were not taken, and are told one by one."""
USER_ID_ADVICE = (
    "Segment needs to know who answered, and Sprig knows it only where your product says it (setUserId of Sprig's SDK) "
    "before the survey is shown"
)


class Sample(Struct, frozen=True, kw_only=True):
    """What a file, or the journal, has of answers."""

    place: str
    answers: int = 0
    """Looked at."""
    anonymous: int = 0
    body: bytes = b""
    """Of the answer that is shown: the track call."""
    reason: str = ""
    """Why it would be withheld; empty where it can be sent."""
    detail: str = ""
    record: Record | None = None
    """The record of the answer that is shown, to be sent; None for one of the journal."""
    environment_id: str = ""
    """Sprig's id of the environment, of the first record that has one."""


def sample_file(seen: Observation, path: str) -> Sample:
    """The first answer of a file that can be sent, else the first one. Raises InputError."""
    from sprig_tui.ingest import EntryBuilder
    from sprig_tui.sprig.reader import read_responses

    builder = EntryBuilder(seen.settings.rules, seen.settings.environments, seen.name)
    answers = anonymous = 0
    shown: tuple[Record, NewDelivery] | None = None
    environment_id = ""
    with diagnostics.ProgressLine() as progress:
        for number, record in enumerate(islice(read_responses([path]), MAX_SAMPLED_RECORDS), 1):
            entry = builder.entry(record)
            if entry.reason not in (Reason.NOT_AN_ANSWER, Reason.TEST_WEBHOOK):
                answers += 1
                anonymous += entry.reason == Reason.ANONYMOUS
                if shown is None or (shown[1].reason and not entry.reason):
                    shown = (record, entry)
            environment_id = environment_id or record.environment_id or ""
            if not number % 500:
                progress.update(f"read {number:,}")
    if shown is None:
        return Sample(place=path, environment_id=environment_id)
    record, entry = shown
    return Sample(
        place=path,
        answers=answers,
        anonymous=anonymous,
        body=entry.body,
        reason=entry.reason,
        detail=entry.detail,
        record=record if not entry.reason else None,
        environment_id=environment_id,
    )


async def sample_journal(seen: Observation) -> Sample:
    """The newest answer of the journal that can be sent, else the newest that is withheld."""
    facts = seen.facts.journal
    place = "the journal"
    if facts is None:
        return Sample(place=place)
    newest = facts.answer or facts.webhook or facts.pulled or facts.file
    detail: DeliveryDetail | None = None
    async with existing_journal_session(seen.settings) as journal:
        if journal is not None and newest is not None:
            detail = await journal.get(newest.id)
    if detail is None:
        return Sample(place=place)
    return Sample(
        place=place,
        answers=facts.seen,
        anonymous=facts.anonymous,
        body=detail.body,
        reason=detail.delivery.reason if detail.delivery.state is State.WITHHELD else "",
        detail=detail.delivery.detail,
    )


def show_sample(sample: Sample, name: str) -> None:
    """The answer as Segment would get it, its User ID or why there is none, and how many answers lack one."""
    if not sample.answers:
        diagnostics.info(f"There is no answer in {one_line(sample.place)} yet.")
        return
    diagnostics.info(f"An answer from {one_line(sample.place)}, as Segment gets it:")
    dialogue.rows(_rows(sample.body))
    if sample.reason:
        why = f": {one_line(sample.detail, limit=200)}" if sample.detail else ""
        diagnostics.warning(f"it is withheld, {reason_label(sample.reason)}{why}")
    if sample.anonymous:
        share = sample.anonymous / sample.answers
        diagnostics.warning(
            f"{sample.anonymous:,} of {sample.answers:,} answers ({share:.0%}) without a User ID, which cannot be sent",
            USER_ID_ADVICE,
        )
    else:
        which = "the answer" if sample.answers == 1 else f"each of the {sample.answers:,} answers"
        diagnostics.success(f"{which} looked at has a User ID")
    if sample.place != "the journal":
        diagnostics.info(f"sprig-tui preview {one_line(sample.place)} -e {name} shows every field")


def _rows(body: bytes) -> list[tuple[str, str]]:
    try:
        call: dict[str, Any] = msgspec.json.decode(body) if body else {}
    except msgspec.DecodeError:
        call = {}
    properties = call.get("properties")
    fields: dict[str, Any] = properties if isinstance(properties, dict) else {}
    rows = [
        ("event", call.get("event")),
        ("User ID", call.get("userId") or "none"),
        ("survey", fields.get("surveyName") or fields.get("survey_name")),
        ("question", fields.get("question")),
        ("answer", fields.get("response")),
        ("time", call.get("timestamp")),
    ]
    return [(title, one_line(_text(value), limit=MAX_SHOWN_CHARS)) for title, value in rows if value is not None]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


# -- sending ----------------------------------------------------------------------------------------------------------


class Sent(Struct, frozen=True, kw_only=True):
    """What was taken by Segment in this set-up."""

    event: str
    user_id: str
    since: int
    """ms since 1970 UTC."""


def ask_send(seen: Observation, sample: Sample | None) -> Sent | None:
    """Send an answer, what is queued, or a test event; None where nothing was sent."""
    from sprig_tui.ingest.test_event import EVENT_NAME, TEST_USER_ID

    name, event = seen.name, seen.settings.rules.event
    facts = seen.facts.journal
    queued = facts.states.get(State.QUEUED, 0) if facts is not None else 0
    also = f"; what is queued goes too: {queued:,} answer{'' if queued == 1 else 's'}" if queued else ""
    kinds: list[str] = []
    options: list[str] = []
    if sample is not None and sample.record is not None:
        kinds.append("answer")
        options.append(f"the answer that was shown{also}")
    elif queued:
        kinds.append("queued")
        options.append(f"what is queued: {queued:,} answer{'' if queued == 1 else 's'}")
    kinds.append("test")
    apart = "; what is queued stays queued" if queued else ""
    options.append(f"a test event, {EVENT_NAME!r} of the user {TEST_USER_ID!r}{apart}")
    diagnostics.info(f"What shall be sent to {name} first?")
    picked = dialogue.choose(options, seen.settings)
    if picked < 0:
        return None
    kind = kinds[picked]
    answers = "the queued answer" if queued == 1 else f"the {queued:,} queued answers"
    what = {"answer": f"this answer{f' and {answers}' if queued else ''}", "queued": answers, "test": "a test event"}
    if not dialogue.consent(f"send {what[kind]} to Segment?", name, protected=seen.protected):
        diagnostics.info("nothing was sent")
        return None
    since = SystemClock().now()
    record = sample.record if sample is not None and kind == "answer" else None
    try:
        taken = _send_alone(seen) if kind == "test" and queued else asyncio.run(_deliver(seen, kind, record))
    except SprigTuiError as error:
        diagnostics.warning(f"not sent: {error.message}", error.hint)
        return None
    if taken is None:
        return None
    if kind == "test":
        return Sent(event=EVENT_NAME, user_id=TEST_USER_ID, since=since)
    return Sent(event=event, user_id=taken, since=since)


def _send_alone(seen: Observation) -> str | None:
    """Send a test event past the journal, since an engine would send what is queued, too; as `_deliver`."""
    from sprig_tui.cli.commands.keys.check import send_event
    from sprig_tui.ingest.test_event import TEST_USER_ID

    _, code = asyncio.run(send_event(seen.settings, seen.environment))
    if code == ExitCode.OK:
        diagnostics.info("it went past the journal: the checklist knows of it once Segment counted it")
    return TEST_USER_ID if code == ExitCode.OK else None


async def _deliver(seen: Observation, kind: str, record: Record | None) -> str | None:
    """The User ID of something that Segment took; None where it took nothing, which is reported."""
    from sprig_tui.cli.progress import RunProgress
    from sprig_tui.cli.report import print_stalls
    from sprig_tui.cli.run_options import RunOptions
    from sprig_tui.cli.session import delivery_session
    from sprig_tui.delivery.wait import WaitResult
    from sprig_tui.ingest import EntryBuilder
    from sprig_tui.ingest.id_ranges import IdRanges
    from sprig_tui.ingest.test_event import make_test_event
    from sprig_tui.journal.query import Query, Term

    name = seen.name
    async with delivery_session(seen.settings, RunOptions()) as session:
        journal = session.journal
        if kind == "queued":
            page = await journal.ids(Query((Term("env", name), Term("status", State.QUEUED.value))))
            ids = sorted(page.ids)
        else:
            entry = (
                make_test_event(name, SystemClock().now())
                if record is None
                else EntryBuilder(seen.settings.rules, seen.settings.environments, name).entry(record)
            )
            ids = [result.id for result in await journal.add([entry])]
        ranges = IdRanges()
        ranges.add(ids)
        engine = await session.start_engine("setup", {name: session.options.environments(seen.settings)[name]})
        with RunProgress(engine, journal, total=len(ids)) as progress:
            work = session.wait_until_settled(ranges, [name], progress.set_queued)
            waited = await session.run(work) or WaitResult()
        await session.drain()
        if session.stopped:
            raise KeyboardInterrupt
        print_stalls(waited.stalls)
        return _report_sent(await journal.get_many(ids))


def _report_sent(deliveries: Sequence[Delivery]) -> str | None:
    from sprig_tui.segment.outcome import error_sentence

    taken = [one for one in deliveries if one.state is State.DELIVERED]
    for one in deliveries[-MAX_REPORTED:]:
        if one.state is State.WITHHELD:
            diagnostics.warning(f"it is withheld, {reason_label(one.reason)}: {one_line(one.detail, limit=200)}")
        if one.state is State.FAILED:
            diagnostics.warning(
                f"Segment rejected it: {one.status or ''} {error_sentence(one.error)}".replace("  ", " "),
                f"sprig-tui log {one.id} shows the exchange",
            )
    if not taken:
        return None
    diagnostics.success(
        f"Segment answered {taken[0].status}: it took "
        f"{'it' if len(deliveries) == 1 else f'{len(taken):,} of {len(deliveries):,}'}"
    )
    diagnostics.info("That does not prove the Write Key: Segment answers 200 to any key.")
    return taken[0].user_id


def sent_before(seen: Observation) -> Sent | None:
    """The last that Segment took in an earlier run, if its counts can still be asked by the minute."""
    from sprig_tui.ingest.test_event import EVENT_NAME

    facts = seen.facts.journal
    if facts is None:
        return None
    for delivery, event in ((facts.delivered, seen.settings.rules.event), (facts.test_event, EVENT_NAME)):
        if delivery is not None and delivery.state is State.DELIVERED:
            if SystemClock().now() - delivery.settled_at > MAX_COUNTED_AGE_MS:
                continue
            return Sent(event=event, user_id=delivery.user_id, since=delivery.settled_at)
    return None


# -- arrival ----------------------------------------------------------------------------------------------------------


def look_for(seen: Observation, sent: Sent) -> None:
    """Whether Segment counted it, asked until it did; without a token, what to look for in Segment."""
    if seen.settings.workspace.token is None:
        _describe_debugger(seen, sent)
        return
    dialogue.say(
        f"Now Segment is asked whether it counted {sent.event!r}. Its counts are a minute or two late, so be patient; "
        "enter or Ctrl-C goes on without them."
    )
    dialogue.run_until_enter(lambda: _await_count(seen, sent))


async def _await_count(seen: Observation, sent: Sent) -> bool:
    from sprig_tui.cli.workspace import public_api
    from sprig_tui.setup.key_rotation import counted_since

    workspace = seen.facts.workspace
    wanted = workspace.source if workspace is not None else None
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with public_api(seen.settings.workspace) as api:
        with diagnostics.ProgressLine() as progress:
            elsewhere: set[str] = set()
            while True:
                try:
                    counts = await counted_since(api, sent.since, SystemClock().now(), (sent.event,))
                except SegmentApiError as error:
                    diagnostics.warning(f"Segment's counts could not be asked: {error.message}", error.hint)
                    return False
                for count in counts or ():
                    if wanted is None or count.source_id == wanted.id:
                        times = "once" if count.total == 1 else f"{count.total:,} times"
                        diagnostics.success(
                            f"counted by Segment: the source {one_line(count.source_name or count.source_id)} got "
                            f"{sent.event!r} {times}"
                        )
                        return True
                    if count.source_id not in elsewhere:
                        elsewhere.add(count.source_id)
                        diagnostics.info(
                            f"another source, {one_line(count.source_name or count.source_id)}, counted {sent.event!r} "
                            "meanwhile; that may be another program's"
                        )
                wait = "it is too early to ask" if counts is None else "not counted yet"
                for _ in range(int(LOOK_INTERVAL_S)):
                    progress.update(f"{wait}, {format_duration(round(loop.time() - started))} so far; enter goes on")
                    await asyncio.sleep(1)


def _describe_debugger(seen: Observation, sent: Sent) -> None:
    dialogue.say(
        "Without a token only you can see whether it arrived. In Segment: Connections > Sources > the source > "
        f"Debugger. Look for {sent.event!r} of the user {one_line(sent.user_id, limit=60)!r}, within a minute."
    )
    if prompts.confirm("is it there?"):
        diagnostics.success("then the key is right: answers arrive in that source")
        return
    diagnostics.info(
        "If it stays away, the Write Key belongs to another source, or the region is wrong "
        f"({seen.environment.endpoint} is set). Compare the key in Segment's API Keys with the one that is stored; "
        f"sprig-tui keys set {seen.name} stores another."
    )


def sample_of(seen: Observation, path: str) -> Sample | None:
    """The sample of the file, or of the journal without one; None where it cannot be read, which is reported."""
    try:
        return sample_file(seen, path) if path else asyncio.run(sample_journal(seen))
    except (SprigTuiError, JournalError) as error:
        diagnostics.warning(error.message, error.hint)
        return None
