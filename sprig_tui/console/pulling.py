"""Pulling from the console: asks for confirmation, then reads new answers from Sprig into the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sprig_tui.config.environment import Environment
from sprig_tui.config.secret_lint import SPRIG_API_KEY_RULES, lint_secret
from sprig_tui.console.notify import notify_end, notify_warning
from sprig_tui.console.screens.progress import ProgressScreen, TaskProgress
from sprig_tui.console.sending.results import ingest_text
from sprig_tui.console.widgets.dialogs import Prompt, ask_confirmation
from sprig_tui.errors import JournalError, SprigTuiError
from sprig_tui.ingest.ingest import IngestResult
from sprig_tui.pull.checkpoint import Checkpoint, CheckpointStore
from sprig_tui.pull.pull import pull_environment, store_pages
from sprig_tui.pull.request import PullProgress, PullRequest, format_utc

if TYPE_CHECKING:
    from textual.app import App

    from sprig_tui.console.environments.config_editor import ConfigEditor
    from sprig_tui.console.session import Session


def pull_question_text(checkpoint: Checkpoint, request: PullRequest, now_ms: int) -> str:
    """What the pull reads, for the question."""
    interrupted = checkpoint.find_resume_point(request, now_ms)
    mark = checkpoint.high_water_mark(request.survey)
    if interrupted is not None:
        what = f"It resumes the pull that stopped after {interrupted.records:,} records."
    elif mark:
        what = f"It reads what was created since {format_utc(mark)}, and an hour before that."
    else:
        what = "It is the first pull and reads everything in Sprig."
    return f"{what}\nAnswers that are new go to Segment; nothing is sent twice."


def pull_progress_text(progress: PullProgress | None, result: IngestResult) -> str:
    """Progress of a pull; None before Sprig's first response."""
    if progress is None:
        return "asking Sprig"
    lines = [_pages_text(progress)]
    if progress.reached:
        lines.append(f"reached {format_utc(progress.reached)}")
    if result.records:
        lines.append(ingest_text(result))
    if progress.waiting:
        lines.append(progress.waiting)
    return "\n".join(lines)


def pull_result_text(name: str, progress: PullProgress, result: IngestResult) -> str:
    """Result of a pull."""
    if result.records and result.outcomes["known"] == result.records:
        return f"{name}: nothing new in {_pages_text(progress)}"
    if not result.records:
        return f"{name}: nothing new"
    return f"{name}: {_pages_text(progress)}\n{ingest_text(result)}"


def pull_stopped_text(name: str, result: IngestResult) -> str:
    """Result of a pull that was stopped."""
    return f"{name}: stopped after {ingest_text(result)}\nthe next pull resumes there; what is queued is still sent"


def _pages_text(progress: PullProgress) -> str:
    return f"{progress.records:,} records on {progress.pages:,} {'page' if progress.pages == 1 else 'pages'}"


MAX_WARNINGS = 3
"""Warnings shown after a pull."""


class PullActions:
    """Pull action of the Environments pane. Runs in a worker of the app and raises SprigTuiError where it fails."""

    def __init__(self, app: App[Any], session: Session, config_editor: ConfigEditor) -> None:
        self._app = app
        self._session = session
        self._config_editor = config_editor

    async def pull(self, name: str) -> None:
        """Ask, then read all new answers, until the end or until the user stops it."""
        if self._session.journal is None:
            raise JournalError(
                "the journal is not open, so nothing can be pulled",
                hint=self._session.trouble or "try again in a moment",
            )
        environment = await self._with_api_key(name)
        request = PullRequest()
        if environment is None or not await self._confirmed(environment, request):
            return
        ingested, last = IngestResult(), PullProgress(environment=name)
        journal = self._session.journal
        store = store_pages(journal, self._session.engine, ingested)

        async def work(progress: TaskProgress) -> PullProgress:
            def on_progress(pulled: PullProgress) -> None:
                nonlocal last
                last = pulled
                progress.text = pull_progress_text(pulled, ingested)

            progress.text = pull_progress_text(None, ingested)
            paths = self._session.dependencies.paths
            return await pull_environment(
                environment, self._session.settings, paths, request, store, journal, on_progress=on_progress
            )

        result = await self._app.push_screen_wait(ProgressScreen(f"Pulling answers for {name}", work))
        # the pull may have found names of surveys
        await self._config_editor.read_again()
        for text in last.warnings[:MAX_WARNINGS]:
            notify_warning(self._app, f"{name}: {text}")
        if isinstance(result, SprigTuiError):
            raise result
        if isinstance(result, PullProgress):
            notify_end(self._app, pull_result_text(name, result, ingested))
        else:
            notify_warning(self._app, pull_stopped_text(name, ingested))

    async def _with_api_key(self, name: str) -> Environment | None:
        """The environment, after asking for a key of Sprig's API if it has none. None when no key was given."""
        environment = self._session.settings.environment(name)
        if environment.sprig_api_key is not None:
            return environment
        if not self._session.permissions.config:
            raise SprigTuiError(
                f"{name} has no key of Sprig's API",
                hint="the demo has a config of its own: leave it, and open sprig-tui to use yours",
            )

        def check(text: str) -> str:
            errors = lint_secret(text, SPRIG_API_KEY_RULES).errors
            return f"{errors[0].message}: {errors[0].hint}" if errors else ""

        def warning(text: str) -> str:
            lint = lint_secret(text, SPRIG_API_KEY_RULES)
            environments = self._session.settings.environments.values()
            write_keys = (environment.write_key for environment in environments if environment.write_key)
            if any(key.is_read and key.reveal() == lint.secret for key in write_keys):
                return "this is a write key of Segment, and Sprig would be sent it"
            return "; ".join(f"{fault.message}: {fault.hint}" for fault in lint.warnings)

        text = "In Sprig: Integrations > Enrichment > Data Import API, in the environment that this one is for."
        typed = await self._app.push_screen_wait(
            Prompt(
                f"Key of Sprig's API for {name}",
                text,
                placeholder="type or paste",
                check=check,
                warning=warning,
                masked=True,
                saves=True,
            )
        )
        if typed is None:
            return None
        await self._config_editor.save(
            environment, name, {"sprig_api_key": lint_secret(typed, SPRIG_API_KEY_RULES).secret}
        )
        return self._session.settings.environment(name)

    async def _confirmed(self, environment: Environment, request: PullRequest) -> bool:
        settings, paths = self._session.settings, self._session.dependencies.paths
        name, url = environment.name, settings.sprig_api_url
        checkpoint = await CheckpointStore(paths, name, url, self._session.journal, settings.journal_name).read()
        text = pull_question_text(checkpoint, request, self._session.clock.now())
        question = f"Pull answers for {name} from Sprig?"
        if environment.protected:
            text = f"{name} is protected. {text}"
        protected_name = name if environment.protected else ""
        return await ask_confirmation(self._app, question, text, yes="Pull", protected_name=protected_name)
