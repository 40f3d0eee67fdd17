"""Report of a run: its deliveries by state and reason, as text and as JSON, and the exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from sprig_tui.cli import diagnostics
from sprig_tui.errors import ExitCode
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import State
from sprig_tui.journal.resend import RESENDABLE_REASONS
from sprig_tui.reasons import reason_label
from sprig_tui.segment.outcome import error_sentence

if TYPE_CHECKING:
    from sprig_tui.delivery.wait import Stall
    from sprig_tui.ingest.id_ranges import IdRanges
    from sprig_tui.ingest.ingest import IngestResult
    from sprig_tui.journal.base import Journal


StateCounts = Counter[tuple[State, str]]
MAX_EXAMPLES = 5
"""Withheld and failed deliveries that are listed individually."""
STATE_ORDER = (State.DELIVERED, State.FAILED, State.WITHHELD, State.QUEUED)
STALL_TEXTS = {
    "paused": "paused",
    "held": "",
    "no-key": "no write key",
    "unreachable": "unreachable",
    "journal": "stalled",
}


async def count_states(journal: Journal, ids: IdRanges) -> StateCounts:
    """Count these deliveries by their current state and reason."""
    found: StateCounts = Counter()
    for first, last in ids:
        found.update(await journal.count_by_state(first, last))
    return found


def sum_by_state(tally: StateCounts) -> dict[State, int]:
    """Totals by state, zeros included."""
    numbers = dict.fromkeys(STATE_ORDER, 0)
    for (state, _), number in tally.items():
        numbers[state] += number
    return numbers


def counts_json(tally: StateCounts) -> dict[str, Any]:
    """`delivered`, `failed`, `withheld`, `queued`, and `reasons` of the withheld ones."""
    reasons = {
        reason: number for (state, reason), number in sorted(tally.items()) if state is State.WITHHELD and number
    }
    return {**{state.value: number for state, number in sum_by_state(tally).items()}, "reasons": reasons}


def counts_text(tally: StateCounts) -> str:
    """Such as `198 delivered, 2 withheld (anonymous 1, invalid 1)`."""
    parts = []
    for state, number in sum_by_state(tally).items():
        if not number:
            continue
        reasons = [f"{reason} {count:,}" for (found, reason), count in tally.most_common() if found is state and reason]
        parts.append(f"{number:,} {state.value}" + (f" ({', '.join(reasons)})" if reasons else ""))
    return ", ".join(parts) or "nothing to do"


def unsendable_text(tally: StateCounts) -> str:
    """Such as `3 are withheld (no User ID) and can be sent only after a repair`; empty where all may be."""
    lasting = {
        reason: number
        for (state, reason), number in sorted(tally.items())
        if state is State.WITHHELD and reason not in RESENDABLE_REASONS and number
    }
    total = sum(lasting.values())
    if not total:
        return ""
    words = ", ".join(
        reason_label(reason) + (f" {number:,}" if len(lasting) > 1 else "") for reason, number in lasting.items()
    )
    return f"{total:,} {'is' if total == 1 else 'are'} withheld ({words}) and can be sent only after a repair"


def exit_code_for(tally: Mapping[tuple[State, str], int], stalls: tuple[Stall, ...] = ()) -> ExitCode:
    """The exit code for these counts and stalls."""
    if any(stall.kind in ("unreachable", "journal") for stall in stalls):
        return ExitCode.UNREACHABLE
    ended_badly = any(number for (state, _), number in tally.items() if state in (State.FAILED, State.WITHHELD))
    return ExitCode.REJECTED if stalls or ended_badly else ExitCode.OK


def warn_placeholder_ids(number: int, records: int) -> None:
    """Report placeholder User IDs (`null`, `N/A`). They are sent, since only a person can decide."""
    if number:
        have = "has" if number == 1 else "have"
        diagnostics.info(
            f"{number:,} of {records:,} {have} a User ID that stands for nobody, such as null or N/A:"
            " sprig-tui preview names them"
        )


def end_json(stalls: tuple[Stall, ...], *, interrupted: bool) -> dict[str, Any]:
    """`interrupted` and `standstills`: how a run ended."""
    rows = [{"environment": stall.environment, "why": stall.kind, "cause": stall.cause} for stall in stalls]
    return {"interrupted": interrupted, "standstills": rows}


def print_stalls(stalls: tuple[Stall, ...], command: str = "sprig-tui run") -> None:
    """Report why deliveries are still queued, and what to do. `command` delivers them later."""
    advice = {
        "paused": (
            "set the right key (sprig-tui keys set {name}) or endpoint, then {command} resumes; "
            "if both are right, sprig-tui resume {name} tries at once, and {command} after a while"
        ),
        "oauth": (
            "correct oauth in [environments.{name}], its key file, or the app in Segment, then {command} resumes; "
            "sprig-tui resume {name} tries at once"
        ),
        "held": "sprig-tui log is:held shows what waits, sprig-tui withdraw takes it back, sprig-tui resume {name}"
        " lets {command} send it",
        "no-key": "set one with sprig-tui keys set {name}, then {command} delivers",
        "journal": "fix that, then {command} delivers what is queued; what Segment has already is sent under the"
        " same id, which it drops",
        "unreachable": "all stays queued; {command} delivers when it is back",
    }
    for stall in stalls:
        why = ": ".join(text for text in (STALL_TEXTS[stall.kind], stall.cause) if text)
        diagnostics.warning(
            f"{stall.environment}: {why}",
            advice["oauth" if stall.over_oauth else stall.kind].format(name=stall.environment, command=command),
        )


async def print_examples(journal: Journal, ids: IdRanges, state: State) -> None:
    """List the first few deliveries of this run in a state, and the command that shows the rest."""
    ranges = list(ids)
    if not ranges:
        return
    query = Query((Term("status", state.value),), f"status:{state.value}")
    shown, cursor, more = 0, ranges[0][0] - 1, True
    while more and shown <= MAX_EXAMPLES and cursor < ranges[-1][1]:
        page = await journal.page(query, cursor=cursor, limit=100, direction="newer")
        for delivery in page.deliveries:
            if any(first <= delivery.id <= last for first, last in ranges) and (shown := shown + 1) <= MAX_EXAMPLES:
                where = f"{delivery.source}:{delivery.line}" if delivery.line else delivery.source
                why = delivery.detail or delivery.reason if state is State.WITHHELD else error_sentence(delivery.error)
                status = f"{delivery.status} " if delivery.status and state is State.FAILED else ""
                diagnostics.info(f"  {state.value}  {where or delivery.id}  {status}{why}")
        more = page.more and bool(page.deliveries)
        cursor = page.deliveries[-1].id if page.deliveries else cursor
    if shown > MAX_EXAMPLES:
        diagnostics.info(f"  and more: sprig-tui log status:{state.value}")


def removed_text(removed: int, known: int) -> str:
    """Such as ` (3 of them removed from the journal since)`, of the known records; empty for none."""
    if not removed:
        return ""
    return f" ({f'{removed:,} of them ' if removed < known else ''}removed from the journal since)"


class Account(Struct, frozen=True):
    """Account of a run: records read, and the states of new, known and previously queued deliveries."""

    records: int
    known: int
    """Records that the journal had already."""
    repeats: int
    """Known records that repeat an earlier record of the same run."""
    tally: StateCounts
    """Counts of the new deliveries."""
    queued_before: StateCounts = Counter()
    """Counts of known deliveries that were queued and that this run could deliver."""
    all_counts: StateCounts = Counter()
    """Counts of all deliveries of the input, known ones included; they decide the exit code."""
    removed: int = 0
    """Known records whose delivery was removed from the journal."""

    @property
    def new(self) -> int:
        """Records that were not in the journal before."""
        return self.records - self.known

    def as_json(self) -> dict[str, Any]:
        """The account as JSON."""
        before = {state.value: number for state, number in sum_by_state(self.queued_before).items()}
        return {
            "records": self.records,
            "new": self.new,
            "known": self.known,
            **counts_json(self.tally),
            "queued_before": before,
        }

    def text(self) -> str:
        """Such as `53 records, 49 of them repeats, 3 known from before: 1 delivered; also delivered 2 queued before`.

        A repeat is a copy of a record in the same input; what was not sent by this run is not said to be.
        """
        noun = "record" if self.records == 1 else "records"
        known = self.known - self.repeats
        parts = [f"{self.records:,} {noun}"]
        if self.records and known == self.records:
            return (
                f"{self.records:,} {noun}, all known from before{removed_text(self.removed, known)}: nothing "
                f"new{self._also_text()}{self._known_problems_text()}"
            )
        if self.repeats:
            parts.append(f"{self.repeats:,} of them {'a repeat' if self.repeats == 1 else 'repeats'}")
        if known:
            parts.append(
                f"{known:,} {'' if self.repeats else 'of them '}known from before{removed_text(self.removed, known)}"
            )
        return f"{', '.join(parts)}: {counts_text(self.tally)}{self._also_text()}"

    def _known_problems_text(self) -> str:
        """Failed and withheld deliveries among the known ones; they are named because they decide the exit code."""
        badly: StateCounts = Counter(
            {key: number for key, number in self.all_counts.items() if key[0] in (State.FAILED, State.WITHHELD)}
        )
        return f"; among them {counts_text(badly)}" if badly.total() else ""

    def _also_text(self) -> str:
        total = self.queued_before.total()
        if not total:
            return ""
        numbers = sum_by_state(self.queued_before)
        were = "was" if total == 1 else "were"
        if numbers[State.DELIVERED] == total:
            return f"; also delivered {total:,} that {were} queued before"
        if numbers[State.QUEUED] == total:
            return f"; {total:,} that {were} queued before still {'is' if total == 1 else 'are'}"
        return f"; of {total:,} that {were} queued before: {counts_text(self.queued_before)}"


async def load_account(journal: Journal, result: IngestResult) -> Account:
    """The account of an ingest, with the current states of its deliveries."""
    standing: StateCounts = Counter(
        {key: number for key, number in result.states.items() if key[0] is not State.QUEUED}
    )
    standing.update(await count_states(journal, result.ids))
    return Account(
        result.records,
        result.known,
        result.repeats,
        await count_states(journal, result.added),
        await count_states(journal, result.queued_before),
        standing,
        result.removed,
    )


async def load_account_with_examples(journal: Journal, result: IngestResult) -> Account:
    """The account, after naming the first few new deliveries that failed or are withheld."""
    account = await load_account(journal, result)
    for state in (State.FAILED, State.WITHHELD):
        await print_examples(journal, result.added, state)
    return account
