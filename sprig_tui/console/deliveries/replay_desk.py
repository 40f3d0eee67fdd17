"""Queueing deliveries again: counts them, asks where a person has to agree, and does it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from textual.app import App

from sprig_tui.clock import Clock
from sprig_tui.console.deliveries.replay_text import (
    EVERYTHING_THERE_IS,
    Wish,
    agreement,
    explanation,
    outcome,
    question,
    redirected,
    unsendable,
    wish_for,
)
from sprig_tui.console.dialogs import Confirm, ConfirmName
from sprig_tui.console.keyboard import nothing_more_opens
from sprig_tui.console.notices import tell, tell_fault, warn
from sprig_tui.errors import JournalError
from sprig_tui.journal.contract import NO_OVERRIDES, Journal
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import AddResult, ReplayJob

AT_ONCE = 500
"""Deliveries queued again in one transaction."""
LOOKED_AT, LOOKED_MS = 1_000, 200
"""Deliveries that are looked at for where they went, and for how long: the newest tell."""


class ReplayDesk:
    """Its methods wait for dialogs, so they run in workers; a fault of the journal is told to the person."""

    def __init__(
        self,
        app: App[object],
        journal: Journal,
        clock: Clock,
        protected: Collection[str],
        *,
        endpoints: Mapping[str, str] = NO_OVERRIDES,
        progress: Callable[[str], None] = lambda _: None,
        queued: Callable[[], None] = lambda: None,
    ) -> None:
        """`endpoints` says where each environment's deliveries go now.

        `queued` is called after something was queued, or will be.
        """
        self._endpoints = endpoints
        self._queued = queued
        self._app = app
        self._journal = journal
        self._clock = clock
        self._protected = protected
        self._progress = progress

    async def replay(self, ids: Sequence[int], *, as_new: bool) -> list[AddResult]:
        """Queue these again, in front with live traffic; returns what was queued."""
        try:
            rows = await self._journal.get_many(ids)
            if not rows:
                warn(self._app, "nothing to replay: the journal has these deliveries no longer")
                return []
            if why := unsendable(rows):
                warn(self._app, why)
                return []
            wish = wish_for(rows, self._clock.now(), as_new=as_new, endpoints=self._endpoints)
            if wish.asks and not await self._agreed(wish):
                return []
            if len(rows) > AT_ONCE:
                nothing_more_opens(self._app)
            added: list[AddResult] = []
            for start in range(0, len(rows), AT_ONCE):
                if len(rows) > AT_ONCE:
                    self._progress(f"queueing {'as new' if as_new else 'again'}: {start:,} of {len(rows):,}")
                part = [row.id for row in rows[start : start + AT_ONCE]]
                added += await self._journal.requeue(part, as_new=as_new)
        except JournalError as error:
            tell_fault(self._app, error)
            return []
        finally:
            self._progress("")
        tell(self._app, outcome(added, as_new=as_new))
        self._queued()
        return [one for one in added if one.outcome == "new"]

    async def replay_matching(self, query: Query, *, as_new: bool) -> ReplayJob | None:
        """Make a job over everything that matches now; None where nobody agreed, or nothing matches."""
        try:
            self._progress("counting what the filter matches …")
            wish = await self._counted(query, as_new=as_new)
            self._progress("")
            if not wish.total:
                warn(self._app, "nothing matches the filter: nothing to replay")
                return None
            if why := await self._none_sendable(query):
                warn(self._app, why)
                return None
            if not await self._agreed(wish):
                return None
            job = await self._journal.start_replay(query, as_new=as_new)
        except JournalError as error:
            tell_fault(self._app, error)
            return None
        finally:
            self._progress("")
        self._queued()
        return job

    async def _counted(self, query: Query, *, as_new: bool) -> Wish:
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
        return Wish(
            by_environment=by_environment,
            as_new=as_new,
            filter=query.text or EVERYTHING_THERE_IS,
            redirected=await self._redirected(query, by_environment),
        )

    async def _none_sendable(self, query: Query) -> str:
        """Why nothing of what matches can be queued again, where all of it was looked at; else empty."""
        page = await self._journal.page(query, limit=LOOKED_AT, budget_ms=LOOKED_MS)
        return "" if page.more or page.reached else unsendable(page.deliveries)

    async def _redirected(self, query: Query, names: Collection[str]) -> dict[tuple[str, str], int]:
        """How many of the first that match went to another URL than where they would go now, by both."""
        page = await self._journal.page(query, limit=LOOKED_AT, budget_ms=LOOKED_MS)
        return redirected([row for row in page.deliveries if row.environment in names], self._endpoints)

    async def _agreed(self, wish: Wish) -> bool:
        """Ask; where protected environments are meant, for each of their names."""
        protected = [name for name in wish.by_environment if name in self._protected]
        if not protected or not (wish.bulk or wish.as_new):
            return await self._app.push_screen_wait(Confirm(question(wish), explanation(wish), yes=agreement(wish)))
        for name in protected:
            text = f"{explanation(wish)}\n{name} is protected."
            if not await self._app.push_screen_wait(ConfirmName(question(wish), text, name=name)):
                return False
        return True
