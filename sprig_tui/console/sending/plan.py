"""Plan of a bulk send: where the records of a file would go, as far as they were looked at before anybody is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable

import msgspec
from msgspec import Struct

from sprig_tui.delivery.feeding import IngestResult
from sprig_tui.intake import EntryBuilder
from sprig_tui.journal.records import State
from sprig_tui.reasons import Reason
from sprig_tui.sprig.records import Record, Unsendable

CHECK_EVERY_RECORDS = 16
"""Records between two looks at whether enough of them were counted."""


class SendPlan(Struct, frozen=True):
    """Counted records."""

    total: int = 0
    """Records counted."""
    by_environment: dict[str, int] = {}
    """Answers by the environment they would go to; under an empty name those whose environment is unknown."""
    unsendable: int = 0
    """Records that are no answer, or cannot be read: they are journaled as withheld."""
    anonymous: int = 0
    """Answers without a User ID: they are journaled as withheld, and are not in `by_environment`."""
    complete: bool = True
    """Whether all records were counted."""
    estimate: int = 0
    """Records in all, as far as that is known where the count is not complete."""

    @property
    def records(self) -> int:
        """Records in all, counted or estimated."""
        return self.total if self.complete else max(self.estimate, self.total)


def count_records(records: Iterable[Record], intake: EntryBuilder, *, should_stop: Callable[[], bool]) -> SendPlan:
    """Count by route, without mapping, until there are no more or it is `enough`. Raises InputError of the reader."""
    total = unsendable = anonymous = 0
    routes: Counter[str] = Counter()
    complete = True
    for record in records:
        total += 1
        if isinstance(record, Unsendable):
            unsendable += 1
        elif not (record.user_id or "").strip():
            anonymous += 1
        else:
            routes[intake.route(record).environment] += 1
        if total % CHECK_EVERY_RECORDS == 0 and should_stop():
            complete = False
            break
    return SendPlan(total, dict(routes), unsendable, anonymous, complete)


def estimate_plan(plan: SendPlan, *, bytes_read: int, bytes_total: int, counted: int = 0) -> SendPlan:
    """The plan with the number of all records: `counted` where that is known, else by the share that was read."""
    if plan.complete:
        return plan
    whole = counted or round_estimate(plan.total * max(bytes_total, 1) / max(bytes_read, 1))
    return msgspec.structs.replace(plan, estimate=max(whole, plan.total))


def round_estimate(number: float) -> int:
    """A number to two digits: an estimate is no better."""
    whole = round(number)
    return int(float(f"{whole:.1e}")) if whole >= 100 else whole


def send_question(plan: SendPlan, name: str) -> str:
    """The title of the dialog."""
    if plan.complete:
        return f"Send all {plan.total:,} {_records_text(plan.total)} of {name}?"
    return f"Send all of {name}, about {plan.records:,} records?"


def plan_text(plan: SendPlan, protected: Collection[str], keyless: Collection[str] = (), *, edited: int = 0) -> str:
    """What would happen, one line per environment; those in `keyless` have no Write Key yet.

    `edited` records were edited in the console; the file does not have that.
    """
    lines = [] if plan.complete else [f"Of the first {plan.total:,}, the rest is counted while it is sent:"]
    for name, number in sorted(plan.by_environment.items()):
        about = ["is protected"] if name in protected else []
        about += ["has no write key yet: they wait for one"] if name in keyless else []
        if name:
            lines.append(f"{number:,} to {name}{', which ' if about else ''}{' and '.join(about)}")
    if plan.anonymous:
        lines.append(never_sent(plan.anonymous))
    if unknown := plan.by_environment.get("", 0):
        lines.append(
            f"{unknown:,} {_are_text(unknown)} withheld: {'its' if unknown == 1 else 'their'} environment is unknown."
        )
    if plan.unsendable:
        what = "no answer, or it" if plan.unsendable == 1 else "no answers, or they"
        lines.append(f"{plan.unsendable:,} {_are_text(plan.unsendable)} withheld: {what} cannot be read.")
    if edited:
        was = "was" if edited == 1 else "were"
        lines.append(f"{edited:,} {was} edited here: the file is sent as it is on disk, s sends an edited record.")
    lines.append("Nothing is sent twice; what is withheld is kept with its reason.")
    return "\n".join(lines)


def never_sent(number: int) -> str:
    """What is said of answers without a User ID."""
    return f"{number:,} {_are_text(number)} withheld (no User ID) and can never be sent."


def consent_label(plan: SendPlan) -> str:
    """What the button says: how many are to be sent, not how many are kept beside them."""
    going = sum(number for name, number in plan.by_environment.items() if name)
    if not plan.complete:
        return "Send all"
    return f"Send {going:,}" if going else f"Keep {plan.total:,}"


def name_to_type(plan: SendPlan, protected: Collection[str]) -> str:
    """The protected environment whose name has to be typed: the one that gets the most; empty where there is none."""
    hit = [(number, name) for name, number in plan.by_environment.items() if name in protected]
    return max(hit)[1] if hit else ""


def ingest_text(fed: IngestResult) -> str:
    """What became of the records so far, or in the end."""
    parts = [f"{fed.records:,} {_records_text(fed.records)}"]
    if fed.repeats:
        parts.append(f"{fed.repeats:,} of them {'a repeat' if fed.repeats == 1 else 'repeats'}")
    if before := fed.known - fed.repeats:
        parts.append(f"{before:,} known from before")
    states: Counter[State] = Counter()
    reasons: Counter[str] = Counter()
    for (state, reason), number in fed.new_states.items():
        states[state] += number
        if reason:
            reasons[reason] += number
    parts += [f"{states[state]:,} {state.value}" for state in State if states[state]]
    why = ", ".join(f"{reason} {number:,}" for reason, number in reasons.most_common(3))
    return ", ".join(parts) + (f" ({why})" if why else "")


def ingest_end_text(fed: IngestResult) -> str:
    """What became of the records in the end, and of those that never can be sent."""
    anonymous = sum(number for (_, reason), number in fed.new_states.items() if reason == Reason.ANONYMOUS)
    return ingest_text(fed) + (f"\n{never_sent(anonymous)}" if anonymous else "")


def _records_text(number: int) -> str:
    return "record" if number == 1 else "records"


def _are_text(number: int) -> str:
    return "is" if number == 1 else "are"
