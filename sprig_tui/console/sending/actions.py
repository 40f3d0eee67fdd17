"""Send actions of the Payload pane: count records, ask for confirmation, and put them into the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from itertools import chain, islice
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from sprig_tui.console.notify import notify, notify_end, notify_warning
from sprig_tui.console.payload.call_diff import call_diff, diff_text
from sprig_tui.console.screens.progress import ProgressScreen, TaskProgress
from sprig_tui.console.sending.plan import (
    SendPlan,
    consent_label,
    count_records,
    estimate_plan,
    name_to_type,
    plan_text,
    send_question,
)
from sprig_tui.console.sending.results import added_text, ingest_end_text, ingest_text, is_queued, records_text
from sprig_tui.console.widgets.dialogs import ask_confirmation
from sprig_tui.errors import JournalError, SprigTuiError
from sprig_tui.ingest import EntryBuilder
from sprig_tui.ingest.ingest import IngestResult, ingest_records
from sprig_tui.journal.dedup import as_changed
from sprig_tui.journal.records import AddResult, DeliveryDetail, NewDelivery, State
from sprig_tui.journal.resend import is_resendable
from sprig_tui.sprig.held_input import InputSource
from sprig_tui.sprig.reader import ReadProgress, read_responses, read_stream, total_size
from sprig_tui.sprig.records import Record

if TYPE_CHECKING:
    from textual.app import App

    from sprig_tui.console.payload.send_requests import SendAllRequested, SendRequested
    from sprig_tui.console.session import Session
    from sprig_tui.journal.base import Journal
    from sprig_tui.sprig.held_input import HeldInput


def changed_text(origin: DeliveryDetail, entry: NewDelivery, *, is_protected: bool) -> str:
    """What differs from the call of a delivery, and what sending it again means."""
    was = origin.delivery
    parts = [diff_text(call_diff(origin.body, entry.body)) if origin.body else "No call was made of it before."]
    if was.state is State.DELIVERED:
        parts.append("Segment took the earlier call: this one counts beside it, and does not replace it.")
    parts.append(f"It becomes a delivery of its own, linked to delivery {was.id}.")
    if is_protected:
        parts.append(f"{entry.environment} is protected: this reaches every destination connected to its source.")
    return "\n\n".join(parts)


def read_sources(
    sources: Sequence[InputSource], limit: int | None = None, progress: ReadProgress | None = None
) -> Iterator[Record]:
    """Records of files and of what is held, in order, at most `limit`. Raises InputError as `read_responses` does."""
    paths = [source for source in sources if isinstance(source, str)]
    progress = progress or ReadProgress()
    progress.bytes_total = total_size(paths) + sum(source.size for source in sources if not isinstance(source, str))
    if len(paths) == len(sources):
        # as one reader, which a process of its own can take over
        return read_responses(paths, progress=progress)
    readers = (
        read_responses([source], progress=progress) if isinstance(source, str) else _read_held(source, progress)
        for source in sources
    )
    return islice(chain.from_iterable(readers), limit)


def _read_held(held: HeldInput, progress: ReadProgress) -> Iterator[Record]:
    with held.open() as stream:
        # its format was checked when it was opened
        yield from read_stream(stream, held.name, force=True, progress=progress)


CONFIRM_FROM_RECORDS = 2
"""Sends of this many records or more have to be confirmed."""
COUNT_BUDGET_S = 0.3
"""Seconds spent on counting a file before the question; the rest is counted while it is sent."""

Result = TypeVar("Result")


class NotConfirmedError(SprigTuiError):
    """A record goes to a protected environment that was not confirmed; sending stops before it."""

    def __init__(self, environment: str) -> None:
        super().__init__(f"a record goes to {environment}, which is protected and was not asked about")
        self.environment = environment


class SendActions:
    """Send actions of the Payload pane. Each runs in a worker of the app and raises SprigTuiError where it fails."""

    def __init__(self, app: App[Any], session: Session) -> None:
        self._app = app
        self._session = session

    async def send(
        self, records: tuple[Record, ...], environment: str, *, edited: Sequence[bool], asks: bool = False
    ) -> bool:
        """Journal these records, so that the engine sends them; `edited` says of each whether a person changed it.

        Several records, or one for a protected environment, have to be confirmed; with `asks` any. Returns whether they
        were journaled.
        """
        journal = self._journal()
        builder = self._entry_builder(environment)
        if not await self._confirmed_few(records, builder, asks=asks):
            return False
        added = await journal.add(
            [builder.entry(record, edited=changed) for record, changed in zip(records, edited, strict=True)]
        )
        self._wake_and_report(added)
        return True

    async def send_changed(self, record: Record, environment: str, *, edited: bool, origin: DeliveryDetail) -> bool:
        """Journal the record of a delivery that a person changed, or that is mapped by other rules than before.

        Asks first, with the fields that differ. It becomes a delivery of its own, linked to `origin`; of one
        that is withheld because it is incomplete it keeps the message id. Returns whether it was journaled.
        """
        journal = self._journal()
        own = origin.delivery.environment
        chosen = own if own in self._session.settings.environments else environment
        entry = self._entry_builder(chosen).entry(record, edited=edited)
        stored = await journal.find(entry.environment, entry.message_id)
        if stored is not None and stored.state is State.QUEUED:
            notify_warning(
                self._app,
                f"nothing was sent: delivery {stored.id} of this answer is still queued; take it back in Deliveries",
            )
            return False
        if stored is None:
            entry = msgspec.structs.replace(entry, origin_id=origin.delivery.id)
        elif stored.state is not State.WITHHELD or is_resendable(stored.state, stored.reason, stored.size):
            entry = as_changed(entry, origin.delivery.id)
        target = entry.environment
        title = f"Send delivery {origin.delivery.id} as it is now to {target}?"
        text = changed_text(origin, entry, is_protected=target in self._protected())
        if not await ask_confirmation(self._app, title, text, yes="Send it"):
            return False
        added = await journal.add([entry])
        self._wake_and_report(added)
        return True

    async def send_requested(self, event: SendRequested, environment: str) -> bool:
        """Journal what the pane asks to send; `environment` is the selected one. Returns whether it was journaled."""
        edited = [place is not None for place in event.edits]
        if event.origin is None:
            return await self.send(event.records, environment, edited=edited, asks=event.marked)
        (record,), (is_edited,) = event.records, edited
        return await self.send_changed(record, environment, edited=is_edited, origin=event.origin)

    async def send_all_requested(self, event: SendAllRequested, environment: str) -> None:
        """Journal the records of the files that the pane asks to send; `environment` is the selected one."""
        await self.send_files(
            event.sources,
            f"{event.name} so far" if event.so_far else event.name,
            environment,
            counted=event.total if event.complete or event.so_far else 0,
            edited=event.edited,
            listed=event.listed,
            limit=event.total if event.so_far else None,
        )

    async def _confirmed_few(self, records: tuple[Record, ...], builder: EntryBuilder, *, asks: bool) -> bool:
        if asks or len(records) >= CONFIRM_FROM_RECORDS:
            plan = count_records(records, builder, should_stop=lambda: False)
            return await self._confirmed(plan, f"Send {len(records):,} {records_text(len(records))}?")
        (record,) = records
        target = builder.route(record).environment
        if target not in self._protected():
            return True
        text = f"{target} is protected: what is sent there reaches every destination that is connected to its source."
        return await ask_confirmation(self._app, f"Send this record to {target}?", text, yes="Send it")

    async def send_files(
        self,
        sources: tuple[InputSource, ...],
        name: str,
        environment: str,
        *,
        counted: int = 0,
        edited: int = 0,
        listed: int | None = None,
        limit: int | None = None,
    ) -> None:
        """Count the first records of some files, ask, then journal them all while the engine delivers.

        `counted` is their number, 0 if unknown; `edited` the number of records edited in the console,
        `listed` the number of those that the filter of a list shows. No more than `limit` records are sent: what comes
        after them may be there in part only.
        """
        journal = self._journal()
        plan = await asyncio.to_thread(self._count_ahead, sources, self._entry_builder(environment), counted, limit)
        if not plan.total:
            notify_warning(self._app, f"{name} holds no records; nothing to send")
            return
        if not await self._confirmed(plan, send_question(plan, name), edited=edited, listed=listed):
            return
        confirmed = set(plan.by_environment)
        while True:
            try:
                records = read_sources(sources, limit)
                await self._ingest(records, name, plan, self._entry_builder(environment), journal, confirmed)
            except NotConfirmedError as error:
                if not await self._confirmed_one_more(error.environment, name):
                    notify_warning(self._app, f"stopped before the first record that goes to {error.environment}")
                    return
                confirmed.add(error.environment)
            else:
                return

    def _count_ahead(
        self, sources: tuple[InputSource, ...], builder: EntryBuilder, counted: int, limit: int | None
    ) -> SendPlan:
        deadline = monotonic() + COUNT_BUDGET_S
        progress = ReadProgress()
        records = read_sources(sources, limit, progress)
        plan = count_records(records, builder, should_stop=lambda: monotonic() > deadline)
        return estimate_plan(plan, bytes_read=progress.bytes_read, bytes_total=progress.bytes_total, counted=counted)

    async def _ingest(
        self,
        records: Iterator[Record],
        name: str,
        plan: SendPlan,
        builder: EntryBuilder,
        journal: Journal,
        confirmed: Collection[str],
    ) -> None:
        last = IngestResult()
        unconfirmed = self._protected() - set(confirmed)

        def check(entry: NewDelivery) -> None:
            if entry.environment in unconfirmed and not entry.reason:
                raise NotConfirmedError(entry.environment)

        async def send(progress: TaskProgress) -> IngestResult:
            def on_progress(result: IngestResult) -> None:
                nonlocal last
                last = result
                about = "" if plan.complete else "about "
                of = f" of {about}{plan.records:,}" if result.records <= plan.records else ""
                progress.text = f"{result.records:,}{of}\n{ingest_text(result)}"

            return await ingest_records(
                records,
                builder,
                journal,
                self._session.engine,
                on_entry=check if unconfirmed else None,
                on_progress=on_progress,
            )

        result = await self._run_with_progress(f"Sending {name}", send, IngestResult)
        if result is None:
            notify_warning(
                self._app,
                f"stopped after {ingest_text(last)}: what is queued is still sent\n"
                "send the file again for the rest; nothing is sent twice",
            )
        else:
            notify_end(self._app, f"{name}: {ingest_end_text(result)}")

    async def _run_with_progress(self, title: str, work: Any, kind: type[Result]) -> Result | None:
        result = await self._app.push_screen_wait(ProgressScreen(title, work))
        if isinstance(result, SprigTuiError):
            raise result
        return result if isinstance(result, kind) else None

    async def _confirmed(self, plan: SendPlan, title: str, *, edited: int = 0, listed: int | None = None) -> bool:
        environments = self._session.settings.environments
        protected = self._protected()
        keyless = [name for name, environment in environments.items() if environment.write_key is None]
        text = plan_text(plan, protected, keyless, edited=edited, listed=listed)
        name = name_to_type(plan, protected)
        return await ask_confirmation(self._app, title, text, yes=consent_label(plan), protected_name=name)

    async def _confirmed_one_more(self, environment: str, name: str) -> bool:
        text = f"A record of {name} goes to {environment}, which is protected. What came before it is on its way."
        question = f"Send to {environment} as well?"
        return await ask_confirmation(self._app, question, text, yes="Send", protected_name=environment)

    def _protected(self) -> set[str]:
        return {name for name, environment in self._session.settings.environments.items() if environment.protected}

    def _entry_builder(self, environment: str) -> EntryBuilder:
        settings = self._session.settings
        return EntryBuilder(settings.rules, settings.environments, environment or None, clock=self._session.clock)

    def _journal(self) -> Journal:
        if self._session.journal is None:
            raise JournalError(
                "the journal is not open, so nothing can be sent", hint=self._session.trouble or "try again in a moment"
            )
        return self._session.journal

    def _wake_and_report(self, added: Sequence[AddResult]) -> None:
        """Let the engine send what was just journaled, and say what became of it."""
        engine = self._session.engine
        if engine is not None:
            engine.wake()
        is_news = len(added) > 1 or is_queued(added[0])
        (notify if is_news else notify_warning)(self._app, added_text(added, journal_only=engine is None))
