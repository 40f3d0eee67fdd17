"""Log format: a delivery as one line, as JSON and in full."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from sprig_tui.cli import output
from sprig_tui.formatting import iso_time
from sprig_tui.journal.content import CONTENT_DROPPED_LABEL, CONTENT_DROPPED_TEXT, record_absence
from sprig_tui.journal.records import State, answer_text, bare_url
from sprig_tui.segment.outcome import plain_error
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sprig_tui.journal.records import Attempt, Delivery, DeliveryDetail

OutputFormat = Literal["lines", "json", "csv"]
STATE_STYLES = {State.DELIVERED: "good", State.FAILED: "bad", State.WITHHELD: "warning", State.QUEUED: "name"}
COLUMN_WIDTHS = {"environment": 12, "survey": 22, "user": 16, "type": 10, "answer": 18}
"""Columns of the parts of variable width."""
NARROW_WIDTHS = {"environment": 5, "survey": 8, "user": 9}
"""The same for 80 columns, so that a delivery fits on one line."""
MIN_FULL_COLUMNS = 120
"""Terminal width from which all parts are shown."""
ID_WIDTH, STATE_WIDTH, GAP_WIDTH, TIME_WIDTH, SHORT_TIME_WIDTH = 6, 9, 2, 14, 12
"""Columns of the fixed parts and of the gap; an id may be longer."""
OUTCOME_WIDTH, SHORT_OUTCOME_WIDTH = 24, 10
"""Columns reserved for the outcome."""
LABELS = {
    "endpoint": "was sent to",
    "bound_for": "would go to",
    "content_dropped": "content gone",
    "origin_id": "made of",
    "repaired_by": "repaired by",
}
"""Labels of fields whose names are unclear."""


class DeliveryLineFormatter:
    """Formats deliveries as lines, cut to fit a terminal."""

    def __init__(self, columns: int = 0) -> None:
        """`terminal_columns` of the terminal; 0 for no limit."""
        self._columns = columns
        self._widths = dict(COLUMN_WIDTHS)
        if 0 < columns < MIN_FULL_COLUMNS:
            self._widths = dict(NARROW_WIDTHS)
            spare = columns - 80
            if spare > 0:
                self._widths = {"environment": 5 + min(7, spare // 4), "survey": 8 + spare // 4, "user": 9 + spare // 4}
            while self._widths and self._outcome_width() < SHORT_OUTCOME_WIDTH:
                self._widths.popitem()
        elif columns:
            share = max(
                0.35,
                (self._outcome_width() + sum(COLUMN_WIDTHS.values()) - OUTCOME_WIDTH) / sum(COLUMN_WIDTHS.values()),
            )
            self._widths = {name: round(width * min(share, 2.0)) for name, width in COLUMN_WIDTHS.items()}
            self._widths["environment"] = max(11, self._widths["environment"])
        self._today = datetime.now(UTC).astimezone().date()

    def line(self, delivery: Delivery) -> str:
        """One line: id, time, where, what, state, why."""
        cells = {
            "environment": delivery.environment or "-",
            "survey": delivery.survey_name or delivery.survey_id or "-",
            "user": delivery.shown_user or "-",
            "type": delivery.question_type or "-",
            "answer": answer_text(delivery) or (CONTENT_DROPPED_LABEL if delivery.content_dropped else "-"),
        }
        fitted = [fit_text(one_line(cells[name]), width) for name, width in self._widths.items()]
        number = f"{delivery.id:>{ID_WIDTH}}"
        state = output.paint(f"{delivery.state.value:<{STATE_WIDTH}}", STATE_STYLES[delivery.state])
        why = outcome_text(delivery)
        when = clock_time(delivery.added_at)
        if self._columns:
            when = self._short_time(when)
            rest = self._outcome_width(len(number))
            why = fit_text(why, rest).rstrip() if rest > 0 else ""
        return (" " * GAP_WIDTH).join((number, output.paint(when, "dim"), *fitted, state, why)).rstrip()

    def _outcome_width(self, number: int = ID_WIDTH) -> int:
        """Columns left for the outcome."""
        time = SHORT_TIME_WIDTH if self._columns < MIN_FULL_COLUMNS else TIME_WIDTH
        widths = self._widths.values()
        return self._columns - number - time - sum(widths) - STATE_WIDTH - GAP_WIDTH * (len(widths) + 3)

    def _short_time(self, when: str) -> str:
        today = when[:10] == self._today.isoformat()
        if self._columns < MIN_FULL_COLUMNS:
            return f"{when[11:23] if today else when[5:16]:<{SHORT_TIME_WIDTH}}"
        return f"{when[11:] if today else when[:16][2:]:<{TIME_WIDTH}}"


def write_deliveries(deliveries: list[Delivery] | tuple[Delivery, ...], form: OutputFormat) -> None:
    """Write deliveries to stdout."""
    if form == "csv":
        from sprig_tui.journal.export_format import csv_page

        output.write_text(csv_page(deliveries, end="\n"))
    elif form == "json":
        from sprig_tui.journal.export_format import export_rows

        output.write_json_lines(export_rows(deliveries))
    else:
        lines = DeliveryLineFormatter(output.terminal_columns())
        output.write_lines(lines.line(delivery) for delivery in deliveries)


def outcome_text(delivery: Delivery) -> str:
    """Outcome: the reason, or status, attempts and latency; before it what repaired the delivery."""
    if delivery.repaired_by:
        return f"repaired by {delivery.repaired_by}: {_own_outcome_text(delivery)}"
    return _own_outcome_text(delivery)


def _own_outcome_text(delivery: Delivery) -> str:
    if delivery.state is State.WITHHELD:
        # a record without survey and user is identified by its place in the file
        nameless = delivery.source and not delivery.survey_id and not delivery.survey_name
        where = f"{delivery.source}:{delivery.line}" if delivery.line else delivery.source
        return one_line(
            ": ".join(part for part in (delivery.reason, where if nameless else "", delivery.detail) if part)
        )
    parts = []
    if delivery.status:
        parts.append(str(delivery.status))
    if delivery.error and delivery.error != plain_error(delivery.status):
        parts.append(one_line(delivery.error))
    if delivery.attempts > 1:
        parts.append(f"{delivery.attempts} requests")
    if delivery.latency_ms:
        parts.append(f"{delivery.latency_ms:.0f} ms")
    if delivery.state is State.QUEUED:
        parts.append("in flight" if delivery.leased else "waiting")
    if delivery.bound_for:
        parts.append(f"to {one_line(bare_url(delivery.bound_for))}")
    return "  ".join(parts)


def fit_text(text: str, width: int) -> str:
    """The text in exactly so many columns of a terminal; wide letters count as two."""
    from unicodedata import combining, east_asian_width

    used = 0
    kept: list[str] = []
    for character in text:
        size = 0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1
        if used + size > width:
            while kept and used > width - 1:
                last = kept.pop()
                used -= 0 if combining(last) else 2 if east_asian_width(last) in "WF" else 1
            kept.append(output.mark("…", "~"))
            used += 1
            break
        kept.append(character)
        used += size
    return "".join(kept) + " " * (width - used)


def clock_time(milliseconds: int) -> str:
    """Local date and time to the millisecond."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{milliseconds % 1000:03d}"


def delivery_json(delivery: Delivery) -> dict[str, Any]:
    """The delivery by its field names, times as ISO 8601 or null."""
    import msgspec

    from sprig_tui.journal.export_format import export_rows

    (row,) = export_rows([delivery])
    return msgspec.structs.asdict(row)


def detail_json(detail: DeliveryDetail, derived: Sequence[Delivery] = ()) -> dict[str, Any]:
    """All data of a delivery as JSON; bodies that are not JSON as text. `derived` are those that were made of it."""
    from sprig_tui.cli.json_text import embed_json

    return {
        **delivery_json(detail.delivery),
        "made_of_it": [{"id": other.id, "state": other.state.value} for other in derived],
        "history": [_attempt_json(attempt) for attempt in detail.history],
        "track": embed_json(detail.body),
        "raw": embed_json(detail.raw),
    }


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.structs.asdict(attempt)
    found["started_at"] = iso_time(attempt.started_at)
    found["latency_ms"] = round(attempt.latency_ms, 1)
    return found


def detail_lines(detail: DeliveryDetail, derived: Sequence[Delivery] = ()) -> Iterator[str]:
    """All data of a delivery as lines; `derived` are those that were made of it."""
    delivery = detail.delivery
    shown = {name: value for name, value in delivery_json(delivery).items() if value not in ("", None, 0, False)}
    for name, value in shown.items():
        if name == "bound_for" and delivery.state is State.DELIVERED:
            continue  # it went there
        yield f"{LABELS.get(name, name):<14}{one_line(str(value))}"
    for number, other in enumerate(derived):
        yield f"{'' if number else 'made of it':<14}delivery {other.id}, {other.state.value}"
    yield ""
    yield output.paint("attempts", "strong")
    for number, attempt in enumerate(detail.history, 1):
        where = f"  to {one_line(attempt.endpoint)}" if attempt.endpoint else ""
        result = one_line(f"{attempt.outcome}  {attempt.error}  {attempt.excerpt}").rstrip()
        yield (
            f"{number:>3}  {clock_time(attempt.started_at)}  {attempt.status or '-':>3}  "
            f"{attempt.latency_ms:.0f} ms  {attempt.events} event{'' if attempt.events == 1 else 's'}{where}  {result}"
        )
    if not detail.history:
        yield "     none"
    yield ""
    yield output.paint("track call", "strong")
    yield from (f"({CONTENT_DROPPED_TEXT})",) if delivery.content_dropped else pretty_lines(detail.body)
    yield ""
    yield output.paint("as it came in", "strong")
    yield from pretty_lines(detail.raw) if detail.raw else (f"({record_absence(detail)})",)


def pretty_lines(data: bytes) -> Iterator[str]:
    """JSON with indentation, or the plain text, safe to print."""
    import msgspec

    from sprig_tui.text import printable

    try:
        text = msgspec.json.format(data, indent=2).decode() if data else "(nothing)"
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        text = data.decode(errors="replace")
    yield from (printable(line) for line in text.split("\n"))
