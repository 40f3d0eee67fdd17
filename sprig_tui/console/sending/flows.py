"""Sending records: through the same intake and journal as everything else; the engine does the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from sprig_tui.console.dialogs import Confirm, ConfirmName, Dialog
from sprig_tui.console.notices import notify, notify_warning
from sprig_tui.console.sending.plan import (
    SendPlan,
    consent_label,
    count_records,
    estimate_plan,
    ingest_end_text,
    ingest_text,
    name_to_type,
    never_sent,
    plan_text,
    send_question,
)
from sprig_tui.console.sending.send_screen import ProgressScreen, TaskProgress
from sprig_tui.delivery.feeding import IngestResult, ingest_records
from sprig_tui.errors import JournalError, SprigTuiError
from sprig_tui.intake import EntryBuilder
from sprig_tui.journal.records import AddResult, NewDelivery, State
from sprig_tui.reasons import Reason
from sprig_tui.sprig.reading import read_responses
from sprig_tui.sprig.records import Record

if TYPE_CHECKING:
    from textual.app import App

    from sprig_tui.console.core import Session
    from sprig_tui.journal.contract import Journal

CONFIRM_FROM_RECORDS = 2
"""Records from which on a send is one in bulk, and is asked about."""
COUNT_BUDGET_S = 0.3
"""Seconds that the records of a file are looked at before the question; the rest is counted while it is sent."""

Result = TypeVar("Result")


class NotConfirmedError(SprigTuiError):
    """A record goes to a protected environment that the question did not name: sending stops before it."""

    def __init__(self, environment: str) -> None:
        super().__init__(f"a record goes to {environment}, which is protected and was not asked about")
        self.environment = environment


class SendActions:
    """Each is run in a worker of the app, and raises SprigTuiError for what could not be done."""

    def __init__(self, app: App[Any], session: Session) -> None:
        self._app = app
        self._session = session

    async def send(self, records: tuple[Record, ...], environment: str, *, edited: bool) -> bool:
        """Journal these records and let them go, after a question where they are several or go somewhere protected.

        Returns whether the journal has them.
        """
        journal = self._journal()
        intake = self._intake(environment)
        if not await self._confirmed_one(records, intake):
            return False
        added = await journal.add([intake.entry(record, edited=edited) for record in records])
        if self._session.engine is not None:
            self._session.engine.wake()
        self._report(added, journal_only=self._session.engine is None)
        return True

    async def _confirmed_one(self, records: tuple[Record, ...], intake: EntryBuilder) -> bool:
        if len(records) >= CONFIRM_FROM_RECORDS:
            plan = count_records(records, intake, should_stop=lambda: False)
            return await self._confirmed(plan, f"Send {len(records):,} records?")
        (record,) = records
        target = intake.route(record).environment
        if target not in self._protected():
            return True
        text = f"{target} is protected: what is sent there reaches every destination that is connected to its source."
        return await self._app.push_screen_wait(Confirm(f"Send this record to {target}?", text, yes="Send it"))

    async def send_files(
        self, sources: tuple[str, ...], name: str, environment: str, *, counted: int = 0, edited: int = 0
    ) -> None:
        """Look at the first records of some files, ask, then journal them all while the engine delivers.

        `counted`: their number, where it is known. `edited` of them were edited here, which the files do not have.
        """
        journal = self._journal()
        plan = await asyncio.to_thread(self._count_ahead, sources, self._intake(environment), counted)
        if not plan.total:
            notify_warning(self._app, f"{name} holds no records; nothing to send")
            return
        if not await self._confirmed(plan, send_question(plan, name), edited=edited):
            return
        agreed = set(plan.by_environment)
        while True:
            try:
                await self._ingest(sources, name, plan, self._intake(environment), journal, agreed)
            except NotConfirmedError as unasked:
                if not await self._confirmed_one_more(unasked.environment, name):
                    notify_warning(self._app, f"stopped before the first record that goes to {unasked.environment}")
                    return
                agreed.add(unasked.environment)
            else:
                return

    def _count_ahead(self, sources: tuple[str, ...], intake: EntryBuilder, counted: int) -> SendPlan:
        until = monotonic() + COUNT_BUDGET_S
        records = read_responses(sources)
        plan = count_records(records, intake, should_stop=lambda: monotonic() > until)
        read = records.progress
        return estimate_plan(plan, bytes_read=read.bytes_read, bytes_total=read.bytes_total, counted=counted)

    async def _ingest(
        self,
        sources: tuple[str, ...],
        name: str,
        plan: SendPlan,
        intake: EntryBuilder,
        journal: Journal,
        confirmed: Collection[str],
    ) -> None:
        last = IngestResult()
        unasked = self._protected() - set(confirmed)

        def check(entry: NewDelivery) -> None:
            if entry.environment in unasked and not entry.reason:
                raise NotConfirmedError(entry.environment)

        async def send(progress: TaskProgress) -> IngestResult:
            def told(fed: IngestResult) -> None:
                nonlocal last
                last = fed
                about = "" if plan.complete else "about "
                of = f" of {about}{plan.records:,}" if fed.records <= plan.records else ""
                progress.text = f"{fed.records:,}{of}\n{ingest_text(fed)}"

            return await ingest_records(
                read_responses(sources),
                intake,
                journal,
                self._session.engine,
                on_entry=check if unasked else None,
                on_progress=told,
            )

        fed = await self._run_with_progress(f"Sending {name}", send, IngestResult)
        if fed is None:
            notify_warning(
                self._app,
                f"stopped after {ingest_text(last)}: what is queued goes out\n"
                "send the file again for the rest; nothing is sent twice",
            )
        else:
            notify(self._app, f"{name}: {ingest_end_text(fed)}")

    async def _run_with_progress(self, title: str, work: Any, kind: type[Result]) -> Result | None:
        result = await self._app.push_screen_wait(ProgressScreen(title, work))
        if isinstance(result, SprigTuiError):
            raise result
        return result if isinstance(result, kind) else None

    async def _confirmed(self, plan: SendPlan, title: str, *, edited: int = 0) -> bool:
        environments = self._session.settings.environments
        protected = self._protected()
        keyless = [name for name, one in environments.items() if one.write_key is None]
        text = plan_text(plan, protected, keyless, edited=edited)
        dialog: Dialog[bool] = Confirm(title, text, yes=consent_label(plan))
        if name := name_to_type(plan, protected):
            dialog = ConfirmName(title, text, name=name)
        return await self._app.push_screen_wait(dialog)

    async def _confirmed_one_more(self, environment: str, name: str) -> bool:
        text = f"A record of {name} goes to {environment}, which is protected. What came before it is on its way."
        return await self._app.push_screen_wait(ConfirmName(f"Send to {environment} as well?", text, name=environment))

    def _protected(self) -> set[str]:
        return {name for name, one in self._session.settings.environments.items() if one.protected}

    def _intake(self, environment: str) -> EntryBuilder:
        settings = self._session.settings
        return EntryBuilder(settings.rules, settings.environments, environment or None, clock=self._session.clock)

    def _journal(self) -> Journal:
        if self._session.journal is None:
            raise JournalError(
                "the journal is not open, so nothing can be sent", hint=self._session.trouble or "try again in a moment"
            )
        return self._session.journal

    def _report(self, added: list[AddResult], *, journal_only: bool) -> None:
        if len(added) == 1:
            (one,) = added
            if one.outcome == "known":
                text = f"known: it is delivery {one.id}, {one.state.value}; r in Deliveries sends it again"
            elif one.state is State.QUEUED:
                text = f"queued as delivery {one.id}"
                text += ", not delivered from here (--no-engine)" if journal_only else ""
            elif one.reason == Reason.ANONYMOUS:
                text = f"withheld as delivery {one.id}: it has no User ID and can never be sent"
            else:
                text = f"withheld as delivery {one.id}: {one.reason}"
            (notify if one.state is State.QUEUED and one.outcome != "known" else notify_warning)(self._app, text)
            return
        queued = sum(one.state is State.QUEUED and one.outcome != "known" for one in added)
        anonymous = sum(one.reason == Reason.ANONYMOUS for one in added)
        text = f"{queued:,} of {len(added):,} records queued"
        notify(self._app, f"{text}\n{never_sent(anonymous)}" if anonymous else text)
