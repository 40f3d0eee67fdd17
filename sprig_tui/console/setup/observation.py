"""Observation of one environment for the set-up screen: the facts known so far, and its checklist.

What is here (config, journal) is read again when the config or the journal's counts differ, at most once a second.
What Segment answered stays until it is asked again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sprig_tui.console.session import Session
from sprig_tui.errors import SprigTuiError
from sprig_tui.journal.notes import load_notes
from sprig_tui.setup.checklist import checklist
from sprig_tui.setup.facts import merge_workspace

if TYPE_CHECKING:
    from sprig_tui.setup.facts import Facts
    from sprig_tui.setup.model import Checklist


class Observation:
    """Facts about one environment."""

    def __init__(self, session: Session, environment: str) -> None:
        self._session = session
        self.environment = environment
        self.facts: Facts | None = None
        """None until something was read."""
        self._read_journal: object = None
        """The journal that the facts were read from."""
        self._seen: object = None
        """State of config and journal at the last read."""

    @property
    def checklist(self) -> Checklist | None:
        """The checklist of the facts."""
        return checklist(self.facts) if self.facts is not None else None

    @property
    def can_ask(self) -> bool:
        """Whether there is a workspace to ask."""
        return self._session.settings.workspace.token is not None and self._session.dependencies.setup is not None

    @property
    def learnt_environment_id(self) -> str:
        """Sprig's environment id as the first bodies carried it; empty where none came."""
        journal = self.facts.journal if self.facts is not None else None
        return journal.environment_id if journal is not None else ""

    def forget(self) -> None:
        """Read what is here again at the next `refresh`, whatever the counts say."""
        self._seen = None

    async def refresh(self) -> bool:
        """Read config and journal if they differ from before; whether the facts changed. Raises SprigTuiError."""
        seen = await self._state()
        if seen == self._seen:
            return False
        before = self.facts
        facts = await self._gather(asks_segment=False, on_progress=lambda _: None)
        self.facts = facts if self.facts is None else merge_workspace(facts, self.facts)
        self._seen = seen
        return self.facts != before

    async def ask(self, on_progress: Callable[[str], None]) -> None:
        """Read everything, Segment's answers too. Raises SprigTuiError."""
        self.facts = await self._gather(asks_segment=True, on_progress=on_progress)

    async def _gather(self, *, asks_segment: bool, on_progress: Callable[[str], None]) -> Facts:
        session = self._session
        make_services, journal = session.dependencies.setup, session.journal
        if make_services is None:
            raise SprigTuiError("this console has no set-up", hint="use sprig-tui setup in a shell")
        # ids of one journal mean nothing in another
        before = self.facts if journal is not None and journal is self._read_journal else None
        self._read_journal = journal
        return await make_services().gather_facts(
            session.settings, journal, self.environment, asks_segment, before, on_progress
        )

    async def _state(self) -> object:
        """Differs whenever config, journal or the environment's counts do; constant time."""
        session = self._session
        journal = session.journal
        counts = await journal.counts() if journal is not None else None
        own = counts.by_environment.get(self.environment, {}) if counts else {}
        roles = {worker.role for worker in await journal.workers()} if journal is not None else set()
        lane = (await journal.lanes()).get(self.environment) if journal is not None else None
        notes = await load_notes(journal) if journal is not None else None
        return session.settings.digest, id(journal), dict(own), roles, lane.epoch if lane else 0, notes
