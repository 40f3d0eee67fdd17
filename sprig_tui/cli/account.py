"""Account of one run: what it read and what became of it, in numbers that add up.

records = new + known, and new = delivered + failed + withheld + queued, for people and for programs alike.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from sprig_tui.cli.tally import StateCounts, count_states, counts_json, counts_text, sum_by_state
from sprig_tui.journal.records import State

if TYPE_CHECKING:
    from sprig_tui.delivery.feeding import IngestResult
    from sprig_tui.journal.contract import Journal


class Account(Struct, frozen=True):
    """What a run read, how the new ones stand now, and how those do that were queued before it."""

    records: int
    known: int
    """Records that were in the journal when they were read."""
    repeats: int
    """Known ones that an earlier record of the same run had brought."""
    tally: StateCounts
    """Of the new ones."""
    queued_before: StateCounts = Counter()
    """Of the known ones that were queued and that this run could deliver."""
    all_counts: StateCounts = Counter()
    """Of all that the input holds, the known ones included: what the exit code tells."""

    @property
    def new(self) -> int:
        """Records that were not in the journal, whatever became of them."""
        return self.records - self.known

    def as_json(self) -> dict[str, Any]:
        """For programs."""
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
                f"{self.records:,} {noun}, all known from before: nothing "
                f"new{self._also_text()}{self._known_problems_text()}"
            )
        if self.repeats:
            parts.append(f"{self.repeats:,} of them {'a repeat' if self.repeats == 1 else 'repeats'}")
        if known:
            parts.append(f"{known:,} {'' if self.repeats else 'of them '}known from before")
        return f"{', '.join(parts)}: {counts_text(self.tally)}{self._also_text()}"

    def _known_problems_text(self) -> str:
        """What is not all right among the known ones: it decides the exit code, so it is said."""
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
    """The account of what was fed, as its deliveries stand now."""
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
    )
