"""Where the records of a file would go, counted before anybody is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable

from msgspec import Struct

from sprig_tui.delivery.feeding import Fed
from sprig_tui.intake import Intake
from sprig_tui.journal.records import State
from sprig_tui.sprig.records import Record, Unsendable

TELL_EVERY = 1_000
"""Records between two words of progress."""


class Plan(Struct, frozen=True):
    """Counted records."""

    total: int = 0
    by_environment: dict[str, int] = {}
    """Answers by the environment they would go to; under an empty name those whose environment is unknown."""
    unsendable: int = 0
    """Records that are no answer, or cannot be read: they are journaled as withheld."""


def count_records(
    records: Iterable[Record], intake: Intake, *, told: Callable[[int], None], stopped: Callable[[], bool]
) -> Plan | None:
    """Count by route, without mapping; None when stopped. Raises InputError of the reader."""
    total = unsendable = 0
    routes: Counter[str] = Counter()
    for record in records:
        total += 1
        if total % TELL_EVERY == 0:
            if stopped():
                return None
            told(total)
        if isinstance(record, Unsendable):
            unsendable += 1
        else:
            routes[intake.route(record).environment] += 1
    return Plan(total, dict(routes), unsendable)


def plan_text(plan: Plan, protected: Collection[str], keyless: Collection[str] = ()) -> str:
    """What would happen, one line per environment; those in `keyless` have no Write Key yet."""
    lines = []
    for name, number in sorted(plan.by_environment.items()):
        about = ["is protected"] if name in protected else []
        about += ["has no write key yet: they wait for one"] if name in keyless else []
        if name:
            lines.append(f"{number:,} to {name}{', which ' if about else ''}{' and '.join(about)}")
    if unknown := plan.by_environment.get("", 0):
        lines.append(f"{unknown:,} of an unknown environment: kept, not sent")
    if plan.unsendable:
        lines.append(f"{plan.unsendable:,} that are no answers, or cannot be read: kept, not sent")
    lines.append("Those without a User ID and the like are kept too, and not sent; nothing is sent twice.")
    return "\n".join(lines)


def consent(plan: Plan) -> str:
    """What the button says: how many are to be sent, not how many are kept beside them."""
    going = sum(number for name, number in plan.by_environment.items() if name)
    return f"Send {going:,}" if going else f"Keep {plan.total:,}"


def name_to_type(plan: Plan, protected: Collection[str]) -> str:
    """The protected environment whose name has to be typed: the one that gets the most; empty where there is none."""
    hit = [(number, name) for name, number in plan.by_environment.items() if name in protected]
    return max(hit)[1] if hit else ""


def fed_text(fed: Fed) -> str:
    """What became of the records so far, or in the end."""
    parts = [f"{fed.records:,} {'record' if fed.records == 1 else 'records'}"]
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
