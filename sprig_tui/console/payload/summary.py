"""Title and verdict of a payload: its position, its problems and size, and where it would be sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from textual.content import Content

from sprig_tui.config.environment import Environment
from sprig_tui.console.environments.status import environment_title
from sprig_tui.console.payload.inspection import Inspection
from sprig_tui.console.payload.views import VIEW_NAMES
from sprig_tui.console.payload.views.base import Span, shorten
from sprig_tui.console.theme import MUTED
from sprig_tui.journal.records import State
from sprig_tui.journal.resend import repair_way
from sprig_tui.reasons import Reason
from sprig_tui.segment.limits import MAX_EVENT_BYTES
from sprig_tui.segment.lints import PLAN_CODES
from sprig_tui.text import one_line, printable

_STYLES = {
    "good": "$text-success",
    "bad": "$text-error",
    "warning": "$text-warning",
    "accent": "$text-accent",
    "muted": MUTED,
}
_RULE = " ── "
LIST_NAME = "List"
"""Name of the list of records among the views."""
_MIN_NAME_CELLS = 12
_DOT = Span(" · ", "muted")
_REASON_TEXTS = {
    Reason.ANONYMOUS: "anonymous",
    Reason.TEST_WEBHOOK: "a test webhook",
    Reason.NOT_AN_ANSWER: "not an answer",
    Reason.DELETED: "deleted in Sprig",
    Reason.ENVIRONMENT_UNKNOWN: "environment unknown",
    Reason.POSSIBLE_DUPLICATE: "a possible duplicate",
    Reason.NEWER_REVISION: "a newer revision of an answer already sent",
    Reason.INVALID: "invalid",
    Reason.TOO_LARGE: "too large",
    Reason.WITHDRAWN: "withdrawn; r queues it again",
    Reason.SUPPRESSED: "a user that Segment suppresses",
    Reason.FORGOTTEN: "a person who was forgotten",
}


class RecordPosition(NamedTuple):
    """Position of a record in its file."""

    name: str
    number: int
    """From 1."""
    total: int
    complete: bool
    """Whether `total` is final."""
    problems_only: tuple[int, int, bool] | None = None
    """With the filter for problem records: rank from 1, number, and whether that number is final."""


def position_text(position: RecordPosition, room: int) -> str:
    """`name  14 of 200`; a long name is cut in its middle."""
    more = "" if position.complete else "+"
    text = f"{position.number:,} of {position.total:,}{more}"
    if position.problems_only is not None:
        rank, number, final = position.problems_only
        text += f"  ! {rank:,} of {number:,}{'' if final else '+'}"
    return f"{shorten(one_line(position.name, limit=400), max(room - len(text) - 2, 5))}  {text}"


def delivery_text(inspection: Inspection, room: int) -> str:
    """Number and origin of a delivery of the log."""
    delivery = inspection.delivery
    text = "" if delivery is None else f"  delivery {delivery.id}{', mapped again' if inspection.remapped else ''}"
    place = one_line(inspection.place[-400:])
    return f"{shorten(place, max(room - len(text), 8), keep_start=False)}{text}"


def verdict_spans(inspection: Inspection, environments: Mapping[str, Environment]) -> tuple[Span, ...]:
    """The bottom line: problems, size, and where the record would be sent."""
    parts = [
        *_edited_spans(inspection),
        *_count_spans(inspection),
        _size_span(inspection),
        _fate_span(inspection, environments),
    ]
    spans = [part for part in parts if part.text]
    return tuple(shown for index, span in enumerate(spans) for shown in ((_DOT, span) if index else (span,)))


def reason_line(inspection: Inspection, environments: Mapping[str, Environment]) -> str:
    """The line below it: the reason for withholding, or the next step; empty where there is none."""
    if inspection.rules_error or inspection.detail:
        return one_line(inspection.rules_error or inspection.detail, limit=600)
    if inspection.withheld == Reason.ANONYMOUS:
        return "the record has no User ID; Segment would drop it without a word"
    whole = [lint.message for lint in inspection.lints if not lint.path]
    if whole:
        return one_line("; ".join(whole), limit=600)
    plan = [f"{lint.path}: {lint.message}" for lint in inspection.lints if lint.code in PLAN_CODES]
    if plan:
        return one_line("; ".join(plan), limit=600)
    environment = environments.get(inspection.environment)
    if (
        inspection.delivery is None
        and environment is not None
        and environment.write_key is None
        and not inspection.withheld
    ):
        return f"{inspection.environment} has no write key yet: press a in Environments to add one"
    return ""


def payload_title(inspection: Inspection | None, position: RecordPosition | None, view: str, width: int) -> Content:
    """Title in `width` cells, such as `Payload ── answers.jsonl  14 of 200 ── [Fields] JSON  Raw  curl`; tabs click."""
    head = "Payload"
    tabs = _tabs(view)
    room = width - len(head) - 2 * len(_RULE) - tabs.cell_length
    if inspection is None:
        return Content(head)
    if room < _MIN_NAME_CELLS:
        # the name comes first: the views also have keys
        tabs, room = Content(f"[{view}]"), width - len(head) - 2 * len(_RULE) - len(view) - 2
    what = position_text(position, room) if position is not None else delivery_text(inspection, room)
    return Content.assemble(head, _RULE, Content(what), _RULE, tabs)


def verdict_content(spans: Sequence[Span], reason: str) -> Content:
    """The bottom line and, below it, the reason."""
    parts = [Content.styled(printable(text), _STYLES.get(role, "")) for text, role, _ in spans]
    if reason:
        parts.append(Content.styled(f"\n{printable(reason)}", MUTED))
    return Content("").join(parts)


@cache
def _tabs(view: str) -> Content:
    if view == LIST_NAME:
        return Content.from_markup('[@click="list_records"]$text[/]', text=f"[{LIST_NAME}]")
    names = [f"[{name}]" if name == view else f" {name} " for name in VIEW_NAMES]
    # markup carries the click; it is safe because the names are constants
    markup = [f"[@click=\"view('{name}')\"]" for name in VIEW_NAMES]
    return Content("").join(
        Content.from_markup(f"{click}$text[/]", text=text) for click, text in zip(markup, names, strict=True)
    )


def _edited_spans(inspection: Inspection) -> Iterator[Span]:
    if inspection.edited:
        yield Span("edited", "accent")


def _count_spans(inspection: Inspection) -> Iterator[Span]:
    for level, noun, role in (("error", "error", "bad"), ("warning", "warning", "warning")):
        number = sum(field.level == level for field in inspection.fields)
        number += sum(lint.level == level and not lint.path for lint in inspection.lints)
        if number:
            yield Span(f"{number} {noun}{'s' if number > 1 else ''}", role)


def _size_span(inspection: Inspection) -> Span:
    if not inspection.body:
        return Span("no record" if inspection.no_record else f"{len(inspection.raw):,} bytes as read", "muted")
    size = len(inspection.body)
    return Span(f"{size:,} bytes of {MAX_EVENT_BYTES // 1024} KB", "bad" if size > MAX_EVENT_BYTES else "")


def _fate_span(inspection: Inspection, environments: Mapping[str, Environment]) -> Span:
    delivery = inspection.delivery
    name = one_line(environment_title(inspection.environment), limit=40)
    if delivery is not None and not inspection.remapped:
        if delivery.state is State.WITHHELD:
            step = "; m repairs it" if repair_way(delivery) == "edit" else ""
            return Span(f"withheld: {_reason_text(delivery.reason)}{step}", "warning")
        outcome = {State.DELIVERED: "sent to", State.FAILED: "rejected by", State.QUEUED: "queued for"}[delivery.state]
        role = {State.DELIVERED: "good", State.FAILED: "bad", State.QUEUED: "accent"}[delivery.state]
        status = f", {delivery.status}" if delivery.status else ""
        return Span(f"{outcome} {name}{status}", role)
    if inspection.rules_error:
        return Span("cannot be sent now", "bad")
    if inspection.withheld:
        return Span(f"would be withheld: {_reason_text(inspection.withheld)}", "warning")
    protected = " (protected)" if name and (one := environments.get(inspection.environment)) and one.protected else ""
    return Span(f"would be sent to {name}{protected}", "good")


def _reason_text(reason: str) -> str:
    try:
        return _REASON_TEXTS[Reason(reason)]
    except ValueError:
        return one_line(reason, limit=60)
