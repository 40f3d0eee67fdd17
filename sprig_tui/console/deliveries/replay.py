"""Replay actions: count the deliveries, ask for confirmation, and queue them again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from textual.widget import Widget

from sprig_tui.clock import Clock
from sprig_tui.console.deliveries.replay_text import (
    ALL_DELIVERIES_TEXT,
    ReplayRequest,
    confirm_label,
    redirected,
    replay_explanation,
    replay_outcome,
    replay_question,
    replay_request,
    unsendable_text,
)
from sprig_tui.console.keyboard.queue import stop_tracking_flow
from sprig_tui.console.notify import notify, notify_error, notify_warning
from sprig_tui.console.widgets.dialogs import ask_confirmation
from sprig_tui.errors import JournalError
from sprig_tui.journal.base import NO_OVERRIDES, Journal
from sprig_tui.journal.query import Query, Term, environments_limit
from sprig_tui.journal.records import AddResult, ReplayJob
from sprig_tui.journal.resend import RESENDABLE_TERMS

IMMEDIATE_MAX_ROWS = 500
"""Deliveries that one transaction queues again."""
MAX_SCAN_ROWS, SCAN_BUDGET_MS = 1_000, 200
"""Rows and milliseconds spent on finding out where matching deliveries went before, newest first."""


class ReplayActions:
    """Replays of the Deliveries pane. The methods wait for dialogs, so they run in workers; errors are shown."""

    def __init__(
        self, pane: Widget, clock: Clock, *, on_progress: Callable[[str], None], on_queued: Callable[[], None]
    ) -> None:
        """`on_queued` is called after deliveries were queued, or a job that queues them was made."""
        self._pane = pane
        self._clock = clock
        self._on_progress = on_progress
        self._on_queued = on_queued
        self.protected: Collection[str] = ()
        """Environments whose name has to be typed before a replay in bulk."""
        self.endpoints: Mapping[str, str] = NO_OVERRIDES
        """Environment -> URL that its deliveries go to now."""

    async def replay(self, journal: Journal, ids: Sequence[int], *, as_new: bool, about: str = "") -> list[AddResult]:
        """Queue these deliveries again, with the priority of live traffic; returns what was queued.

        With `about`, lines that say why it is asked, it has to be confirmed like a replay of many.
        """
        try:
            rows = await journal.get_many(ids)
            if not rows:
                notify_warning(self._pane.app, "nothing to replay: these deliveries are no longer in the journal")
                return []
            if why := unsendable_text(rows):
                notify_warning(self._pane.app, why)
                return []
            request = replay_request(rows, self._clock.now(), as_new=as_new, endpoints=self.endpoints, about=about)
            if request.needs_confirmation and not await self._confirmed(request):
                return []
            if len(rows) > IMMEDIATE_MAX_ROWS:
                stop_tracking_flow(self._pane.app)
            added: list[AddResult] = []
            for start in range(0, len(rows), IMMEDIATE_MAX_ROWS):
                if len(rows) > IMMEDIATE_MAX_ROWS:
                    self._on_progress(f"queueing {'as new' if as_new else 'again'}: {start:,} of {len(rows):,}")
                part = [row.id for row in rows[start : start + IMMEDIATE_MAX_ROWS]]
                added += await journal.requeue(part, as_new=as_new)
        except JournalError as error:
            notify_error(self._pane.app, error)
            return []
        finally:
            self._on_progress("")
        notify(self._pane.app, replay_outcome(added, as_new=as_new))
        self._on_queued()
        return [result for result in added if result.outcome == "new"]

    async def replay_matching(self, journal: Journal, query: Query, *, as_new: bool) -> ReplayJob | None:
        """Start a replay job for everything that matches now; None if it was declined or nothing matches."""
        try:
            self._on_progress("counting what the filter matches …")
            request = await self._count_matching(journal, query, as_new=as_new)
            self._on_progress("")
            if not request.total:
                notify_warning(self._pane.app, await self._why_none(journal, query, request.left))
                return None
            if not await self._confirmed(request):
                return None
            job = await journal.start_replay(query, as_new=as_new)
        except JournalError as error:
            notify_error(self._pane.app, error)
            return None
        finally:
            self._on_progress("")
        self._on_queued()
        return job

    async def _count_matching(self, journal: Journal, query: Query, *, as_new: bool) -> ReplayRequest:
        """Count what can be queued again by environment, so that protected environments are known."""
        limit = environments_limit(query.terms)
        counts = await journal.counts()
        by_environment = {}
        for name in sorted(counts.by_environment):
            if limit is not None and name not in limit:
                continue
            number = await journal.count(query.narrowed(Term("env", name), *RESENDABLE_TERMS))
            if number:
                by_environment[name] = number
        may_be_dropped = (await journal.retention.state()).content_dropped > 0
        left = max(0, await journal.count(query) - sum(by_environment.values()))
        newest = (await journal.page(query, limit=MAX_SCAN_ROWS, budget_ms=SCAN_BUDGET_MS)).deliveries
        return ReplayRequest(
            by_environment=by_environment,
            as_new=as_new,
            left=left,
            filter=query.text or ALL_DELIVERIES_TEXT,
            redirected=redirected([row for row in newest if row.environment in by_environment], self.endpoints),
            repaired=await journal.count(query.narrowed(Term("is", "repaired"), *RESENDABLE_TERMS)),
            dropped=await journal.count(query.narrowed(Term("is", "without-content"))) if may_be_dropped else 0,
        )

    async def _why_none(self, journal: Journal, query: Query, left: int) -> str:
        """Why none of the matches can be queued again, by the newest of them; `left` is their number."""
        if not left:
            return "nothing matches the filter: nothing to replay"
        page = await journal.page(query, limit=MAX_SCAN_ROWS, budget_ms=SCAN_BUDGET_MS)
        return unsendable_text(page.deliveries) or "nothing can be queued again: what matches changed meanwhile"

    async def _confirmed(self, request: ReplayRequest) -> bool:
        """Ask once, or for the name of each protected environment that the replay is about."""
        question, text, yes = replay_question(request), replay_explanation(request), confirm_label(request)
        protected = [name for name in request.by_environment if name in self.protected]
        if not protected or not (request.bulk or request.as_new):
            return await ask_confirmation(self._pane.app, question, text, yes=yes)
        for name in protected:
            explanation = f"{text}\n{name} is protected."
            if not await ask_confirmation(self._pane.app, question, explanation, yes=yes, protected_name=name):
                return False
        return True
