"""Retention: how long the journal keeps deliveries and their content. Pure, shared by both stores and the worker.

One process at a time applies it: it holds a turn, which a killed process loses after TURN_MS. Turn, cursors and totals
are one entry of the journal's positions, changed in the transaction of each step, so that backups and copies have them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from sprig_tui.formatting import format_duration
from sprig_tui.journal.records import State
from sprig_tui.journal.rows import CONTENT_DROPPED, STATE_CODES
from sprig_tui.reasons import Reason

STATE_KIND, STATE_KEY = "retention", "state"
"""Place of the state among the journal's positions."""
TURN_MS = 60_000
"""A turn without a step for this long is over."""
SCAN_ROWS = 20_000
"""Ids that one read looks at."""
FULL_PASS_MS = 24 * 3_600_000
"""Between two passes over the whole journal; others begin where the last one ended."""

FROM_DELIVERIES = "FROM deliveries d LEFT JOIN attempts a ON a.id = d.attempt"
"""SQL for deliveries `d`, each with its last request `a`."""
ENDED_AT = "coalesce(a.started_at + a.latency_ms, d.added_at)"
"""SQL for the time that such a delivery ended."""


class RetentionPolicy(Struct, frozen=True):
    """How long ended deliveries are kept, ms, by state, and their content; 0 for always. Queued ones always are."""

    delivered_ms: int = 0
    failed_ms: int = 0
    withheld_ms: int = 0
    content_ms: int = 0

    @property
    def is_active(self) -> bool:
        """Whether anything is ever removed."""
        return self != RetentionPolicy()

    @property
    def longest_content_ms(self) -> int:
        """How long content is kept wherever it is; 0 for always."""
        rows = (self.delivered_ms, self.failed_ms, self.withheld_ms)
        return min((kept for kept in (self.content_ms, max(rows) if all(rows) else 0) if kept), default=0)

    def cutoffs(self, now: int) -> Cutoffs:
        """The times, ms, before which something must have ended to be removed at `now`; 0 removes nothing."""
        delivered, failed, withheld, content = (
            max(0, now - kept) if kept else 0 for kept in msgspec.structs.astuple(self)
        )
        return Cutoffs(delivered, failed, withheld, content)

    def removes_more_than(self, other: RetentionPolicy) -> bool:
        """Whether something that `other` keeps is not kept."""
        mine, others = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return any(kept and (not before or kept < before) for kept, before in zip(mine, others, strict=True))

    def text(self) -> str:
        """Such as `delivered 90 d, failed 180 d, content 14 d`; empty where everything is kept."""
        named = (
            ("delivered", self.delivered_ms),
            ("failed", self.failed_ms),
            ("withheld", self.withheld_ms),
            ("content", self.content_ms),
        )
        return ", ".join(f"{name} {format_duration(kept / 1000)}" for name, kept in named if kept)


class Cutoffs(Struct, frozen=True):
    """Times, ms: what ended before them is removed; 0 for nothing."""

    delivered: int = 0
    failed: int = 0
    withheld: int = 0
    content: int = 0

    @property
    def rows(self) -> int:
        """The latest time before which a delivery may have to go."""
        return max(self.delivered, self.failed, self.withheld)

    def rows_sql(self) -> str:
        """SQL condition on a delivery `d` with its last request `a`: whether it is kept no longer."""
        times = {State.DELIVERED: self.delivered, State.FAILED: self.failed, State.WITHHELD: self.withheld}
        parts = [f"d.state = {STATE_CODES[state]} AND {ENDED_AT} < {time}" for state, time in times.items() if time]
        return f"({' OR '.join(parts)})" if parts else "(1 = 0)"

    def content_sql(self) -> str:
        """SQL condition on a delivery `d` with its last request `a`: whether its content is kept no longer, yet there.

        Of those that go as a whole, the content goes with them.
        """
        if not self.content:
            return "(1 = 0)"
        # a forgotten person's deliveries have none
        kept = f"d.first_try <> {CONTENT_DROPPED} AND d.reason <> '{Reason.FORGOTTEN.value}'"
        return f"(d.state > 0 AND {kept} AND {ENDED_AT} < {self.content})"


class RetentionState(Struct, kw_only=True):
    """Who applies retention, how far it came, and what it did so far."""

    owner: str = ""
    """The worker that has the turn; empty for none."""
    until: int = 0
    """End of the turn without another step, ms."""
    policy: str = ""
    """Of the last pass, as text: another one begins from the first delivery."""
    rows_after: int = 0
    content_after: int = 0
    """Ids up to which the last pass left nothing to do."""
    full_at: int = 0
    """Begin of the last pass over everything, ms."""
    dirty: tuple[int, int] | None = None
    """First and last id of deliveries that were removed while their payloads may be left in a pack."""
    finished_at: int = 0
    """End of the last pass, ms; 0 for none."""
    removed: dict[str, int] = {}
    """Deliveries removed so far, by state."""
    content_dropped: int = 0
    """Deliveries whose content was dropped so far."""
    longest_step_ms: float = 0.0
    """Of the last pass: the longest time that one step held others up."""

    def is_held(self, owner: str, now: int) -> bool:
        """Whether another worker has the turn. One that ends far in the future is of a clock that was set back."""
        return self.owner not in ("", owner) and now < self.until <= now + 2 * TURN_MS

    def end_turn(self, ended: RetentionState | None) -> None:
        """Give the turn back, and take over the cursors and times of a pass that ended."""
        self.owner, self.until = "", 0
        if ended is None:
            return
        self.policy, self.rows_after, self.content_after = ended.policy, ended.rows_after, ended.content_after
        self.full_at, self.finished_at, self.dirty = ended.full_at, ended.finished_at, ended.dirty
        self.longest_step_ms = ended.longest_step_ms


class Step(Struct, frozen=True):
    """What one write did."""

    by_state: dict[State, int] = {}
    """Deliveries that were removed, or whose content was."""
    damaged: int = 0
    """Packs that cannot be read, and so were left."""
    took_ms: float = 0.0
    """How long it held others up."""
    lost: bool = False
    """Whether another worker has the turn now: nothing was done."""


class Due(Struct, frozen=True):
    """What one read found."""

    ids: tuple[int, ...]
    """Deliveries, or first ids of packs, ascending."""
    reached: int
    """The last id that was looked at."""
    done: bool
    """Whether nothing after it can be due."""
    past: bool = False
    """Whether all that was looked at was added before the time that counts, so that hardly any of it is due later."""


class SlackPage(Struct, frozen=True):
    """A leaf page of an SQLite file with content between its rows, as the file had it."""

    table: str
    row: int
    """Id of the smallest row in it."""
    payload: int
    """Bytes of that row."""
    free: int
    """Bytes of the page that no row uses."""
    usable: int
    """Bytes of a page."""


SLACK_ROUNDS = 3
"""Searches for slack at most: what others changed meanwhile is found again."""
_SLACK_STEP_PAGES, _SLACK_STEP_BYTES = 16, 500_000
"""Pages cleared in one transaction, and the size of the rows that grow in them."""


def slack_steps(pages: Sequence[SlackPage]) -> Iterator[list[SlackPage]]:
    """The pages of each transaction."""
    step: list[SlackPage] = []
    for page in pages:
        if step and (len(step) == _SLACK_STEP_PAGES or sum(one.payload for one in step) > _SLACK_STEP_BYTES):
            yield step
            step = []
        step.append(page)
    if step:
        yield step


class RetentionStore(Protocol):
    """Retention of one journal. Every method may raise JournalError; then it has changed nothing."""

    step_rows: tuple[int, int]
    """The least and the most deliveries to remove in one step."""

    async def state(self) -> RetentionState:
        """The state as it is stored."""
        ...

    async def take_turn(self, owner: str) -> RetentionState | None:
        """Take the turn; None where another worker has it."""
        ...

    async def end_turn(self, owner: str, state: RetentionState | None) -> None:
        """Give the turn back, and store the cursors and times of a pass that ended; None for one that was aborted."""

    async def due_rows(self, cutoffs: Cutoffs, after: int) -> Due:
        """Deliveries above id `after` that are kept no longer."""
        ...

    async def remove(self, owner: str, cutoffs: Cutoffs, ids: Sequence[int]) -> Step:
        """Remove those that are still due, as `Journal.prune` does: what Segment took stays known."""
        ...

    async def due_packs(self, cutoffs: Cutoffs, after: int) -> Due:
        """Packs with content above delivery `after` that is kept no longer."""
        ...

    async def orphaned_packs(self, first: int, last: int) -> tuple[int, ...]:
        """Packs of these ids of which deliveries are missing."""
        ...

    async def clean_pack(self, owner: str, cutoffs: Cutoffs, first: int) -> Step:
        """Drop the content of a pack that is kept no longer, or whose delivery is gone."""
        ...

    async def tidy_tombstones(self) -> None:
        """Keep the index of tombstones small."""

    async def unused_attempts(self, before: int) -> list[int]:
        """Requests before this time that no delivery refers to; reads every delivery."""
        ...

    async def delete_attempts(self, owner: str, ids: Sequence[int]) -> Step:
        """Delete these requests."""
        ...

    async def find_slack(self, ids: tuple[int, int], *, requests: bool) -> Sequence[SlackPage]:
        """Where copies of what was removed may be left, around deliveries of these ids, and in all requests."""
        ...

    async def clear_slack(self, owner: str, pages: Sequence[SlackPage]) -> Step:
        """Clear these places."""
        ...

    async def give_back_space(self, owner: str) -> Step | None:
        """Give some unused pages back to the file system; None where there are none."""
        ...

    async def empty_log(self) -> None:
        """Empty the log of writes, which holds what was removed, where the store is a file."""


_decode_state = msgspec.json.Decoder(RetentionState, strict=False).decode


def state_from(value: bytes | None) -> RetentionState:
    """The stored state; an empty one for none, or for one that cannot be read."""
    try:
        return _decode_state(value) if value else RetentionState()
    except msgspec.DecodeError:
        return RetentionState()


def count_step(state: RetentionState, by_state: dict[State, int], *, content: bool) -> None:
    """Add what a step did to the totals."""
    if content:
        state.content_dropped += sum(by_state.values())
        return
    for name, number in by_state.items():
        state.removed[name.value] = state.removed.get(name.value, 0) + number


def widened(dirty: tuple[int, int] | None, first: int, last: int) -> tuple[int, int]:
    """The range with these ids."""
    return (first, last) if dirty is None else (min(dirty[0], first), max(dirty[1], last))
