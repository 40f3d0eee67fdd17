"""Sending records: through the same intake and journal as everything else; the engine does the rest."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from sprig_tui.console.dialogs import Confirm, ConfirmName, Dialog
from sprig_tui.console.notices import tell, warn
from sprig_tui.console.sending.plan import Plan, consent, count_records, fed_text, name_to_type, plan_text
from sprig_tui.console.sending.send_screen import Progress, ProgressScreen
from sprig_tui.delivery.feeding import Fed, feed
from sprig_tui.errors import JournalError, SprigTuiError
from sprig_tui.intake import Intake
from sprig_tui.journal.records import Added, State
from sprig_tui.sprig.reading import read_responses
from sprig_tui.sprig.records import Record

if TYPE_CHECKING:
    from textual.app import App

    from sprig_tui.console.core import Core
    from sprig_tui.journal.contract import Journal

ASK_FROM = 2
"""Records from which on a send is one in bulk, and is asked about."""

Result = TypeVar("Result")


class SendFlows:
    """Each is run in a worker of the app, and raises SprigTuiError for what could not be done."""

    def __init__(self, app: App[Any], core: Core) -> None:
        self._app = app
        self._core = core

    async def send(self, records: tuple[Record, ...], environment: str, *, edited: bool) -> None:
        """Journal these records and let them go; more than one is asked about first."""
        journal = self._journal()
        intake = self._intake(environment)
        if len(records) >= ASK_FROM:
            plan = count_records(records, intake, told=lambda _: None, stopped=lambda: False)
            if plan is None or not await self._agreed(plan, f"Send {len(records):,} records?"):
                return
        added = await journal.add([intake.entry(record, edited=edited) for record in records])
        if self._core.engine is not None:
            self._core.engine.wake()
        self._say(added, journal_only=self._core.engine is None)

    async def send_files(self, sources: tuple[str, ...], name: str, environment: str) -> None:
        """Count every record of some files, ask, then journal them while the engine delivers."""
        journal = self._journal()
        intake = self._intake(environment)

        async def count(progress: Progress) -> Plan | None:
            def told(number: int) -> None:
                progress.text = f"counting the records of {name}: {number:,}"

            progress.text = f"counting the records of {name}"
            return await asyncio.to_thread(
                lambda: count_records(read_responses(sources), intake, told=told, stopped=progress.stopped.is_set)
            )

        plan = await self._run(f"Send all of {name}", count, Plan)
        if plan is None:
            return
        if not plan.total:
            warn(self._app, f"{name} holds no records; nothing to send")
            return
        if not await self._agreed(plan, f"Send all {plan.total:,} records of {name}?"):
            return
        await self._feed(sources, name, plan.total, self._intake(environment), journal)

    async def _feed(self, sources: tuple[str, ...], name: str, total: int, intake: Intake, journal: Journal) -> None:
        last = Fed()

        async def send(progress: Progress) -> Fed:
            def told(fed: Fed) -> None:
                nonlocal last
                last = fed
                progress.text = f"{fed.records:,} of {total:,}\n{fed_text(fed)}"

            return await feed(read_responses(sources), intake, journal, self._core.engine, progress=told)

        fed = await self._run(f"Sending {name}", send, Fed)
        if fed is None:
            warn(
                self._app,
                f"stopped after {fed_text(last)}: what is queued goes out\n"
                "send the file again for the rest; nothing is sent twice",
            )
        else:
            tell(self._app, f"{name}: {fed_text(fed)}")

    async def _run(self, title: str, work: Any, kind: type[Result]) -> Result | None:
        result = await self._app.push_screen_wait(ProgressScreen(title, work))
        if isinstance(result, SprigTuiError):
            raise result
        return result if isinstance(result, kind) else None

    async def _agreed(self, plan: Plan, question: str) -> bool:
        environments = self._core.settings.environments
        protected = [name for name, one in environments.items() if one.protected]
        text = plan_text(plan, protected, [name for name, one in environments.items() if one.write_key is None])
        dialog: Dialog[bool] = Confirm(question, text, yes=consent(plan))
        if name := name_to_type(plan, protected):
            dialog = ConfirmName(question, text, name=name)
        return await self._app.push_screen_wait(dialog)

    def _intake(self, environment: str) -> Intake:
        settings = self._core.settings
        return Intake(settings.rules, settings.environments, environment or None, clock=self._core.clock)

    def _journal(self) -> Journal:
        if self._core.journal is None:
            raise JournalError(
                "the journal is not open, so nothing can be sent", hint=self._core.trouble or "try again in a moment"
            )
        return self._core.journal

    def _say(self, added: list[Added], *, journal_only: bool) -> None:
        if len(added) == 1:
            (one,) = added
            if one.outcome == "known":
                text = f"known: it is delivery {one.id}, {one.state.value}; r in Deliveries sends it again"
            elif one.state is State.QUEUED:
                text = f"queued as delivery {one.id}"
                text += ", not delivered from here (--no-engine)" if journal_only else ""
            else:
                text = f"withheld as delivery {one.id}: {one.reason}"
            (tell if one.state is State.QUEUED and one.outcome != "known" else warn)(self._app, text)
            return
        queued = sum(one.state is State.QUEUED and one.outcome != "known" for one in added)
        tell(self._app, f"{queued:,} of {len(added):,} records queued")
