"""Sending from the console: counts records, asks for confirmation, and puts them into the journal."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from sprig_tui.console.notify import notify, notify_end, notify_warning
from sprig_tui.console.payload.call_diff import call_diff, diff_text
from sprig_tui.console.screens.progress import ProgressScreen, TaskProgress
from sprig_tui.console.widgets.dialogs import ask_confirmation
from sprig_tui.errors import JournalError, SprigTuiError
from sprig_tui.ingest import EntryBuilder
from sprig_tui.ingest.ingest import IngestResult, ingest_records
from sprig_tui.journal.dedup import as_changed
from sprig_tui.journal.records import REMOVED_ID, AddResult, DeliveryDetail, NewDelivery, State
from sprig_tui.journal.resend import is_resendable
from sprig_tui.reasons import Reason
from sprig_tui.sprig.held_input import InputSource
from sprig_tui.sprig.reader import ReadProgress, read_responses, read_stream, total_size
from sprig_tui.sprig.records import Record, Unsendable

if TYPE_CHECKING:
    from textual.app import App

    from sprig_tui.console.session import Session
    from sprig_tui.journal.base import Journal
    from sprig_tui.sprig.held_input import HeldInput


MOST_REASONS = 3
"""Reasons that a line of counts names; the others are added up."""
CHECK_EVERY_RECORDS = 16
"""Records counted between two calls of `should_stop`."""


class SendPlan(Struct, frozen=True):
    """Counts of the records to send, by what becomes of them."""

    total: int = 0
    """Records counted."""
    by_environment: dict[str, int] = {}
    """Answers by environment; the empty name stands for an unknown one."""
    unsendable: int = 0
    """Records that are no answers, or cannot be read; they are journaled as withheld."""
    anonymous: int = 0
    """Answers without a User ID; they are journaled as withheld, and not in `by_environment`."""
    complete: bool = True
    """Whether all records were counted."""
    estimate: int = 0
    """Estimated number of all records, where the count is not complete."""

    @property
    def records(self) -> int:
        """Number of all records, counted or estimated."""
        return self.total if self.complete else max(self.estimate, self.total)


def count_records(records: Iterable[Record], builder: EntryBuilder, *, should_stop: Callable[[], bool]) -> SendPlan:
    """Count by route, without mapping, until the end or `should_stop`. Raises InputError."""
    total = unsendable = anonymous = 0
    routes: Counter[str] = Counter()
    complete = True
    for record in records:
        total += 1
        if isinstance(record, Unsendable):
            unsendable += 1
        elif not (record.user_id or "").strip():
            anonymous += 1
        else:
            routes[builder.route(record).environment] += 1
        if total % CHECK_EVERY_RECORDS == 0 and should_stop():
            complete = False
            break
    return SendPlan(total, dict(routes), unsendable, anonymous, complete)


def estimate_plan(plan: SendPlan, *, bytes_read: int, bytes_total: int, counted: int = 0) -> SendPlan:
    """The plan with an estimate of all records: `counted` if it is known, else by the share of bytes read."""
    if plan.complete:
        return plan
    total = counted or round_estimate(plan.total * max(bytes_total, 1) / max(bytes_read, 1))
    return msgspec.structs.replace(plan, estimate=max(total, plan.total))


def round_estimate(number: float) -> int:
    """An estimate, rounded to two digits."""
    whole = round(number)
    return int(float(f"{whole:.1e}")) if whole >= 100 else whole


def send_question(plan: SendPlan, name: str) -> str:
    """The title of the dialog."""
    if plan.complete:
        return f"Send all {plan.total:,} {_records_text(plan.total)} of {name}?"
    return f"Send all of {name}, about {plan.records:,} records?"


def plan_text(
    plan: SendPlan,
    protected: Collection[str],
    keyless: Collection[str] = (),
    *,
    edited: int = 0,
    listed: int | None = None,
) -> str:
    """What would be sent, one line per environment; those in `keyless` have no Write Key yet.

    `edited` is the number of records edited in the console, whose edits are not in the file; `listed` that of the
    records that a filter shows, which does not narrow what is sent.
    """
    lines = [] if plan.complete else [f"Of the first {plan.total:,}, the rest is counted while it is sent:"]
    for name, number in sorted(plan.by_environment.items()):
        about = ["is protected"] if name in protected else []
        about += ["has no write key yet: they wait for one"] if name in keyless else []
        if name:
            lines.append(f"{number:,} to {name}{', which ' if about else ''}{' and '.join(about)}")
    if plan.anonymous:
        lines.append(never_sent(plan.anonymous))
    if unknown := plan.by_environment.get("", 0):
        lines.append(
            f"{unknown:,} {_are_text(unknown)} withheld: {'its' if unknown == 1 else 'their'} environment is unknown."
        )
    if plan.unsendable:
        what = "no answer, or it" if plan.unsendable == 1 else "no answers, or they"
        lines.append(f"{plan.unsendable:,} {_are_text(plan.unsendable)} withheld: {what} cannot be read.")
    if listed is not None:
        shows = f"shows {listed:,} of them" if listed else "shows none of them"
        lines.append(f"The list {shows}, but the whole file is sent: * marks what it shows, s sends the marked.")
    if edited:
        was = "was" if edited == 1 else "were"
        lines.append(f"{edited:,} {was} edited here: the file is sent as it is on disk, s sends an edited record.")
    if any(plan.by_environment.keys()):
        lines.append("Some may be withheld yet, such as calls that are too large.")
    lines.append("Nothing is sent twice; what is withheld is kept with its reason.")
    return "\n".join(lines)


def never_sent(number: int) -> str:
    """The line about answers without a User ID."""
    return f"{number:,} {_are_text(number)} withheld (no User ID) and can be sent only after a repair."


def consent_label(plan: SendPlan) -> str:
    """The label of the button: the number to be sent, without those that are only kept."""
    sendable = sum(number for name, number in plan.by_environment.items() if name)
    if not plan.complete:
        return "Send all"
    return f"Send {sendable:,}" if sendable else f"Keep {plan.total:,}"


def name_to_type(plan: SendPlan, protected: Collection[str]) -> str:
    """The protected environment that gets the most records, whose name has to be typed; empty for none."""
    targets = [(number, name) for name, number in plan.by_environment.items() if name in protected]
    return max(targets)[1] if targets else ""


def ingest_text(result: IngestResult) -> str:
    """Counts of the records ingested so far, or in the end."""
    parts = [f"{result.records:,} {_records_text(result.records)}"]
    if result.repeats:
        parts.append(f"{result.repeats:,} of them {'a repeat' if result.repeats == 1 else 'repeats'}")
    if before := result.known - result.repeats:
        since = f" ({result.removed:,} removed from the journal since)" if result.removed else ""
        parts.append(f"{before:,} known from before{since}")
    states: Counter[State] = Counter()
    reasons: Counter[str] = Counter()
    for (state, reason), number in result.new_states.items():
        states[state] += number
        if reason:
            reasons[reason] += number
    parts += [f"{states[state]:,} {state.value}" for state in State if states[state]]
    named = reasons.most_common(MOST_REASONS)
    others = reasons.total() - sum(number for _, number in named)
    why = ", ".join(
        [*(f"{reason} {number:,}" for reason, number in named), *([f"others {others:,}"] if others else [])]
    )
    return ", ".join(parts) + (f" ({why})" if why else "")


def ingest_end_text(result: IngestResult) -> str:
    """Counts of the ingested records, with a line about those that can be sent only after a repair."""
    anonymous = sum(number for (_, reason), number in result.new_states.items() if reason == Reason.ANONYMOUS)
    return ingest_text(result) + (f"\n{never_sent(anonymous)}" if anonymous else "")


def _records_text(number: int) -> str:
    return "record" if number == 1 else "records"


def _are_text(number: int) -> str:
    return "is" if number == 1 else "are"


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
        if self._session.engine is not None:
            self._session.engine.wake()
        self._report(added, journal_only=self._session.engine is None)
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
        if self._session.engine is not None:
            self._session.engine.wake()
        self._report(added, journal_only=self._session.engine is None)
        return True

    async def _confirmed_few(self, records: tuple[Record, ...], builder: EntryBuilder, *, asks: bool) -> bool:
        if asks or len(records) >= CONFIRM_FROM_RECORDS:
            plan = count_records(records, builder, should_stop=lambda: False)
            return await self._confirmed(plan, f"Send {len(records):,} {_records_text(len(records))}?")
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

    def _report(self, added: list[AddResult], *, journal_only: bool) -> None:
        """Show what became of records that were just journaled."""
        if len(added) == 1:
            (result,) = added
            is_queued = result.state is State.QUEUED and result.outcome != "known"
            if result.outcome == "known" and result.id == REMOVED_ID:
                text = f"known from before, {result.state.value}, and removed from the journal since"
            elif result.outcome == "known":
                text = f"known: it is delivery {result.id}, {result.state.value}; r in Deliveries sends it again"
            elif is_queued:
                text = f"queued as delivery {result.id}"
                text += ", not delivered from here (--no-engine)" if journal_only else ""
            elif result.reason == Reason.ANONYMOUS:
                text = f"withheld as delivery {result.id}: it has no User ID and can be sent only after a repair"
            else:
                text = f"withheld as delivery {result.id}: {result.reason}"
            (notify if is_queued else notify_warning)(self._app, text)
            return
        queued = sum(result.state is State.QUEUED and result.outcome != "known" for result in added)
        anonymous = sum(result.reason == Reason.ANONYMOUS for result in added)
        text = f"{queued:,} of {len(added):,} records queued"
        notify(self._app, f"{text}\n{never_sent(anonymous)}" if anonymous else text)
