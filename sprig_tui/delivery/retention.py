"""Retention worker: removes what the journal keeps no longer, in short steps, while other work goes on.

Every process that runs for long has one; the journal gives the turn to one of them at a time. A policy that removes
more than the one in use counts only after GRACE_S, so that a slip in the config can be taken back.
"""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from sprig_tui.clock import Clock, MonotonicClock, SystemMonotonicClock
from sprig_tui.errors import JournalError
from sprig_tui.formatting import format_duration
from sprig_tui.journal.base import Journal
from sprig_tui.journal.records import State
from sprig_tui.journal.retention import (
    FULL_PASS_MS,
    SLACK_ROUNDS,
    Cutoffs,
    RetentionPolicy,
    RetentionState,
    Step,
    slack_steps,
    widened,
)

START_DELAY_S = 20.0
"""Seconds before the first pass of a process: its start comes first."""
CHECK_INTERVAL_S = 60.0
"""Seconds between two looks whether a pass is due."""
PASS_INTERVAL_MS = 600_000
"""Between the end of a pass and the next one, of all processes together."""
GRACE_S = 300.0
"""Seconds until a policy that removes more counts."""

MAX_CLOCK_GAP_MS = 7 * 24 * 3_600_000
"""After a longer time without a pass the clock may be wrong."""
CLOCK_HOLD_S = 3_600.0

TARGET_STEP_MS, MAX_STEP_MS = 8.0, 15.0
"""A step that holds others up for less removes more the next time, one for longer less."""
PAUSE_FACTOR = 4.0
"""Pause after a step, as a multiple of the time that it took."""
MIN_PAUSE_S = 0.01
ATTEMPTS_STEP_ROWS = 500

OnReport = Callable[[str], None]
_log = logging.getLogger(__name__)


_CAPTURE_NAME = re.compile(r"\d{8}T\d{6}Z-\d+-\d{5,}-\d{3}\.http")
"""Names that `listen --capture` gives; other files in its folder are left."""


def remove_old_captures(folders: Sequence[Path], before: int) -> int:
    """Remove captured requests that were written before this time, ms; returns how many."""
    removed = 0
    for folder in folders:
        with suppress(OSError):
            for file in [one for one in folder.iterdir() if _CAPTURE_NAME.fullmatch(one.name)]:
                with suppress(OSError):
                    if file.stat().st_mtime * 1000 < before:
                        file.unlink()
                        removed += 1
    return removed


class _TurnLostError(Exception):
    """Another worker has the turn: this one was suspended for too long."""


class RetentionWorker:
    """Applies a policy to a journal until `run` is cancelled. `on_report` gets a sentence on each pass that removed."""

    def __init__(
        self,
        journal: Journal,
        policy: RetentionPolicy,
        *,
        clock: Clock | None = None,
        timing: MonotonicClock | None = None,
        on_report: OnReport = _log.info,
        start_delay_s: float = START_DELAY_S,
        capture_folders: Callable[[], Sequence[Path]] = tuple,
    ) -> None:
        """`capture_folders` are those on this machine of which captured requests are removed too."""
        self._journal = journal
        self._capture_folders = capture_folders
        self._held: tuple[int, float] | None = None
        """End of the last pass, and the monotonic time since which the clock is far ahead of it."""
        self._policy = policy
        self._pending: tuple[RetentionPolicy, float] | None = None
        """A policy that removes more, and the monotonic time from which it counts."""
        self._clock = clock or journal.clock
        self._timing = timing or SystemMonotonicClock()
        self._on_report = on_report
        self._start_delay_s = start_delay_s
        self._owner = uuid.uuid4().hex
        self._step_rows = 100
        """Deliveries of one step, at first; it follows the time that steps take."""
        self._last_error = ""
        self._applied = ""
        """The policy of the last pass of this worker, as text: another process may have another one."""
        self._changed = asyncio.Event()

    @property
    def policy(self) -> RetentionPolicy:
        """The policy that counts now."""
        if self._pending is not None and self._timing.monotonic() >= self._pending[1]:
            self._policy, self._pending = self._pending[0], None
        return self._policy

    def use(self, policy: RetentionPolicy) -> None:
        """Use this policy: at once where it removes no more than the one in use, else after GRACE_S."""
        current = self.policy
        if self._pending is not None and policy == self._pending[0]:
            return
        self._pending = None
        if policy == current:
            return
        if policy.removes_more_than(current):
            self._pending = policy, self._timing.monotonic() + GRACE_S
            self._on_report(
                f"retention: the config keeps less now ({policy.text()}); in {format_duration(GRACE_S)} what is older"
                " is removed, unless the config is changed back"
            )
        else:
            self._policy = policy
        self._changed.set()

    async def run(self) -> None:
        """Apply the policy whenever it is due, until cancelled. Errors of the journal are reported and waited out."""
        await self._timing.wait(asyncio.Event(), self._start_delay_s)
        while True:
            self._changed.clear()
            try:
                if self.policy.is_active and await self.trusts_clock():
                    await self.remove_captures()
                    await self.apply_if_due()
                self._last_error = ""
            except JournalError as error:
                if error.message != self._last_error:
                    _log.warning("retention stopped: %s", error.message)
                self._last_error = error.message
            wait_s = CHECK_INTERVAL_S
            if self._pending is not None:
                wait_s = min(wait_s, max(0.0, self._pending[1] - self._timing.monotonic()))
            await self._timing.wait(self._changed, wait_s)

    async def trusts_clock(self) -> bool:
        """Whether the clock may be used: one far ahead of the last pass is, after it stayed so for CLOCK_HOLD_S.

        A machine that starts with a wrong clock would remove everything before its clock is set. While processes with
        another clock make passes, the wait begins again.
        """
        finished_at = (await self._journal.retention.state()).finished_at
        now, present = self._clock.now(), self._timing.monotonic()
        if not finished_at or now - finished_at <= MAX_CLOCK_GAP_MS:
            self._held = None
            return True
        if self._held is None or self._held[0] != finished_at:
            if self._held is None:
                self._on_report(
                    f"retention: by the clock the last pass was {format_duration((now - finished_at) / 1000)} ago;"
                    f" nothing is removed for {format_duration(CLOCK_HOLD_S)}, in case the clock is wrong"
                )
            self._held = finished_at, present
        return present - self._held[1] >= CLOCK_HOLD_S

    async def remove_captures(self) -> None:
        """Remove captured requests that are older than content is kept: each machine has its own."""
        if not (kept_ms := self.policy.longest_content_ms):
            return
        folders, before = self._capture_folders(), self._clock.now() - kept_ms
        if number := await asyncio.to_thread(remove_old_captures, folders, before):
            self._on_report(f"retention: removed {number:,} captured {'request' if number == 1 else 'requests'}")

    async def apply_if_due(self) -> bool:
        """Make one pass, if one is due and no other worker has the turn; returns whether it did."""
        state, now, policy = await self._journal.retention.state(), self._clock.now(), self.policy
        fresh = 0 <= now - state.finished_at < PASS_INTERVAL_MS
        if state.is_held(self._owner, now) or (fresh and policy.text() in (state.policy, self._applied)):
            return False
        try:
            taken = await self._journal.retention.take_turn(self._owner)
            if taken is None:
                return False
            self._applied = policy.text()
            await self._apply(policy, taken)
        except asyncio.CancelledError:
            # another process goes on at once
            with suppress(JournalError):
                await asyncio.shield(self._journal.retention.end_turn(self._owner, None))
            raise
        return True

    async def _apply(self, policy: RetentionPolicy, state: RetentionState) -> None:
        started = self._timing.monotonic()
        now = self._clock.now()
        full = state.policy != policy.text() or not 0 <= now - state.full_at < FULL_PASS_MS
        if full:
            state.policy, state.full_at, state.rows_after, state.content_after = policy.text(), now, 0, 0
        one_pass = _Pass(self._journal, self._owner, policy.cutoffs(now), state, self._timing, self._step_rows)
        try:
            await one_pass.run(full=full)
        except _TurnLostError:
            return
        finally:
            self._step_rows = one_pass.step_rows
        state.finished_at, state.longest_step_ms = self._clock.now(), one_pass.longest_step_ms
        await self._journal.retention.end_turn(self._owner, state)
        if text := one_pass.text():
            took = format_duration(self._timing.monotonic() - started)
            self._on_report(
                f"retention: {text}, in {took}; no step held others up for longer than"
                f" {one_pass.longest_step_ms:.0f} ms"
            )


class _Pass:
    """One pass over what is due."""

    def __init__(
        self,
        journal: Journal,
        owner: str,
        cutoffs: Cutoffs,
        state: RetentionState,
        timing: MonotonicClock,
        step_rows: int,
    ) -> None:
        self._store = journal.retention
        self._owner = owner
        self._cutoffs = cutoffs
        self._state = state
        self._timing = timing
        self.step_rows = max(step_rows, self._store.step_rows[0])
        self.longest_step_ms = 0.0
        self._removed: Counter[State] = Counter()
        self._dropped = 0
        self._damaged = 0
        self._changed: tuple[int, int] | None = None
        """First and last id of deliveries that were removed, or lost their content."""

    def text(self) -> str:
        """What it did; empty for nothing."""
        parts = []
        if self._removed:
            states = ", ".join(f"{self._removed[state]:,} {state.value}" for state in State if self._removed[state])
            total = sum(self._removed.values())
            parts.append(f"removed {total:,} {'delivery' if total == 1 else 'deliveries'} ({states})")
        if self._dropped:
            parts.append(f"dropped the content of {self._dropped:,}")
        if self._damaged:
            parts.append(f"could not read {self._damaged:,} damaged packs")
        return ", ".join(parts)

    async def run(self, *, full: bool) -> None:
        """Remove rows, then payloads that they left, then content, then what nothing refers to; give back the room."""
        await self._remove_rows()
        await self._clean_orphaned()
        await self._drop_content()
        if full:
            unused = await self._store.unused_attempts(max(self._cutoffs.rows, self._cutoffs.content))
            for start in range(0, len(unused), ATTEMPTS_STEP_ROWS):
                await self._settle(
                    await self._store.delete_attempts(self._owner, unused[start : start + ATTEMPTS_STEP_ROWS])
                )
        await self._clear_slack(full=full)
        while (step := await self._store.give_back_space(self._owner)) is not None:
            await self._settle(step)
        if self._removed or self._dropped:
            await self._store.empty_log()

    async def _remove_rows(self) -> None:
        after, done, past = self._state.rows_after, False, True
        while not done:
            due = await self._store.due_rows(self._cutoffs, after)
            left = list(due.ids)
            while left:
                part, left = left[: self.step_rows], left[self.step_rows :]
                step = await self._store.remove(self._owner, self._cutoffs, part)
                self._removed.update(step.by_state)
                self._adapt(step.took_ms)
                await self._settle(step)
                await self._store.tidy_tombstones()
                self._state.dirty = widened(self._state.dirty, part[0], part[-1])
                self._changed = widened(self._changed, part[0], part[-1])
            after, done, past = due.reached, due.done, past and due.past
            if past:
                self._state.rows_after = after

    async def _clean_orphaned(self) -> None:
        if self._state.dirty is None:
            return
        self._changed = widened(self._changed, *self._state.dirty)
        nothing = Cutoffs()
        for first in await self._store.orphaned_packs(*self._state.dirty):
            await self._settle(await self._store.clean_pack(self._owner, nothing, first))
        self._state.dirty = None

    async def _drop_content(self) -> None:
        after, done, past = self._state.content_after, False, True
        while not done:
            due = await self._store.due_packs(self._cutoffs, after)
            for first in due.ids:
                step = await self._store.clean_pack(self._owner, self._cutoffs, first)
                self._dropped += sum(step.by_state.values())
                self._changed = widened(self._changed, first, first)
                self._damaged += step.damaged
                await self._settle(step)
            after, done, past = due.reached, due.done, past and due.past
            if past:
                self._state.content_after = after

    async def _clear_slack(self, *, full: bool) -> None:
        """Clear what is left of rows between others; a full pass also sees to what killed ones left."""
        ids = (0, self._changed[1] if self._changed else 0) if full else self._changed
        for _ in range(SLACK_ROUNDS):
            pages = await self._store.find_slack(ids, requests=full) if ids else ()
            if not pages:
                return
            for step in slack_steps(pages):
                await self._settle(await self._store.clear_slack(self._owner, step))

    async def _settle(self, step: Step) -> None:
        """Let others write after a step."""
        if step.lost:
            raise _TurnLostError
        self.longest_step_ms = max(self.longest_step_ms, step.took_ms)
        await self._timing.wait(asyncio.Event(), max(MIN_PAUSE_S, step.took_ms * PAUSE_FACTOR / 1000))

    def _adapt(self, took_ms: float) -> None:
        least, most = self._store.step_rows
        if took_ms > MAX_STEP_MS:
            self.step_rows = max(least, self.step_rows // 2)
        elif took_ms < TARGET_STEP_MS:
            self.step_rows = min(most, self.step_rows * 11 // 10 + 1)
