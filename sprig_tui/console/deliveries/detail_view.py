"""Lines of the detail screen: facts, attempts, the exact call, and the record as it was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sprig_tui.console.deliveries.repair import repair_text
from sprig_tui.console.deliveries.row_format import (
    NO_VALUE,
    STATE_STYLES,
    ignored_until,
    state_word,
)
from sprig_tui.console.environments.status import environment_title
from sprig_tui.console.payload.views.base import CopiedText, RecordView, Span, SpanLine, wrap
from sprig_tui.console.payload.views.json import JsonView, is_json
from sprig_tui.console.payload.views.text import NoteView, RawView
from sprig_tui.formatting import local_time
from sprig_tui.journal.content import CONTENT_DROPPED_TEXT, record_absence
from sprig_tui.journal.records import Attempt, Delivery, DeliveryDetail, State
from sprig_tui.reasons import Reason
from sprig_tui.segment.limits import MAX_EVENT_BYTES
from sprig_tui.segment.outcome import error_sentence, plain_error
from sprig_tui.text import one_line

LABEL_CELLS = 14
"""Width of the labels."""
_OUTCOMES = {"delivered": "good", "refused": "bad", "retry": "warning", "key-refused": "bad"}


class Fact(NamedTuple):
    """A line above the JSON."""

    spans: SpanLine
    leads_to: int = 0
    """Id of the delivery that the line links to; 0 for none."""


class DetailContent(RecordView):
    """Everything about a delivery; JSON can be folded in place."""

    def __init__(
        self,
        detail: DeliveryDetail,
        now: int,
        derived: Sequence[Delivery] = (),
        *,
        more_derived: bool = False,
        origin: Delivery | None = None,
    ) -> None:
        """`now` is ms since 1970; `origin` the delivery that this one came from, where it is known.

        `derived` are the first deliveries that came from this one; `more_derived` says that there are more.
        """
        self._origin = origin
        self._detail = detail
        self._now = now
        self._derived = tuple(derived)
        self._more_derived = more_derived
        self._facts: list[Fact] = []
        self._parts: list[tuple[str, RecordView]] = []
        if detail.body:
            self._parts.append((call_heading(detail.delivery), _payload_view(detail.body)))
        if detail.raw:
            self._parts.append(("as it came in", _payload_view(detail.raw)))
        elif not detail.delivery.content_dropped:
            self._parts.append(("as it came in", NoteView(record_absence(detail))))
        self._lay_out()

    def __len__(self) -> int:
        return len(self._facts) + sum(len(view) + 2 for _, view in self._parts)

    def line(self, index: int) -> SpanLine:
        if index < len(self._facts):
            return self._facts[index].spans
        title, view, at = self._place(index)
        if at < 0:
            return _heading(title, self.width) if at == -1 else ()
        return view.line(at)

    def resize(self, width: int) -> None:
        """Wrap the facts again for this width."""
        super().resize(width)
        for _, view in self._parts:
            view.resize(width)
        self._lay_out()

    def toggle(self, index: int) -> bool:
        """Fold or unfold a line of JSON; returns whether anything changed."""
        if index < len(self._facts):
            return False
        _, view, at = self._place(index)
        return at >= 0 and view.toggle(at)

    def leads_to(self, index: int) -> int:
        """Id of the delivery that a line links to; 0 for none."""
        return self._facts[index].leads_to if 0 <= index < len(self._facts) else 0

    def derived_lines(self) -> list[int]:
        """Lines that link to derived deliveries."""
        ids = {delivery.id for delivery in self._derived}
        return [index for index, fact in enumerate(self._facts) if fact.leads_to in ids]

    def copy_line(self, index: int) -> CopiedText | None:
        """The JSON value of a line; for the facts, the message id."""
        if index >= len(self._facts):
            _, view, at = self._place(index)
            return view.copy_line(max(at, 0))
        return CopiedText(self._detail.delivery.message_id, "the message id")

    def _place(self, index: int) -> tuple[str, RecordView, int]:
        """Title and view of a line, and its index there: -2 is the blank line before the part, -1 its heading."""
        at = index - len(self._facts)
        for title, view in self._parts:
            if at < len(view) + 2:
                return title, view, at - 2
            at -= len(view) + 2
        raise IndexError(index)

    def _lay_out(self) -> None:
        self._facts = [
            *_facts(self._detail.delivery, self._now, self.width),
            *_relative_facts(
                self._detail.delivery, self._origin, self._derived, self.width, more_derived=self._more_derived
            ),
            *map(Fact, _attempts(self._detail, self.width)),
        ]


def _payload_view(data: bytes) -> RecordView:
    return JsonView(data) if is_json(data) else RawView(data)


def _heading(text: str, width: int) -> SpanLine:
    return (Span(f"{text} ", "strong"), Span("─" * max(0, width - len(text) - 1), "muted"))


def relation_text(delivery: Delivery, origin: Delivery | None = None) -> str:
    """How a delivery came from another one, which is `origin` where it is known."""
    if delivery.reason == Reason.NEWER_REVISION:
        return "a newer revision of"
    if delivery.reason == Reason.POSSIBLE_DUPLICATE:
        return "another answer under the id of"
    if origin is not None and _repairs(delivery, origin):
        return "repairs"
    if origin is not None and _is_readdressed(origin, delivery):
        return "went to another address before, as"
    return "made by an edit of" if delivery.edited and not (origin and origin.edited) else "sent again as new from"


def derived_text(delivery: Delivery, origin: Delivery) -> str:
    """How a delivery was derived from `origin`."""
    if delivery.reason == Reason.NEWER_REVISION:
        return "a newer revision"
    if delivery.reason == Reason.POSSIBLE_DUPLICATE:
        return "another answer under its id"
    if _repairs(delivery, origin):
        return "repairs it"
    if delivery.edited and not origin.edited:
        return "made of it by an edit"
    return "the same for another address" if _is_readdressed(origin, delivery) else "sent again as new"


def _repairs(delivery: Delivery, origin: Delivery) -> bool:
    return origin.state is State.WITHHELD and origin.repaired_by == delivery.id


def _is_readdressed(origin: Delivery, derived: Delivery) -> bool:
    """Whether a run with `--endpoint` bound the two deliveries for different endpoints."""
    return origin.bound_for != derived.bound_for


def call_heading(delivery: Delivery) -> str:
    """The heading of the call, which says whether it was sent."""
    if delivery.attempts:
        return "the call, as it is sent but for sentAt"
    if delivery.state is State.WITHHELD:
        return "the call, which was not sent"
    return "the call, as it will be sent but for sentAt"


def full_time(milliseconds: int) -> str:
    """A local date and time, to the millisecond; a dash for 0."""
    if not milliseconds:
        return NO_VALUE
    at = local_time(milliseconds)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"


def _facts(delivery: Delivery, now: int, width: int) -> Iterator[Fact]:
    word = delivery.state.value if delivery.repaired_by else state_word(delivery)
    withheld = delivery.state is State.WITHHELD
    cause = (
        (f"{delivery.reason}: {delivery.detail}" if delivery.detail else delivery.reason)
        if withheld
        else error_sentence(delivery.error)
    )
    yield from _fact("state", word, STATE_STYLES[delivery.state], width)
    if cause:
        yield from _fact("because", cause, "", width)
    if delivery.repaired_by:
        yield from _fact("repaired", f"by delivery {delivery.repaired_by}, which takes its place", "good", width)
    elif repair := repair_text(delivery):
        yield from _fact("repair", repair, "", width)
    if delivery.state is State.QUEUED and delivery.due_at > now:
        yield from _fact("tried again", f"at {full_time(delivery.due_at)}", "", width)
    if until := ignored_until(delivery, now):
        yield from _fact("repeats", f"Segment will ignore this message id until {until}", "", width)
    if delivery.detail and not withheld:
        yield from _fact("note", delivery.detail, "warning", width)
    yield from _fact("environment", environment_title(delivery.environment) or "unknown", "", width)
    if delivery.bound_for:
        yield from _fact("bound for", f"{delivery.bound_for} alone, the --endpoint of a run", "warning", width)
    yield from _fact(
        "survey", delivery.survey_name + (f"  ({delivery.survey_id})" if delivery.survey_id else ""), "", width
    )
    yield from _fact("user", delivery.shown_user, "", width)
    if not delivery.content_dropped:
        yield from _fact(
            "answer",
            f"{delivery.answer}  ({delivery.question_type})" if delivery.question_type else delivery.answer,
            "",
            width,
        )
    else:
        yield from _fact("content", CONTENT_DROPPED_TEXT, "warning", width)
    yield from _fact("answered", full_time(delivery.answered_at), "", width)
    yield from _fact("arrived", full_time(delivery.added_at), "", width)
    if delivery.settled_at:
        yield from _fact("settled", full_time(delivery.settled_at), "", width)
    place = f"{delivery.source}, line {delivery.line:,}" if delivery.line else delivery.source
    yield from _fact("came from", place + ("  (edited before sending)" if delivery.edited else ""), "", width)
    yield from _fact("message id", delivery.message_id, "", width)
    yield from _fact(
        "size", f"{delivery.size:,} bytes of {MAX_EVENT_BYTES // 1024} KB" if delivery.size else "", "", width
    )


def _relative_facts(
    delivery: Delivery, origin: Delivery | None, derived: Sequence[Delivery], width: int, *, more_derived: bool
) -> Iterator[Fact]:
    """Link lines: the origin, and the deliveries derived from this one."""
    if delivery.origin_id:
        text = f"{relation_text(delivery, origin)} delivery {delivery.origin_id}: o shows it"
        yield from _fact("origin", text, "accent", width, leads_to=delivery.origin_id)
    name = "made of it"
    key = "O" if len(derived) == 1 else "enter"
    for other in derived:
        text = f"delivery {other.id}, {derived_text(other, delivery)}, {state_word(other)}: {key} shows it"
        yield from _fact(name, text, "accent", width, leads_to=other.id)
        name = ""
    if more_derived:
        yield from _fact(name, f"and more: filter the log by origin:{delivery.id}", "muted", width)


def _fact(name: str, value: str, style: str, width: int, *, leads_to: int = 0) -> Iterator[Fact]:
    label = Span(f"{name:<{LABEL_CELLS}}", "muted")
    for line in wrap(value or NO_VALUE, max(20, width - LABEL_CELLS)):
        yield Fact((label, Span(line, style)), leads_to)
        label = Span(" " * LABEL_CELLS)


def _attempts(detail: DeliveryDetail, width: int) -> Iterator[SpanLine]:
    delivery = detail.delivery
    yield ()
    yield _heading(f"attempts  {delivery.attempts}", width)
    if not detail.history:
        yield (Span("not sent yet" if delivery.state is State.QUEUED else "never sent", "muted"),)
    elif len(detail.history) < delivery.attempts:
        yield (Span("each failed one, and the one that ended it", "muted"),)
    if any(attempt.outcome == "refused" and attempt.events > 1 for attempt in detail.history):
        text = "a rejected request is split until the faulty delivery is alone; the others get through in more requests"
        for part in wrap(text, width):
            yield (Span(part, "muted"),)
    for number, attempt in enumerate(detail.history, 1):
        yield from _attempt(number, attempt, width)


def _attempt(number: int, attempt: Attempt, width: int) -> Iterator[SpanLine]:
    style = _OUTCOMES.get(attempt.outcome, "")
    many = f"{attempt.events:,} deliveries" if attempt.events != 1 else "1 delivery"
    yield (
        Span(f"{number:>3}  ", "muted"),
        Span(full_time(attempt.started_at)),
        Span(f"  {attempt.status or NO_VALUE:>3}  ", style),
        Span(f"{attempt.outcome:<12}", style),
        Span(f"{attempt.latency_ms:>8,.0f} ms", "muted"),
    )
    to = f" to {attempt.endpoint}" if attempt.endpoint else ""
    sent = f"{many} in {attempt.body_bytes:,} bytes{to}"
    error = "" if attempt.error == plain_error(attempt.status) else attempt.error
    for text, name in ((sent, "sent"), (error, "error"), (attempt.excerpt, "response")):
        if text:
            label = f"     {name:<{LABEL_CELLS - 5}}"
            for line in wrap(text, max(20, width - LABEL_CELLS)):
                yield (Span(label, "muted"), Span(line))
                label = " " * LABEL_CELLS


def delivery_heading(delivery: Delivery) -> str:
    """The title of the screen."""
    survey = one_line(delivery.survey_name or delivery.survey_id, limit=60)
    user = one_line(delivery.shown_user, limit=40)
    return "  ".join(part for part in (f"delivery {delivery.id}", survey, user, state_word(delivery)) if part)
