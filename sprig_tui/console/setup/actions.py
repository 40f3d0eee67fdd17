"""Actions of the set-up screen, by kind: each asks before it saves, makes or sends something."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sprig_tui.config.checks import describe_reuse
from sprig_tui.config.environment import PublicApiToken, SprigApiKey
from sprig_tui.config.secret_lint import PUBLIC_API_TOKEN_RULES, SPRIG_API_KEY_RULES
from sprig_tui.config.secrets import PUBLIC_API_TOKEN, SPRIG_API_KEY, WEBHOOK_TOKEN
from sprig_tui.console.commands.payload import OpenFile
from sprig_tui.console.environments.actions import EnvironmentActions
from sprig_tui.console.environments.config_editor import ConfigEditor
from sprig_tui.console.notify import notify, notify_warning
from sprig_tui.console.payload.file_picker import FilePicker
from sprig_tui.console.pulling import PullActions
from sprig_tui.console.screens.explain import ExplainScreen
from sprig_tui.console.setup.dialogs import ActionPicker, FindingPicker, GuideForm
from sprig_tui.console.setup.results import SetupResult
from sprig_tui.console.setup.secret_form import SecretForm, TriedSecret
from sprig_tui.console.setup.source_making import make_source
from sprig_tui.console.setup.webhook_form import TOKEN_BYTES, WebhookForm
from sprig_tui.console.widgets.dialogs import ask_confirmation
from sprig_tui.errors import SprigTuiError
from sprig_tui.setup.guides import action_text, command_line, guide_lines
from sprig_tui.setup.model import ActionKind, Step
from sprig_tui.setup.secret_trial import SecretTrial
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from textual.app import App

    from sprig_tui.config.environment import Environment, Secret
    from sprig_tui.config.toml_edit import TomlValue
    from sprig_tui.config.warnings import ConfigWarning
    from sprig_tui.console.session import Session
    from sprig_tui.console.setup.observation import Observation
    from sprig_tui.console.setup.services import SetupServices

_CONFIG_ACTIONS = frozenset(
    {
        ActionKind.STORE_TOKEN,
        ActionKind.REPLACE_TOKEN,
        ActionKind.CHOOSE_SOURCE,
        ActionKind.CREATE_SOURCE,
        ActionKind.PASTE_KEY,
        ActionKind.REPLACE_KEY,
        ActionKind.MAKE_WEBHOOK_TOKEN,
        ActionKind.STORE_SPRIG_KEY,
        ActionKind.SAVE_ENVIRONMENT_ID,
        ActionKind.PROTECT,
        ActionKind.ACCEPT,
        ActionKind.REOPEN,
    }
)
_SENDING_ACTIONS = frozenset({ActionKind.SEND_TEST_EVENT, ActionKind.PULL})


class SetupActions:
    """Runs the actions; each raises SprigTuiError where it fails. Those without a dialog of their own are guides."""

    def __init__(
        self,
        app: App[Any],
        session: Session,
        config_editor: ConfigEditor,
        *,
        open_counts: Callable[[str], Awaitable[str | None]],
        has_record: Callable[[], bool],
    ) -> None:
        """`open_counts` opens the comparison of an environment; `has_record` tells whether Payload shows a record."""
        self._app = app
        self._session = session
        self._config_editor = config_editor
        self._environments = EnvironmentActions(app, session, config_editor)
        self._open_counts = open_counts
        self._has_record = has_record
        self._by_kind: dict[ActionKind, Callable[[Observation], Awaitable[SetupResult | None]]] = {
            ActionKind.STORE_TOKEN: self._store_token,
            ActionKind.REPLACE_TOKEN: self._store_token,
            ActionKind.CHOOSE_SOURCE: self._choose_key,
            ActionKind.CREATE_SOURCE: self._create_source,
            ActionKind.PASTE_KEY: self._paste_key,
            ActionKind.REPLACE_KEY: self._choose_key,
            ActionKind.MAKE_WEBHOOK_TOKEN: self._make_webhook_token,
            ActionKind.STORE_SPRIG_KEY: self._store_sprig_key,
            ActionKind.SAVE_ENVIRONMENT_ID: self._save_environment_id,
            ActionKind.PULL: self._pull,
            ActionKind.OPEN_RECORDS: self._open_records,
            ActionKind.SEND_TEST_EVENT: self._send_test_event,
            ActionKind.SEND_ANSWER: self._send_answer,
            ActionKind.COMPARE: self._compare,
            ActionKind.PROTECT: self._protect,
        }

    async def choose(self, actions: tuple[ActionKind, ...], environment: str) -> ActionKind | None:
        """Ask which of the actions to run."""
        index = await self._app.push_screen_wait(ActionPicker(f"For {one_line(environment, limit=40)}", actions))
        return actions[index] if index is not None else None

    async def run(self, action: ActionKind, step: Step, observation: Observation) -> SetupResult | None:
        """Run an action of a step; a result closes the screen."""
        if reason := self.refusal(action):
            notify_warning(self._app, reason)
            return None
        if action is ActionKind.EXPLAIN:
            await self._explain(step.delivery)
            return None
        if action in (ActionKind.ACCEPT, ActionKind.REOPEN):
            await self._change_accepted(step, observation, accepts=action is ActionKind.ACCEPT)
            return None
        handle = self._by_kind.get(action)
        if handle is not None:
            return await handle(observation)
        name = observation.environment
        form = GuideForm(action_text(action), guide_lines(action, name), command_line(action, name))
        await self._app.push_screen_wait(form)
        return None

    def refusal(self, action: ActionKind) -> str:
        """Why this console cannot do it; empty when it can."""
        permissions = self._session.permissions
        if permissions.read_only and action in _CONFIG_ACTIONS | _SENDING_ACTIONS:
            return "this console is read-only, it was opened with --read-only: nothing is saved, made or sent"
        if not permissions.config and action in _CONFIG_ACTIONS:
            return "the demo has a config of its own; leave it, and open sprig-tui to set up yours"
        return ""

    @property
    def _services(self) -> SetupServices:
        make_services = self._session.dependencies.setup
        if make_services is None:
            raise SprigTuiError("this console cannot ask Segment or Sprig", hint="use sprig-tui setup in a shell")
        return make_services()

    def _environment(self, observation: Observation) -> Environment:
        return self._session.settings.environment(observation.environment)

    # -- secrets -------------------------------------------------------------------------------------------------------

    async def _store_token(self, observation: Observation) -> None:
        del observation
        workspace = self._session.settings.workspace

        async def try_token(text: str) -> SecretTrial:
            return await self._services.try_token(replace(workspace, token=PublicApiToken(text)))

        tried: TriedSecret | None = await self._app.push_screen_wait(
            SecretForm(
                "Token of Segment's Public API",
                "With it the workspace's sources are offered by name, and what Segment counted is shown."
                f"\n{PUBLIC_API_TOKEN_RULES.hint[0].upper()}{PUBLIC_API_TOKEN_RULES.hint[1:]}."
                "\nIt is tried before it is saved.",
                PUBLIC_API_TOKEN_RULES,
                try_token,
                describe_reuse=lambda text: describe_reuse(self._session.settings, text, PUBLIC_API_TOKEN),
            )
        )
        if tried is None:
            return
        changes: dict[str, TomlValue | None] = {PUBLIC_API_TOKEN.key: tried.secret}
        if tried.trial.region:
            changes["region"] = tried.trial.region
        await self._config_editor.save_workspace(workspace, changes)
        settings = self._session.settings
        problem = settings.secret_problem(PUBLIC_API_TOKEN)
        self._report_saved("token", tried.trial, settings.workspace.token, problem)

    async def _store_sprig_key(self, observation: Observation) -> None:
        environment = self._environment(observation)
        url = self._session.settings.sprig_api_url

        async def try_key(text: str) -> SecretTrial:
            return await self._services.try_sprig_key(url, SprigApiKey(text))

        tried: TriedSecret | None = await self._app.push_screen_wait(
            SecretForm(
                f"Key of Sprig's API for {environment.name}",
                "In Sprig: Integrations > Enrichment > Data Import API, in the environment that this one is for."
                "\nIt is tried before it is saved.",
                SPRIG_API_KEY_RULES,
                try_key,
                describe_reuse=lambda text: describe_reuse(
                    self._session.settings, text, SPRIG_API_KEY, environment.name
                ),
            )
        )
        if tried is None:
            return
        await self._config_editor.save(environment, environment.name, {SPRIG_API_KEY.key: tried.secret})
        problem = self._session.settings.secret_problem(SPRIG_API_KEY, environment.name)
        self._report_saved("key", tried.trial, self._environment(observation).sprig_api_key, problem)

    def _report_saved(self, noun: str, trial: SecretTrial, used: Secret | None, problem: ConfigWarning | None) -> None:
        """`problem` is why the one in use cannot be used, such as a command that takes precedence and fails."""
        if used is None and problem is not None:
            notify_warning(self._app, f"saved, but there is no {noun}: {problem.text}")
        elif used is not None and used.read_from != "config":
            notify_warning(self._app, f"saved, but {used.read_from} is set and takes precedence over the config")
        elif trial.verdict == "accepted":
            notify(self._app, f"{noun} saved: {trial.message}")
        else:
            notify_warning(self._app, f"{noun} saved, but {trial.message or 'it was rejected'}")

    async def _make_webhook_token(self, observation: Observation) -> None:
        environment = self._environment(observation)
        name = environment.name
        if environment.webhook_token is not None and not await ask_confirmation(
            self._app,
            f"Make a new webhook token for {name}?",
            "Webhooks that carry the present one are rejected from then on, until Sprig has the new one.",
            yes="Make one",
            protected_name=name if environment.protected else "",
        ):
            return
        token = secrets.token_urlsafe(TOKEN_BYTES)
        await self._config_editor.save(environment, name, {WEBHOOK_TOKEN.key: token})
        used = self._environment(observation).webhook_token
        if used is not None and used.read_from != "config":
            notify_warning(self._app, f"saved, but {used.read_from} is set and takes precedence over the config")
            return
        steps = guide_lines(ActionKind.MAKE_WEBHOOK_TOKEN, name)
        await self._app.push_screen_wait(WebhookForm(name, self._services.listen_url, token, steps))

    # -- Segment -------------------------------------------------------------------------------------------------------

    async def _choose_key(self, observation: Observation) -> None:
        await self._environments.add_key(observation.environment)

    async def _paste_key(self, observation: Observation) -> None:
        name = observation.environment
        # whoever has no key yet may have no source either
        steps = guide_lines(ActionKind.PASTE_KEY, name) if self._environment(observation).write_key is None else ()
        await self._environments.add_key(name, pasted=True, steps=steps)

    async def _create_source(self, observation: Observation) -> None:
        environment = self._environment(observation)
        key = await make_source(self._app, self._session.settings, self._services, environment.name)
        if not key:
            return
        await self._config_editor.save(environment, environment.name, {"write_key": key})
        notify(self._app, f"key of {environment.name} saved")

    async def _compare(self, observation: Observation) -> SetupResult | None:
        wanted = await self._open_counts(observation.environment)
        return SetupResult(deliveries_filter=wanted) if wanted else None

    # -- answers -------------------------------------------------------------------------------------------------------

    async def _pull(self, observation: Observation) -> None:
        await PullActions(self._app, self._session, self._config_editor).pull(observation.environment)

    async def _open_records(self, observation: Observation) -> SetupResult | None:
        del observation
        if reason := self._session.permissions.refusal(OpenFile):
            notify_warning(self._app, reason)
            return None
        paths = await self._app.push_screen_wait(FilePicker(f"{str(Path.cwd()).rstrip('/')}/"))
        return SetupResult(files=tuple(paths), shows_payload=True) if paths else None

    async def _send_answer(self, observation: Observation) -> SetupResult | None:
        return SetupResult(shows_payload=True) if self._has_record() else await self._open_records(observation)

    async def _send_test_event(self, observation: Observation) -> None:
        await self._environments.send_test_event(observation.environment)

    async def _explain(self, delivery_id: int) -> None:
        journal = self._session.journal
        detail = await journal.get(delivery_id) if journal is not None and delivery_id else None
        if detail is None:
            raise SprigTuiError("there is no delivery to explain", hint="its row in Deliveries explains it with x")
        await self._app.push_screen_wait(ExplainScreen(self._session, detail))

    # -- environment ---------------------------------------------------------------------------------------------------

    async def _save_environment_id(self, observation: Observation) -> None:
        environment = self._environment(observation)
        learnt = observation.learnt_environment_id
        if not learnt:
            notify_warning(self._app, "no body with an environment id has come yet")
            return
        text = f"{one_line(learnt, limit=200)}\nWebhooks on the shared path /webhooks are told apart by it."
        if await ask_confirmation(self._app, f"Save Sprig's environment id for {environment.name}?", text, yes="Save"):
            await self._config_editor.save(environment, environment.name, {"sprig_environment_id": learnt})
            notify(self._app, f"environment id of {environment.name} saved")

    async def _protect(self, observation: Observation) -> None:
        environment = self._environment(observation)
        text = "Sending in bulk then asks for its name, and so does a test event. e takes the protection off."
        if await ask_confirmation(self._app, f"Protect {environment.name}?", text, yes="Protect"):
            await self._config_editor.save(environment, environment.name, {"protected": True})
            notify(self._app, f"{environment.name} is protected")

    async def _change_accepted(self, step: Step, observation: Observation, *, accepts: bool) -> None:
        """Accept a finding of the step as it is, or take that back."""
        findings = [one for one in step.findings if (one.is_acceptable if accepts else one.is_accepted)]
        if not findings:
            return
        chosen = findings[0]
        if len(findings) > 1:
            title = "Which one is to be accepted as it is?" if accepts else "Which one is to be open again?"
            verb = "accepts it" if accepts else "opens it again"
            index = await self._app.push_screen_wait(FindingPicker(title, findings, verb=verb))
            if index is None:
                return
            chosen = findings[index]
        elif accepts and not await ask_confirmation(
            self._app,
            f"Accept {chosen.code} as it is?",
            f"{one_line(chosen.evidence, limit=400)}\nIt counts as done then: done elsewhere, seen by you, not wanted.",
            yes="Accept it",
        ):
            return
        environment = self._environment(observation)
        others = [code for code in environment.setup_accepted if code != chosen.code]
        accepted = [*others, chosen.code.value] if accepts else others
        changes: dict[str, TomlValue | None] = {"setup_accepted": accepted or None}
        await self._config_editor.save(environment, environment.name, changes)
        notify(self._app, f"{chosen.code} is {'accepted' if accepts else 'open again'}")
