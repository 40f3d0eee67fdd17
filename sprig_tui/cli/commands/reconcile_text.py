"""Report of a reconciliation as lines for a person, and as JSON. Times of lines are local."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from msgspec import to_builtins

from sprig_tui.cli import output
from sprig_tui.cli.text_wrap import flow, pad, text_width, wrap
from sprig_tui.formatting import MONTHS, iso_time, local_time
from sprig_tui.reconcile.model import (
    Bucket,
    Destination,
    DiscardCount,
    EnvironmentReport,
    Obstacle,
    Report,
    StraySource,
    Verdict,
    obstacle_text,
    shortfalls,
    verdict_text,
)
from sprig_tui.reconcile.reasons import reason_text
from sprig_tui.reconcile.windows import MAX_MINUTE_QUERIES, MAX_RANGE_MS
from sprig_tui.segment.metrics import Granularity, Step
from sprig_tui.text import one_line

MAX_NAME_CHARS = 40
REPLAY_COMMAND = "sprig-tui reconcile --replay-short"
STYLES = {
    Verdict.AGREES: "good",
    Verdict.SHORT: "bad",
    Verdict.MORE: "good",
    Verdict.TOO_YOUNG: "dim",
    Verdict.CANNOT_ASK: "warning",
}
STEP_TEXTS = {
    Step.FAILED_ON_INGEST: "rejected on ingest",
    Step.FILTERED_AT_SOURCE: "dropped at the source",
    Step.FILTERED_AT_DESTINATION: "filtered",
    Step.FAILED_DELIVERY: "failed",
}
_TIME_FIELDS = frozenset({"asked_at", "since", "until", "start", "end", "span_start", "span_end"})
_HEADINGS = ("time", "sent", "distinct", "received", "")


def report_lines(report: Report, *, replay_command: str = REPLAY_COMMAND) -> Iterator[str]:
    """The report for a person; `replay_command` sends what is short again, and is not named where it is empty."""
    zones = dict.fromkeys(local_time(at).strftime("%z") for at in (report.since, report.until))
    zone = ", then ".join(f"UTC{text[:3]}:{text[3:]}" for text in zones)
    yield output.paint(f"{time_range(report.since, report.until)}, local time ({zone})", "dim")
    for found in report.environments:
        yield ""
        yield from _environment_lines(found, replay_command)
    yield from _stray_lines(report)
    yield ""
    plural = "" if report.requests == 1 else "s"
    yield output.paint(f"asked Segment's Public API with {report.requests:,} request{plural}", "dim")


# -- one environment --------------------------------------------------------------------------------------------------


def _environment_lines(found: EnvironmentReport, replay_command: str) -> Iterator[str]:
    about = ""
    if found.source_id:
        state = {True: "", False: ", disabled", None: ""}[found.source_enabled]
        about = f"  source {one_line(found.source_name, limit=MAX_NAME_CHARS)}{state}"
    yield output.paint(found.environment, "strong") + about
    yield from _wrapped(verdict_sentence(found), STYLES[found.verdict])
    if found.obstacle and found.verdict is not Verdict.CANNOT_ASK:
        yield from _wrapped(f"a part could not be asked: {obstacle_text(found.obstacle)}", "warning")
    if found.detail:
        yield from _wrapped(one_line(found.detail, limit=300), "dim")
    sends = sum(bucket.sends for bucket in found.buckets)
    if found.obstacle is Obstacle.NOT_IN_WORKSPACE and sends:
        elsewhere = "a source whose key is not seen, another workspace" if found.detail else "another workspace"
        text = f"{sends:,} were answered 200 with it: they went to {elsewhere}, or nowhere"
        yield from _wrapped(f"{text}: sprig-tui keys set {found.environment}", "bad")
    if sends or any(bucket.received for bucket in found.buckets):
        yield from _table_lines(fold(found.buckets))
    if any(bucket.repeats for bucket in found.buckets):
        text = "repeats are answers sent again under their id: Segment may count them or not"
        yield from _wrapped(text, "dim")
    if found.verdict is Verdict.SHORT and (step := _next_step(found, replay_command)):
        yield from _wrapped(step, "dim")
    yield from _discard_lines(found.discards)
    if found.destinations and (units := _units_of_destinations(found)):
        yield from _wrapped(f"destinations, by whole {units} (UTC):", "dim")
    for destination in found.destinations:
        yield from _destination_lines(destination)


def _units_of_destinations(found: EnvironmentReport) -> str:
    """In which units destinations were asked for where finer ones take several queries; else empty."""
    counted = [bucket for bucket in found.buckets if bucket.obstacle is not Obstacle.TOO_OLD]
    span = counted[-1].end - counted[0].start if counted else 0
    if found.granularity is Granularity.HOUR:
        return "days" if span > MAX_RANGE_MS[Granularity.HOUR] else ""
    is_long = found.granularity is Granularity.MINUTE and span > MAX_MINUTE_QUERIES * MAX_RANGE_MS[Granularity.MINUTE]
    return "hours" if is_long else ""


def _next_step(found: EnvironmentReport, replay_command: str) -> str:
    rejected = sum(one.failed_on_ingest or 0 for one in found.buckets if one.verdict is Verdict.SHORT)
    if rejected >= found.short:
        return "Segment rejected as many, for the reasons below: a replay meets them again until they are mended"
    if not replay_command:
        return ""
    return f"to send what was delivered in that time again, under the same ids: {replay_command}"


def verdict_sentence(found: EnvironmentReport) -> str:
    """The verdict of an environment in words, such as `short by 3 of 500 delivered`."""
    judged = [one for one in found.buckets if one.verdict not in (Verdict.CANNOT_ASK, Verdict.TOO_YOUNG)]
    distinct, received = sum(one.distinct for one in judged), sum(one.received or 0 for one in judged)
    match found.verdict:
        case Verdict.SHORT:
            return f"short by {found.short:,} of {distinct:,} delivered"
        case Verdict.AGREES | Verdict.MORE if not distinct and not received:
            return "nothing to compare: nothing was delivered, and Segment received nothing"
        case Verdict.AGREES:
            return f"agrees: Segment received {received:,}, and {distinct:,} were delivered"
        case Verdict.MORE:
            more = sum(one.more for one in judged)
            return f"nothing shows as missing; {more:,} {verdict_text(Verdict.MORE)}"
        case Verdict.TOO_YOUNG:
            finer = (
                "" if found.granularity is Granularity.MINUTE else "; sprig-tui reconcile --since 1h goes by minutes"
            )
            return f"{verdict_text(Verdict.TOO_YOUNG)}: Segment's counts lag, and the clocks may differ{finer}"
        case Verdict.CANNOT_ASK:
            return f"{verdict_text(Verdict.CANNOT_ASK)}: {obstacle_text(found.obstacle)}"


class Row(NamedTuple):
    """A line of the table: one bucket, or several that say the same."""

    start: int
    end: int
    sends: int
    distinct: int
    received: int | None
    repeats: int
    verdict: Verdict
    difference: int
    """Short by so many, or so many more."""
    is_span: bool
    """Whether it is open which of several buckets is short."""


def fold(buckets: Sequence[Bucket]) -> list[Row]:
    """The rows of a table: neighbours that say the same are one, and so is a short span of several buckets."""
    rows: list[Row] = []
    for _, group in groupby(buckets, _folding_key):
        own = list(group)
        first, verdict = own[0], own[0].verdict
        unknown = any(bucket.received is None for bucket in own)
        difference = first.short if verdict is Verdict.SHORT else sum(bucket.more for bucket in own)
        rows.append(
            Row(
                own[0].start,
                own[-1].end,
                sum(bucket.sends for bucket in own),
                sum(bucket.distinct for bucket in own),
                None if unknown else sum(bucket.received or 0 for bucket in own),
                sum(bucket.repeats for bucket in own),
                verdict,
                difference,
                verdict is Verdict.SHORT and len(own) > 1,
            )
        )
    return rows


def _folding_key(bucket: Bucket) -> tuple[Verdict, str, int]:
    return bucket.verdict, bucket.obstacle, bucket.span_start if bucket.verdict is Verdict.SHORT else 0


def _table_lines(rows: Sequence[Row]) -> Iterator[str]:
    cells = [
        (
            time_range(row.start, row.end),
            f"{row.sends:,}",
            f"{row.distinct:,}",
            "-" if row.received is None else f"{row.received:,}",
        )
        for row in rows
    ]
    widths = [max(text_width(line[column]) for line in [_HEADINGS, *cells]) for column in range(4)]

    def joined(line: Sequence[str]) -> str:
        numbers = (f"{text:>{width}}" for text, width in zip(line[1:4], widths[1:], strict=True))
        return "  " + "  ".join((pad(line[0], widths[0]), *numbers))

    yield output.paint(joined(_HEADINGS), "dim")
    columns = output.terminal_columns()
    indent = 2 + sum(widths) + 2 * len(widths)
    for row, line in zip(rows, cells, strict=True):
        room = columns - 1 - indent
        text = row_text(row)
        pieces = list(wrap(text, room)) if columns and room >= 12 else [text]
        yield f"{joined(line)}  {output.paint(pieces[0], STYLES[row.verdict])}"
        for piece in pieces[1:]:
            yield " " * indent + output.paint(piece, STYLES[row.verdict])


def row_text(row: Row) -> str:
    """The verdict of a row in words."""
    match row.verdict:
        case Verdict.SHORT:
            return f"short by {row.difference:,}{' in this time' if row.is_span else ''}"
        case Verdict.MORE:
            return f"{row.difference:,} more than sent"
        case Verdict.AGREES if row.repeats and row.received != row.distinct:
            return f"agrees, with repeats ({row.repeats:,})"
        case _:
            return verdict_text(row.verdict)


# -- reasons and destinations -----------------------------------------------------------------------------------------


def _discard_lines(discards: Iterable[DiscardCount], indent: str = "  ") -> Iterator[str]:
    for discard in discards:
        reason = one_line(discard.reason, limit=60) or "no reason told"
        yield from _wrapped(f"{discard.count:,} {STEP_TEXTS[discard.step]}: {reason}", "", indent)
        if text := reason_text(discard.step, discard.reason):
            yield from _wrapped(text, "dim", f"{indent}  ")


def _destination_lines(found: Destination) -> Iterator[str]:
    name = one_line(found.name, limit=MAX_NAME_CHARS)
    kind = one_line(found.kind, limit=MAX_NAME_CHARS)
    name = name if not kind or kind == name else f"{name} ({kind})"
    parts = [(f"{output.mark('→', '->')} {name}", "name")]
    numbers = (("delivered", found.delivered), ("filtered", found.filtered), ("failed", found.failed))
    parts += [(f"{text} {number:,}", "") for text, number in numbers if number is not None]
    if found.retried:
        parts.append((f"{found.retried:,} after retries", ""))
    parts.append((destination_verdict(found), "warning" if found.failed else STYLES[found.verdict]))
    columns = output.terminal_columns()
    for number, line in enumerate(flow(parts, columns and columns - 4)):
        yield f"{'    ' if number else '  '}{line}"
    yield from _discard_lines(found.discards, "    ")


def destination_verdict(found: Destination) -> str:
    """The verdict of a destination in words."""
    match found.verdict:
        case Verdict.AGREES:
            return "accounts for all that the source passed on"
        case Verdict.SHORT:
            return "accounts for fewer than the source passed on"
        case Verdict.TOO_YOUNG:
            return f"{verdict_text(Verdict.TOO_YOUNG)}: Segment retries for 4 h"
        case _ if found.obstacle is Obstacle.DISABLED:
            return obstacle_text(found.obstacle)
        case _:
            return f"{verdict_text(found.verdict)}: {obstacle_text(found.obstacle)}".removesuffix(": ")


# -- sources that got the event ---------------------------------------------------------------------------------------


def _stray_lines(report: Report) -> Iterator[str]:
    odd = [(stray, text) for stray in report.strays if (text := stray_text(stray, report))]
    if not odd:
        return
    yield ""
    yield from _wrapped(f"others that got the event {one_line(report.event, limit=80)!r}:", "", "")
    for stray, text in odd:
        yield from _wrapped(f"{one_line(stray.source_name, limit=MAX_NAME_CHARS)}: {stray.total:,}, {text}", "warning")


def stray_text(stray: StraySource, report: Report) -> str:
    """Why this source should not have got the event; empty where nothing is odd about it."""
    if not stray.environment:
        return "and none of your keys belongs to it: another program sends there, or a key that was replaced"
    own = next((found for found in report.environments if found.environment == stray.environment), None)
    if own is None or any(bucket.sends for bucket in own.buckets):
        return ""
    return f"the source of {stray.environment}, for which this journal delivered nothing: another program sends there"


# -- text and JSON ----------------------------------------------------------------------------------------------------


def time_range(start: int, end: int) -> str:
    """Such as `28 Nov 18:00-19:00`, or `27 Nov 18:00 to 28 Nov 04:00`; local time, with years where they differ."""
    first, last = local_time(start), local_time(end)
    if first.year != last.year:
        return " to ".join(f"{time.day} {MONTHS[time.month - 1]} {time.year} {time:%H:%M}" for time in (first, last))
    text = f"{first.day} {MONTHS[first.month - 1]} {first:%H:%M}"
    if first.date() == last.date():
        return f"{text}-{last:%H:%M}"
    return f"{text} to {last.day} {MONTHS[last.month - 1]} {last:%H:%M}"


def _wrapped(text: str, style: str, indent: str = "  ") -> Iterator[str]:
    columns = output.terminal_columns()
    for piece in wrap(text, columns - 1 - len(indent)) if columns else [text]:
        yield indent + (output.paint(piece, style) if style else piece)


def report_json(report: Report) -> dict[str, Any]:
    """The report for programs: times as ISO 8601 or null, obstacles null where there is none."""
    found: dict[str, Any] = _with_times(to_builtins(report))
    for shown, environment in zip(found["environments"], report.environments, strict=True):
        shown["shortfalls"] = [_with_times(to_builtins(one)) for one in shortfalls(environment.buckets)]
    return found


def _with_times(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_with_times(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: iso_time(item) if name in _TIME_FIELDS else (item or None) if name == "obstacle" else _with_times(item)
        for name, item in value.items()
    }
