"""Send plan: counts of the records to send, and the question about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable

import msgspec
from msgspec import Struct

from sprig_tui.console.sending.results import are_text, never_sent, records_text
from sprig_tui.ingest import EntryBuilder
from sprig_tui.sprig.records import Record, Unsendable

CHECK_EVERY_RECORDS = 16
"""Records counted between two calls of `should_stop`."""


class SendPlan(Struct, frozen=True):
    """Counts of the records to send, by what becomes of them."""

    total: int = 0
    """Records counted."""
    by_environment: dict[str, int] = {}
    """Answers by environment; the empty name stands for an unknown one."""
    unsendable: int = 0
    """Records that are no answers, or cannot be read; they are journaled as withheld."""
    anonymous: int = 0
    """Answers without a User ID; they are journaled as withheld, and not in `by_environment`."""
    complete: bool = True
    """Whether all records were counted."""
    estimate: int = 0
    """Estimated number of all records, where the count is not complete."""

    @property
    def records(self) -> int:
        """Number of all records, counted or estimated."""
        return self.total if self.complete else max(self.estimate, self.total)


def count_records(records: Iterable[Record], builder: EntryBuilder, *, should_stop: Callable[[], bool]) -> SendPlan:
    """Count by route, without mapping, until the end or `should_stop`. Raises InputError."""
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
            routes[builder.route(record).environment] += 1
        if total % CHECK_EVERY_RECORDS == 0 and should_stop():
            complete = False
            break
    return SendPlan(total, dict(routes), unsendable, anonymous, complete)


def estimate_plan(plan: SendPlan, *, bytes_read: int, bytes_total: int, counted: int = 0) -> SendPlan:
    """The plan with an estimate of all records: `counted` if it is known, else by the share of bytes read."""
    if plan.complete:
        return plan
    total = counted or round_estimate(plan.total * max(bytes_total, 1) / max(bytes_read, 1))
    return msgspec.structs.replace(plan, estimate=max(total, plan.total))


def round_estimate(number: float) -> int:
    """An estimate, rounded to two digits."""
    whole = round(number)
    return int(float(f"{whole:.1e}")) if whole >= 100 else whole


def send_question(plan: SendPlan, name: str) -> str:
    """The title of the dialog."""
    if plan.complete:
        return f"Send all {plan.total:,} {records_text(plan.total)} of {name}?"
    return f"Send all of {name}, about {plan.records:,} records?"


def plan_text(
    plan: SendPlan,
    protected: Collection[str],
    keyless: Collection[str] = (),
    *,
    edited: int = 0,
    listed: int | None = None,
) -> str:
    """What would be sent, one line per environment; those in `keyless` have no Write Key yet.

    `edited` is the number of records edited in the console, whose edits are not in the file; `listed` that of the
    records that a filter shows, which does not narrow what is sent.
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
            f"{unknown:,} {are_text(unknown)} withheld: {'its' if unknown == 1 else 'their'} environment is unknown."
        )
    if plan.unsendable:
        what = "no answer, or it" if plan.unsendable == 1 else "no answers, or they"
        lines.append(f"{plan.unsendable:,} {are_text(plan.unsendable)} withheld: {what} cannot be read.")
    if listed is not None:
        shows = f"shows {listed:,} of them" if listed else "shows none of them"
        lines.append(f"The list {shows}, but the whole file is sent: * marks what it shows, s sends the marked.")
    if edited:
        was = "was" if edited == 1 else "were"
        lines.append(f"{edited:,} {was} edited here: the file is sent as it is on disk, s sends an edited record.")
    if any(plan.by_environment.keys()):
        lines.append("Some may be withheld yet, such as calls that are too large.")
    lines.append("Nothing is sent twice; what is withheld is kept with its reason.")
    return "\n".join(lines)


def consent_label(plan: SendPlan) -> str:
    """The label of the button: the number to be sent, without those that are only kept."""
    sendable = sum(number for name, number in plan.by_environment.items() if name)
    if not plan.complete:
        return "Send all"
    return f"Send {sendable:,}" if sendable else f"Keep {plan.total:,}"


def name_to_type(plan: SendPlan, protected: Collection[str]) -> str:
    """The protected environment that gets the most records, whose name has to be typed; empty for none."""
    targets = [(number, name) for name, number in plan.by_environment.items() if name in protected]
    return max(targets)[1] if targets else ""
