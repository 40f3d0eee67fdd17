"""Dry run of `send` and `pull`: counts the deliveries that would be made, and stores nothing.

Of the journal it reads the list of forgotten people alone: known are the repeats within the input.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sprig_tui.cli import diagnostics
from sprig_tui.cli.context import existing_journal_session
from sprig_tui.cli.report import Account, StateCounts, counts_text
from sprig_tui.delivery.suppressed_users import SuppressedUsers
from sprig_tui.errors import JournalError
from sprig_tui.journal.dedup import (
    StoredIdentity,
    as_withheld,
    classify_duplicate,
    completes_withheld,
    identity_key,
    tie_message_id,
    with_message_id,
)
from sprig_tui.journal.persons import PersonMatcher
from sprig_tui.journal.records import NewDelivery, State
from sprig_tui.reasons import Reason

if TYPE_CHECKING:
    from sprig_tui.cli.plan_check import PlanTally
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.base import Journal


async def forgotten_matcher(journal: Journal | None) -> PersonMatcher:
    """Recognises the forgotten people; nobody without a journal, and, with a warning, if the list cannot be read."""
    if journal is not None:
        try:
            return await journal.forgotten_matcher()
        except JournalError as error:
            _warn_of_list(error)
    return PersonMatcher.of(())


def load_forgotten(settings: Settings) -> PersonMatcher:
    """The same of the journal of the settings, which is opened for it."""

    async def load() -> PersonMatcher:
        try:
            async with existing_journal_session(settings) as journal:
                return await forgotten_matcher(journal)
        except JournalError as error:
            _warn_of_list(error)
            return PersonMatcher.of(())

    return asyncio.run(load())


def _warn_of_list(error: JournalError) -> None:
    diagnostics.warning(f"answers of forgotten people are counted like others: {error.message}", error.hint)


def withhold_person(entry: NewDelivery, forgotten: PersonMatcher, suppressed: SuppressedUsers) -> NewDelivery:
    """The entry, withheld if it is of a forgotten or a suppressed person, as the journal and the engine do."""
    if forgotten.matches(entry.user_id, entry.raw or entry.body, is_readable=not entry.reason):
        return replace(entry, reason=Reason.FORGOTTEN, detail="")
    return _withhold_suppressed(entry, suppressed)


def _withhold_suppressed(entry: NewDelivery, users: SuppressedUsers) -> NewDelivery:
    if entry.reason or not users.is_of(entry.body):
        return entry
    return replace(entry, reason=Reason.SUPPRESSED, detail=users.detail)


MAX_REMEMBERED_IDENTITIES = 200_000
"""Latest identities kept to find repeats; about 100 MB at most."""


class DryRun:
    """Counts entries as an empty journal would store them."""

    def __init__(self, plan: PlanTally | None = None) -> None:
        """`plan` checks the calls that would be sent by the stored tracking plans."""
        self._plan = plan
        self.environments: Counter[str] = Counter()
        """Deliveries that would be sent, by environment."""
        self._records = self._known_count = 0
        self._tally: StateCounts = Counter()
        self._identities: dict[int, StoredIdentity] = {}

    def add(self, entry: NewDelivery) -> None:
        """Count one entry."""
        self._records += 1
        kept = self._as_stored(entry)
        if kept is None:
            self._known_count += 1
            return
        self._tally[State.WITHHELD if kept.reason else State.QUEUED, kept.reason] += 1
        if not kept.reason:
            self.environments[kept.environment] += 1
            if self._plan is not None:
                self._plan.add(kept.environment, kept.body)

    def _as_stored(self, entry: NewDelivery) -> NewDelivery | None:
        """The entry as it would be stored; None for a repeat."""
        known = self._identities.get(identity_key(entry.environment, entry.message_id))
        relation = "new" if known is None else classify_duplicate(known, entry)
        if known is None or relation == "takes-over":
            return self._remember(entry)
        if relation == "known":
            return None
        if relation == "tie":
            return self._as_stored(with_message_id(entry, tie_message_id(entry)))
        withheld = as_withheld(entry, known, relation)
        known = self._identities.get(identity_key(withheld.environment, withheld.message_id))
        return self._remember(withheld) if known is None or completes_withheld(known, entry) else None

    def _remember(self, entry: NewDelivery) -> NewDelivery:
        if len(self._identities) >= MAX_REMEMBERED_IDENTITIES:
            del self._identities[next(iter(self._identities))]
        self._identities[identity_key(entry.environment, entry.message_id)] = StoredIdentity(
            -1,
            entry.environment,
            entry.message_id,
            entry.digest,
            entry.question_id,
            entry.updated_at,
            State.WITHHELD if entry.reason else State.QUEUED,
            entry.reason,
            entry.endpoint,
        )
        return entry

    @property
    def account(self) -> Account:
        """The account so far."""
        return Account(self._records, self._known_count, self._known_count, self._tally, all_counts=self._tally)

    def as_json(self) -> dict[str, Any]:
        """The account as JSON, without `queued_before`, which only a journal knows."""
        found = {"dry_run": True, **self.account.as_json(), "environments": self.environments}
        del found["queued_before"]
        if self._plan is not None:
            found["tracking_plan"] = self._plan.as_json()
        return found

    def report_plan(self) -> None:
        """Say what breaks the tracking plan, on stderr."""
        if self._plan is not None:
            self._plan.report()

    def text(self) -> str:
        """Such as `would be: 198 queued, 2 withheld (anonymous 2) (to development 198); nothing was stored or sent`."""
        to = ", ".join(f"{name} {number:,}" for name, number in self.environments.items())
        repeats = (
            f", {self._known_count:,} {'is a repeat' if self._known_count == 1 else 'are repeats'}"
            if self._known_count
            else ""
        )
        where = f" (to {to})" if to else ""
        return f"would be: {counts_text(self._tally)}{where}{repeats}; nothing was stored or sent"
