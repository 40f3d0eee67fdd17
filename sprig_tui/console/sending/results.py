"""Results of sending and pulling: what became of records, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sprig_tui.ingest.ingest import IngestResult
from sprig_tui.journal.records import REMOVED_ID, AddResult, State
from sprig_tui.reasons import Reason

MOST_REASONS = 3
"""Reasons that a line of counts names; the others are added up."""


def ingest_text(result: IngestResult) -> str:
    """Counts of the records ingested so far, or in the end."""
    parts = [f"{result.records:,} {records_text(result.records)}"]
    if result.repeats:
        parts.append(f"{result.repeats:,} of them {'a repeat' if result.repeats == 1 else 'repeats'}")
    if before := result.known - result.repeats:
        since = f" ({result.removed:,} removed from the journal since)" if result.removed else ""
        parts.append(f"{before:,} known from before{since}")
    states: Counter[State] = Counter()
    reasons: Counter[str] = Counter()
    for (state, reason), number in result.new_states.items():
        states[state] += number
        if reason:
            reasons[reason] += number
    parts += [f"{states[state]:,} {state.value}" for state in State if states[state]]
    named = reasons.most_common(MOST_REASONS)
    others = reasons.total() - sum(number for _, number in named)
    why = ", ".join(
        [*(f"{reason} {number:,}" for reason, number in named), *([f"others {others:,}"] if others else [])]
    )
    return ", ".join(parts) + (f" ({why})" if why else "")


def ingest_end_text(result: IngestResult) -> str:
    """Counts of the ingested records, with a line about those that can be sent only after a repair."""
    anonymous = sum(number for (_, reason), number in result.new_states.items() if reason == Reason.ANONYMOUS)
    return ingest_text(result) + (f"\n{never_sent(anonymous)}" if anonymous else "")


def never_sent(number: int) -> str:
    """The line about answers without a User ID."""
    return f"{number:,} {are_text(number)} withheld (no User ID) and can be sent only after a repair."


def is_queued(result: AddResult) -> bool:
    """Whether a record that was just journaled is sent."""
    return result.state is State.QUEUED and result.outcome != "known"


def added_text(added: Sequence[AddResult], *, journal_only: bool) -> str:
    """What became of records that were just journaled; with `journal_only` this process delivers nothing."""
    if len(added) > 1:
        anonymous = sum(result.reason == Reason.ANONYMOUS for result in added)
        text = f"{sum(map(is_queued, added)):,} of {len(added):,} records queued"
        return f"{text}\n{never_sent(anonymous)}" if anonymous else text
    (result,) = added
    if result.outcome == "known" and result.id == REMOVED_ID:
        return f"known from before, {result.state.value}, and removed from the journal since"
    if result.outcome == "known":
        return f"known: it is delivery {result.id}, {result.state.value}; r in Deliveries sends it again"
    if is_queued(result):
        return f"queued as delivery {result.id}{', not delivered from here (--no-engine)' if journal_only else ''}"
    if result.reason == Reason.ANONYMOUS:
        return f"withheld as delivery {result.id}: it has no User ID and can be sent only after a repair"
    return f"withheld as delivery {result.id}: {result.reason}"


def records_text(number: int) -> str:
    """The noun after a number."""
    return "record" if number == 1 else "records"


def are_text(number: int) -> str:
    """The verb after a number."""
    return "is" if number == 1 else "are"
