"""Listed record: what would become of a record of an open file, as a line of the list and for filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from sprig_tui.console.payload.inspection import PlanCheck, has_problems, no_plan
from sprig_tui.ingest import EntryBuilder
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import Delivery, NewDelivery, State
from sprig_tui.reasons import Reason
from sprig_tui.sprig.records import Record, Unsendable

Fate = Literal["sent", "withheld", "unreadable"]

EditLookup = Callable[[int, Record], Record | None]
"""The record as edited in the console, by number and record; None for one that was not edited."""


def never_edited(_: int, __: Record) -> Record | None:
    """The lookup of a file without edits."""
    return None


class ListedRecord(Struct, frozen=True, gc=False):
    """One line of the list."""

    number: int
    """From 0."""
    delivery: Delivery
    """The delivery that it would be; its id is the number from 1, and its time that of the answer."""
    fate: Fate
    why: str
    """Reason for withholding, or the first problem of a record that would be sent; empty for none."""
    question: str = ""
    """Text of the question; empty where the record has none, or cannot be read."""


class RecordAssessor:
    """Assesses records by the present rules and environments, as sending would. For one thread only."""

    def __init__(
        self,
        builder: EntryBuilder,
        now_ms: int,
        check_plan: PlanCheck = no_plan,
        edited_at: EditLookup = never_edited,
    ) -> None:
        self._builder = builder
        self._now_ms = now_ms
        self._check_plan = check_plan
        self._edited_at = edited_at

    def listed(self, number: int, record: Record) -> ListedRecord:
        """The line of a record."""
        record, delivery = self._delivery(number, record)
        question = "" if isinstance(record, Unsendable) else record.question
        if not delivery.reason:
            return ListedRecord(number, delivery, "sent", self._first_problem(record, delivery.environment), question)
        unreadable = isinstance(record, Unsendable) and record.reason is Reason.INVALID
        why = f"{delivery.reason}: {delivery.detail}" if delivery.detail else delivery.reason
        return ListedRecord(number, delivery, "unreadable" if unreadable else "withheld", why, question)

    def matches(self, number: int, record: Record, query: Query, *, only_problems: bool) -> bool:
        """Whether a filter matches the record and, with `only_problems`, whether the record has a problem too."""
        if only_problems:
            edited = self._edited_at(number, record) or record
            if not has_problems(edited, self._builder, self._now_ms, self._check_plan):
                return False
        return not query.terms or query.matches(self._delivery(number, record)[1])

    def _delivery(self, number: int, record: Record) -> tuple[Record, Delivery]:
        """The record, as edited, and the delivery that it would be."""
        edited = self._edited_at(number, record)
        record = edited or record
        return record, _as_delivery(number, self._builder.entry(record, edited=edited is not None))

    def _first_problem(self, record: Record, environment: str) -> str:
        if isinstance(record, Unsendable):
            return ""
        mapping = self._builder.mapper.map(record, environment=environment, now_ms=self._now_ms)
        for lint in (*mapping.lints, *self._check_plan(environment, mapping.body)):
            return f"{lint.path}: {lint.message}" if lint.path else lint.message
        return ""


def _as_delivery(number: int, entry: NewDelivery) -> Delivery:
    return Delivery(
        id=number + 1,
        environment=entry.environment,
        message_id=entry.message_id,
        state=State.WITHHELD if entry.reason else State.QUEUED,
        reason=entry.reason,
        detail=entry.detail,
        survey_id=entry.survey_id,
        survey_name=entry.survey_name,
        user_id=entry.user_id,
        question_type=entry.question_type,
        answer=entry.answer,
        answered_at=entry.answered_at,
        added_at=entry.answered_at,
        due_at=0,
        attempts=0,
        status=0,
        error="",
        latency_ms=0.0,
        settled_at=0,
        source=entry.source,
        line=entry.line,
        leased=False,
        size=len(entry.body),
        edited=entry.edited,
        origin_id=0,
        bound_for=entry.endpoint,
    )
