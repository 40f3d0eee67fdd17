"""Pulling for the selected environment: ask, read page by page into the journal, say what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sprig_tui.config.apikeylint import lint_api_key
from sprig_tui.config.environment import Environment
from sprig_tui.console.dialogs import Confirm, ConfirmName, Dialog, Prompt
from sprig_tui.console.notices import notify, notify_warning
from sprig_tui.console.pulling.words import pull_progress_text, pull_question_text, pull_result_text, pull_stopped_text
from sprig_tui.console.sending.send_screen import ProgressScreen, TaskProgress
from sprig_tui.delivery.feeding import IngestResult
from sprig_tui.errors import JournalError, SprigTuiError
from sprig_tui.pull.position import CheckpointStore
from sprig_tui.pull.request import PullRequest
from sprig_tui.pull.running import pull_environment, store_pages
from sprig_tui.pull.state import PullProgress

if TYPE_CHECKING:
    from textual.app import App

    from sprig_tui.console.core import Session
    from sprig_tui.console.environments.config_desk import ConfigEditor

MAX_WARNINGS = 3
"""Warnings of one pull that are shown."""


class PullActions:
    """Run in a worker of the app; raises SprigTuiError for what could not be done."""

    def __init__(self, app: App[Any], session: Session, config_editor: ConfigEditor) -> None:
        self._app = app
        self._session = session
        self._config_editor = config_editor

    async def pull(self, name: str) -> None:
        """Ask, then read what is new, until it is read or stopped."""
        if self._session.journal is None:
            raise JournalError(
                "the journal is not open, so nothing can be pulled",
                hint=self._session.trouble or "try again in a moment",
            )
        environment = await self._with_api_key(name)
        asked = PullRequest()
        if environment is None or not await self._confirmed(environment, asked):
            return
        fed, last = IngestResult(), PullProgress(environment=name)
        journal = self._session.journal
        keep = store_pages(journal, self._session.engine, fed)

        async def work(progress: TaskProgress) -> PullProgress:
            def heard(state: PullProgress) -> None:
                nonlocal last
                last = state
                progress.text = pull_progress_text(state, fed)

            progress.text = pull_progress_text(None, fed)
            paths = self._session.dependencies.paths
            return await pull_environment(
                environment, self._session.settings, paths, asked, keep, journal, on_progress=heard
            )

        result = await self._app.push_screen_wait(ProgressScreen(f"Pulling answers for {name}", work))
        # names of surveys may be known now
        await self._config_editor.read_again()
        for text in last.warnings[:MAX_WARNINGS]:
            notify_warning(self._app, f"{name}: {text}")
        if isinstance(result, SprigTuiError):
            raise result
        if isinstance(result, PullProgress):
            notify(self._app, pull_result_text(name, result, fed))
        else:
            notify_warning(self._app, pull_stopped_text(name, fed))

    async def _with_api_key(self, name: str) -> Environment | None:
        """The environment, with a key of Sprig's API; asks for one where there is none. None when it was not given."""
        seen = self._session.settings.environment(name)
        if seen.sprig_api_key is not None:
            return seen
        if not self._session.permissions.config:
            raise SprigTuiError(f"{name} has no key of Sprig's API", hint="the demo has environments of its own")

        def check(text: str) -> str:
            errors = lint_api_key(text).errors
            return f"{errors[0].message}: {errors[0].hint}" if errors else ""

        def doubt(text: str) -> str:
            lint = lint_api_key(text)
            known = (one.write_key for one in self._session.settings.environments.values() if one.write_key)
            if any(key.reveal() == lint.secret for key in known):
                return "this is a write key of Segment, and Sprig would be sent it"
            return "; ".join(f"{one.message}: {one.hint}" for one in lint.warnings)

        text = "In Sprig: Integrations > Enrichment > Data Import API, in the environment that this one stands for."
        given = await self._app.push_screen_wait(
            Prompt(
                f"Key of Sprig's API for {name}",
                text,
                placeholder="type or paste",
                check=check,
                warning=doubt,
                masked=True,
                saves=True,
            )
        )
        if given is None:
            return None
        await self._config_editor.save(seen, name, {"sprig_api_key": lint_api_key(given).secret})
        return self._session.settings.environment(name)

    async def _confirmed(self, environment: Environment, request: PullRequest) -> bool:
        settings, paths = self._session.settings, self._session.dependencies.paths
        name, url = environment.name, settings.sprig_api_url
        place = await CheckpointStore(paths, name, url, self._session.journal, settings.journal_name).read()
        text = pull_question_text(place, request, self._session.clock.now())
        question = f"Pull answers for {environment.name} from Sprig?"
        dialog: Dialog[bool] = Confirm(question, text, yes="Pull")
        if environment.protected:
            dialog = ConfirmName(question, f"{environment.name} is protected. {text}", name=environment.name)
        return await self._app.push_screen_wait(dialog)
