"""Words of the reconcile screen: verdicts, figures and reasons as sentences. Pure.

Texts of Segment (names of sources and destinations, reasons) go through `one_line` here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sprig_tui.console.reconcile.columns import VERDICT_STYLES, Column
from sprig_tui.formatting import local_time, relative_time
from sprig_tui.journal.moments import parse_moment
from sprig_tui.reconcile.model import (
    Bucket,
    Destination,
    DiscardCount,
    EnvironmentReport,
    Obstacle,
    Report,
    Verdict,
    obstacle_text,
    shortfalls,
)
from sprig_tui.reconcile.reasons import reason_text
from sprig_tui.segment.metrics import Step
from sprig_tui.text import one_line

MAX_NAME_CHARS = 60
SIGNS = {
    Verdict.AGREES: "✓",
    Verdict.SHORT: "!",
    Verdict.MORE: "+",
    Verdict.TOO_YOUNG: "┊",
    Verdict.CANNOT_ASK: "?",
}
"""In front of a verdict, so that it is not told by colour alone."""
HEADING, BODY, NOTE = "heading", "", "muted"
_STEP_TEXTS = {
    Step.FAILED_ON_INGEST: "failed on ingest",
    Step.FILTERED_AT_SOURCE: "filtered at the source",
    Step.FILTERED_AT_DESTINATION: "filtered",
    Step.FAILED_DELIVERY: "failed",
    Step.DELIVERED: "delivered",
    Step.RECEIVED: "received",
}


class Sentence(NamedTuple):
    """A paragraph below the chart."""

    text: str
    style: str = BODY
    """`heading`, `muted` or a style of `VERDICT_STYLES`; empty for plain text."""
    indent: int = 0


# -- verdicts ----------------------------------------------------------------------------------------------------------


def environment_verdict(report: EnvironmentReport) -> str:
    """The verdict of an environment in a few words, with its numbers."""
    compared = [one for one in report.buckets if one.verdict in (Verdict.AGREES, Verdict.SHORT, Verdict.MORE)]
    sent = sum(one.distinct for one in compared)
    match report.verdict:
        case Verdict.AGREES if not sent:
            return "nothing to compare: nothing was delivered"
        case Verdict.AGREES:
            return f"agrees: Segment counted {sent:,} of {sent:,}"
        case Verdict.SHORT:
            return f"short by {report.short:,}: Segment counted {sent - report.short:,} of {sent:,}"
        case Verdict.MORE:
            counted = sum(one.received or 0 for one in compared)
            return f"more than we sent: Segment counted {counted:,}, we delivered {sent:,}"
        case Verdict.TOO_YOUNG:
            return "too young to say"
        case Verdict.CANNOT_ASK:
            return f"not compared: {obstacle_sentence(report.obstacle, report.detail)}"


def obstacle_sentence(obstacle: Obstacle, detail: str = "") -> str:
    """Why something was not compared, with Segment's own words where there are any."""
    why = obstacle_text(obstacle) or "Segment did not say"
    return f"{why} ({one_line(detail, limit=200)})" if detail else why


def last_verdict(report: Report, environment: str, now: int) -> tuple[str, Verdict]:
    """The line of the Environments pane about the last comparison.

    `Segment counted 1,204 of 1,204 at 14:00`, `3 short at 13:00`, `not compared`; the times are local, and those of
    what was compared: an older comparison never looks like one of now.
    """
    for one in report.environments:
        if one.environment != environment:
            continue
        asked = relative_time(report.asked_at, now)
        match one.verdict:
            case Verdict.SHORT:
                times = [relative_time(short.start, now) for short in shortfalls(one.buckets)]
                more = f" and {len(times) - 1} more" if len(times) > 1 else ""
                return f"{one.short:,} short at {times[0] if times else asked}{more}", one.verdict
            case Verdict.CANNOT_ASK:
                return f"not compared: {obstacle_text(one.obstacle) or 'Segment did not say'}", one.verdict
            case Verdict.TOO_YOUNG:
                return f"too young to compare at {asked}", one.verdict
            case _:
                compared = [each for each in one.buckets if each.verdict in (Verdict.AGREES, Verdict.MORE)]
                sent = sum(each.distinct for each in compared)
                if not sent:
                    return f"nothing to compare at {asked}", Verdict.TOO_YOUNG
                counted = sum(each.received or 0 for each in compared) if one.verdict is Verdict.MORE else sent
                return f"Segment counted {counted:,} of {sent:,} at {asked}", one.verdict
    return "not compared", Verdict.CANNOT_ASK


# -- times -------------------------------------------------------------------------------------------------------------


def span_text(start: int, end: int, now: int) -> str:
    """`13:00 to 14:00`, `23:00 to midnight`, with the date where it is not today; local time."""
    first, last = relative_time(start, now), relative_time(end, now)
    day, clock_time = local_time(start).date(), f"{local_time(end):%H:%M}"
    if local_time(end).date() == day:
        last = clock_time
    elif local_time(end - 1).date() == day and clock_time == "00:00":
        last = "midnight"
    return f"{first} to {last}"


def deliveries_filter(environment: str, start: int, end: int) -> str:
    """The filter text for what was delivered in a time; times are local, with an offset only where one is needed."""
    return f"env:{environment} status:delivered sent-since:{_moment(start)} sent-until:{_moment(end)}"


def _moment(time: int) -> str:
    at = local_time(time)
    for text in (f"{at:%Y-%m-%dT%H:%M}", f"{at:%Y-%m-%dT%H:%M:%S}"):
        if parse_moment(text, time) == time:  # not so in the hour that the end of summer time repeats
            return text
    return at.isoformat(timespec="milliseconds")


# -- sentences ---------------------------------------------------------------------------------------------------------


def column_sentences(column: Column, now: int, *, replay_key: str = "R") -> Iterator[Sentence]:
    """The figures and the verdict of a column."""
    where = span_text(column.start, column.end, now)
    heading = {
        Verdict.AGREES: "agrees",
        Verdict.SHORT: f"short by {column.missing:,}",
        Verdict.MORE: "more than we sent",
        Verdict.TOO_YOUNG: "too young to say",
        Verdict.CANNOT_ASK: "not compared",
    }[column.verdict]
    is_empty = not column.distinct and not sum(one.received or 0 for one in column.buckets)
    if is_empty and column.verdict is Verdict.AGREES:
        yield Sentence(f"{where}: nothing was delivered", HEADING)
        return
    yield Sentence(f"{SIGNS[column.verdict]} {where}: {heading}", VERDICT_STYLES[column.verdict])
    yield Sentence(_figures(column.buckets))
    match column.verdict:
        case Verdict.SHORT:
            for one in shortfalls(column.buckets):
                span = span_text(one.start, one.end, now)
                if (one.start, one.end) != (column.start, column.end):
                    yield Sentence(f"at least {one.short:,} missing somewhere from {span}", indent=2)
            yield Sentence(f"enter shows these deliveries, {replay_key} sends them again under the same ids", NOTE)
        case Verdict.MORE:
            yield Sentence("others use the event's name too, so a missing one could hide behind the surplus", NOTE)
        case Verdict.TOO_YOUNG:
            yield Sentence("Segment counts late: about seven minutes after its end this can be compared", NOTE)
        case Verdict.CANNOT_ASK:
            obstacles = dict.fromkeys(one.obstacle for one in column.buckets if one.verdict is Verdict.CANNOT_ASK)
            for obstacle in obstacles:
                yield Sentence(obstacle_sentence(obstacle), NOTE)


def _figures(buckets: Sequence[Bucket]) -> str:
    distinct, sends = sum(one.distinct for one in buckets), sum(one.sends for one in buckets)
    repeats = sum(one.repeats for one in buckets)
    text = f"we delivered {distinct:,}"
    if repeats:
        noun = "repeat of an id" if repeats == 1 else "repeats of ids"
        text += f" ({sends:,} sends, {repeats:,} of them {noun} sent before, which Segment may count or not)"
    counts = [("counted", [one.received for one in buckets])]
    counts += [("failed on ingest", [one.failed_on_ingest for one in buckets])]
    counts += [("filtered at the source", [one.filtered_at_source for one in buckets])]
    for what, numbers in counts:
        known = [number for number in numbers if number is not None]
        if not known:
            text += "; Segment did not say what it counted" if what == "counted" else ""
        elif what == "counted":
            text += f"; Segment counted {sum(known):,}" + ("" if len(known) == len(numbers) else " in a part of it")
        elif sum(known):
            text += f"; {sum(known):,} {what}"
    return text


def environment_sentences(report: EnvironmentReport) -> Iterator[Sentence]:
    """The source, what it discarded, and each destination."""
    if report.source_id:
        name = one_line(report.source_name, limit=MAX_NAME_CHARS) or report.source_id
        disabled = "" if report.source_enabled is not False else " (disabled: Segment drops what it gets)"
        yield Sentence(f"{report.environment} is the source {name}{disabled}", HEADING)
    else:
        yield Sentence(f"{report.environment}: {environment_verdict(report)}", HEADING)
    yield from _discard_sentences(report.discards)
    if not report.destinations and report.source_id and report.obstacle is Obstacle.NONE:
        yield Sentence("no destination of it is known", NOTE, 2)
    for destination in report.destinations:
        yield from destination_sentences(destination)


def destination_sentences(destination: Destination) -> Iterator[Sentence]:
    """A destination's counts, then each discard reason with its sentence."""
    name = one_line(destination.name, limit=MAX_NAME_CHARS) or destination.id
    kind = one_line(destination.kind, limit=MAX_NAME_CHARS)
    title = kind if kind.startswith(name) else f"{name} ({kind})" if kind else name
    if destination.enabled is False and destination.obstacle is not Obstacle.DISABLED:
        title += ", disabled"
    sign, style = SIGNS[destination.verdict], VERDICT_STYLES[destination.verdict]
    if (
        destination.failed and destination.verdict is not Verdict.CANNOT_ASK
    ):  # nothing of it is open, and yet it did not get there
        sign, style = SIGNS[Verdict.SHORT], "warning"
    if destination.verdict is Verdict.CANNOT_ASK:
        text = f"{sign} {title}: not compared: {obstacle_sentence(destination.obstacle)}"
        yield Sentence(text, style, 2)
    counts = [
        f"{number:,} {what}"
        for number, what in (
            (destination.delivered, "delivered"),
            (destination.filtered, "filtered"),
            (destination.failed, "failed"),
        )
        if number is not None
    ]
    if destination.retried:
        counts[:1] = [f"{counts[0]} ({destination.retried:,} after a retry)"] if counts else []
    numbers = ", ".join(counts)
    if destination.verdict is not Verdict.CANNOT_ASK:
        short = {
            Verdict.SHORT: ": less than its source received; Segment retries for up to 4 hours",
            Verdict.MORE: ": more than its source passed on",
            Verdict.TOO_YOUNG: ": too young to say",
        }.get(destination.verdict, "")
        yield Sentence(f"{sign} {title}: {numbers or 'no count'}{short}", style, 2)
    elif numbers:
        yield Sentence(numbers, BODY, 4)
    yield from _discard_sentences(destination.discards, indent=4)


def _discard_sentences(discards: Sequence[DiscardCount], indent: int = 2) -> Iterator[Sentence]:
    for one in discards:
        reason = one_line(one.reason, limit=MAX_NAME_CHARS) or "no reason given"
        why = reason_text(one.step, one.reason)
        text = f"{one.count:,} {_STEP_TEXTS[one.step]}: {reason}"
        yield Sentence(f"{text}; {why}" if why else text, BODY, indent)


def report_sentences(report: Report) -> Iterator[Sentence]:
    """Sources that surprise, what was left out, and what the counts cannot say."""
    event = one_line(report.event, limit=MAX_NAME_CHARS)
    for stray in report.strays:
        name = one_line(stray.source_name, limit=MAX_NAME_CHARS) or stray.source_id
        if not stray.environment:
            text = f"the source {name} got {stray.total:,} of {event!r} too, by a key that no environment here has"
            yield Sentence(text, "warning")
    if not report.complete:
        yield Sentence("this comparison is not whole: it was stopped, or Segment gave only a part", "warning")
    yield Sentence(
        f"Segment counts {event!r} by time, never by message id: which answer is missing cannot be known. Others may"
        " send the same event.",
        NOTE,
    )


def asked_text(report: Report, now: int) -> str:
    """When Segment was asked, and with how many requests."""
    requests = "1 request" if report.requests == 1 else f"{report.requests:,} requests"
    return f"asked at {relative_time(report.asked_at, now)} with {requests}"
