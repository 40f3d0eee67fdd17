"""Queueing deliveries again: counts them, asks where a person has to agree, and does it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from textual.app import App

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
from sprig_tui.console.widgets.dialogs import Confirm, ConfirmName
from sprig_tui.errors import JournalError
from sprig_tui.journal.base import NO_OVERRIDES, Journal
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import AddResult, ReplayJob

IMMEDIATE_MAX_ROWS = 500
"""Deliveries queued again in one transaction."""
MAX_SCAN_ROWS, SCAN_BUDGET_MS = 1_000, 200
"""Deliveries that are looked at for where they went, and for how long: the newest tell."""


class ReplayActions:
    """Its methods wait for dialogs, so they run in workers; a fault of the journal is told to the person."""

    def __init__(
        self,
        app: App[object],
        journal: Journal,
        clock: Clock,
        protected: Collection[str],
        *,
        endpoints: Mapping[str, str] = NO_OVERRIDES,
        on_progress: Callable[[str], None] = lambda _: None,
        on_queued: Callable[[], None] = lambda: None,
    ) -> None:
        """`endpoints` says where each environment's deliveries go now.

        `queued` is called after something was queued, or will be.
        """
        self._endpoints = endpoints
        self._on_queued = on_queued
        self._app = app
        self._journal = journal
        self._clock = clock
        self._protected = protected
        self._on_progress = on_progress

    async def replay(self, ids: Sequence[int], *, as_new: bool) -> list[AddResult]:
        """Queue these again, in front with live traffic; returns what was queued."""
        try:
            rows = await self._journal.get_many(ids)
            if not rows:
                notify_warning(self._app, "nothing to replay: the journal has these deliveries no longer")
                return []
            if why := unsendable_text(rows):
                notify_warning(self._app, why)
                return []
            wish = replay_request(rows, self._clock.now(), as_new=as_new, endpoints=self._endpoints)
            if wish.needs_confirmation and not await self._confirmed(wish):
                return []
            if len(rows) > IMMEDIATE_MAX_ROWS:
                stop_tracking_flow(self._app)
            added: list[AddResult] = []
            for start in range(0, len(rows), IMMEDIATE_MAX_ROWS):
                if len(rows) > IMMEDIATE_MAX_ROWS:
                    self._on_progress(f"queueing {'as new' if as_new else 'again'}: {start:,} of {len(rows):,}")
                part = [row.id for row in rows[start : start + IMMEDIATE_MAX_ROWS]]
                added += await self._journal.requeue(part, as_new=as_new)
        except JournalError as error:
            notify_error(self._app, error)
            return []
        finally:
            self._on_progress("")
        notify(self._app, replay_outcome(added, as_new=as_new))
        self._on_queued()
        return [one for one in added if one.outcome == "new"]

    async def replay_matching(self, query: Query, *, as_new: bool) -> ReplayJob | None:
        """Make a job over everything that matches now; None where nobody agreed, or nothing matches."""
        try:
            self._on_progress("counting what the filter matches …")
            wish = await self._count_matching(query, as_new=as_new)
            self._on_progress("")
            if not wish.total:
                notify_warning(self._app, "nothing matches the filter: nothing to replay")
                return None
            if why := await self._why_none_sendable(query):
                notify_warning(self._app, why)
                return None
            if not await self._confirmed(wish):
                return None
            job = await self._journal.start_replay(query, as_new=as_new)
        except JournalError as error:
            notify_error(self._app, error)
            return None
        finally:
            self._on_progress("")
        self._on_queued()
        return job

    async def _count_matching(self, query: Query, *, as_new: bool) -> ReplayRequest:
        """How many match, by environment: a protected one must not hide in a sum."""
        chosen = [term.value for term in query.terms if term.field == "env" and not term.negated]
        kept = [term for term in query.terms if term.field != "env" or term.negated]
        counts = await self._journal.counts()
        by_environment = {}
        for name in sorted(counts.by_environment):
            if chosen and name not in chosen:
                continue
            number = await self._journal.count(Query((*kept, Term("env", name))))
            if number:
                by_environment[name] = number
        return ReplayRequest(
            by_environment=by_environment,
            as_new=as_new,
            filter=query.text or ALL_DELIVERIES_TEXT,
            redirected=await self._redirected(query, by_environment),
        )

    async def _why_none_sendable(self, query: Query) -> str:
        """Why nothing of what matches can be queued again, where all of it was looked at; else empty."""
        page = await self._journal.page(query, limit=MAX_SCAN_ROWS, budget_ms=SCAN_BUDGET_MS)
        return "" if page.more or page.reached else unsendable_text(page.deliveries)

    async def _redirected(self, query: Query, names: Collection[str]) -> dict[tuple[str, str], int]:
        """How many of the first that match went to another URL than where they would go now, by both."""
        page = await self._journal.page(query, limit=MAX_SCAN_ROWS, budget_ms=SCAN_BUDGET_MS)
        return redirected([row for row in page.deliveries if row.environment in names], self._endpoints)

    async def _confirmed(self, request: ReplayRequest) -> bool:
        """Ask; where protected environments are meant, for each of their names."""
        protected = [name for name in request.by_environment if name in self._protected]
        if not protected or not (request.bulk or request.as_new):
            return await self._app.push_screen_wait(
                Confirm(replay_question(request), replay_explanation(request), yes=confirm_label(request))
            )
        for name in protected:
            text = f"{replay_explanation(request)}\n{name} is protected."
            if not await self._app.push_screen_wait(ConfirmName(replay_question(request), text, name=name)):
                return False
        return True
