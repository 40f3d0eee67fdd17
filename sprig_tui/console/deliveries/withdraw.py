"""Withdraw actions: count queued deliveries, ask for confirmation, and withhold them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.widget import Widget

from sprig_tui.console.notify import notify, notify_error, notify_warning
from sprig_tui.console.widgets.dialogs import ask_confirmation
from sprig_tui.delivery.withdraw import QueuedDeliveries, filter_queued, find_queued, withdraw_deliveries
from sprig_tui.errors import JournalError
from sprig_tui.journal.base import Journal
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import WithdrawResult
from sprig_tui.text import one_line


class WithdrawActions:
    """Withdrawals of the Deliveries pane. The methods wait for a dialog, so they run in workers; errors are shown."""

    def __init__(self, pane: Widget, *, on_progress: Callable[[str], None]) -> None:
        self._pane = pane
        self._on_progress = on_progress

    async def withdraw(self, journal: Journal, ids: Sequence[int]) -> bool:
        """Withdraw these deliveries; returns whether any was withdrawn."""
        try:
            return await self._ask_and_withdraw(journal, filter_queued(await journal.get_many(ids)), "")
        except JournalError as error:
            notify_error(self._pane.app, error)
            return False
        finally:
            self._on_progress("")

    async def withdraw_matching(self, journal: Journal, query: Query) -> bool:
        """Withdraw everything that matches and is queued now; returns whether any was withdrawn."""
        try:
            self._on_progress("counting what is queued …")
            queued = await find_queued(
                journal, query, lambda number: self._on_progress(f"counting what is queued: {number:,}")
            )
            self._on_progress("")
            return await self._ask_and_withdraw(journal, queued, query.text or "everything in the journal")
        except JournalError as error:
            notify_error(self._pane.app, error)
            return False
        finally:
            self._on_progress("")

    async def _ask_and_withdraw(self, journal: Journal, queued: QueuedDeliveries, named: str) -> bool:
        total = len(queued.ids)
        if not total:
            notify_warning(self._pane.app, "nothing to withdraw: none of them is queued")
            return False
        question, text = withdraw_question(total), withdraw_explanation(queued, named)
        if not await ask_confirmation(self._pane.app, question, text, yes=f"Withdraw {total:,}"):
            return False
        done = await withdraw_deliveries(
            journal, queued.ids, lambda number: self._on_progress(f"withdrawing: {number:,} of {total:,}")
        )
        (notify_warning if done.leased else notify)(self._pane.app, withdraw_outcome(done))
        return done.withdrawn > 0


def withdraw_question(total: int) -> str:
    """The title of the dialog."""
    return "Withdraw this delivery?" if total == 1 else f"Withdraw {total:,} queued deliveries?"


def withdraw_explanation(queued: QueuedDeliveries, named: str) -> str:
    """What a withdrawal does, in a few lines."""
    lines = [f"queued, of what matches {one_line(named, limit=200)}"] if named else []
    lines.append(
        " · ".join(
            f"{one_line(name, limit=40) or 'no environment'} {number:,}" for name, number in queued.environments.items()
        )
    )
    them = "it" if sum(queued.environments.values()) == 1 else "them"
    lines.append(f"not sent, but kept as withheld: withdrawn; a replay queues {them} again")
    lines.append("what a worker is sending at the moment is left alone")
    return "\n".join(lines)


def withdraw_outcome(done: WithdrawResult) -> str:
    """Result of a withdrawal."""
    parts = [f"{done.withdrawn:,} withdrawn"]
    if done.leased:
        parts.append(f"{done.leased:,} left alone: a worker has {'it' if done.leased == 1 else 'them'}")
    if done.not_queued:
        parts.append(f"{done.not_queued:,} ended before")
    return ", ".join(parts)
