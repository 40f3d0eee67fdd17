"""Environment actions: change keys and settings, hold and resume lanes, send a test event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sprig_tui.config.checks import describe_reuse
from sprig_tui.config.environment import Environment, WriteKey
from sprig_tui.config.secret_storage import stored_keys
from sprig_tui.config.secrets import WRITE_KEY, write_key_variable
from sprig_tui.config.settings import BUILT_IN_ENVIRONMENTS, check_environment_name
from sprig_tui.console.environments.config_editor import ConfigEditor
from sprig_tui.console.environments.edit_form import EditForm
from sprig_tui.console.environments.key_form import KeyForm
from sprig_tui.console.environments.key_rotation import KeyRotation
from sprig_tui.console.environments.send_test_event import SendTestEventScreen
from sprig_tui.console.environments.source_picker import PASTE, pick_key, source_list
from sprig_tui.console.notify import notify, notify_warning
from sprig_tui.console.widgets.dialogs import Prompt, ask_confirmation
from sprig_tui.delivery.hold import hold_lane, newer_hold, read_holds
from sprig_tui.errors import ConfigError, SprigTuiError
from sprig_tui.ingest.test_event import EVENT_NAME, make_test_event

if TYPE_CHECKING:
    from textual.app import App

    from sprig_tui.console.session import Session
    from sprig_tui.delivery.hold import Hold
    from sprig_tui.journal.base import Journal


class EnvironmentActions:
    """Actions of the Environments pane, by name of the environment.

    Each runs in a worker of the app and raises SprigTuiError where it fails.
    """

    def __init__(self, app: App[Any], session: Session, config_editor: ConfigEditor) -> None:
        self._app = app
        self._session = session
        self._config_editor = config_editor

    def _environment(self, name: str) -> Environment:
        return self._session.settings.environment(name)

    # -- keys ----------------------------------------------------------------------------------------------------------

    async def add_key(self, name: str, *, pasted: bool = False, steps: Sequence[str] = ()) -> None:
        """Ask for a key, save it, and show the next step; with `pasted` no source is offered.

        `steps` say how to come by a key.
        """
        environment = self._environment(name)
        sources = source_list(self._session)
        key = PASTE if pasted else await pick_key(self._app, sources, name)
        if key == PASTE:
            key = await self._app.push_screen_wait(
                KeyForm(
                    name,
                    environment.write_key.masked() if environment.write_key else "",
                    self._override_note(environment),
                    environments_with_key=lambda key: describe_reuse(self._session.settings, key, WRITE_KEY, name),
                    sources=sources,
                    steps=steps,
                )
            )
        if key is None:
            return
        await self._config_editor.save(environment, name, {"write_key": key})
        key_now = self._environment(name).write_key
        problem = self._session.settings.secret_problem(WRITE_KEY, name) if key_now is None else None
        if problem is not None:
            notify_warning(self._app, f"saved, but {name} has no key: {problem.text}")
        elif key_now is not None and key_now.read_from != "config":
            notify_warning(self._app, f"saved, but {_place(key_now)} takes precedence")
        else:
            # the key of the panes is no key of the set-up screen, which shows the next step itself
            after = ": t sends a test event, to see it arrive in Segment" if self._app.shows_panes else ""  # type: ignore[attr-defined] # the console's app
            notify(self._app, f"key of {name} saved{after}")

    async def rotate_key(self, name: str) -> None:
        """Switch to a new key of the same source; the old one works until a person removes it in Segment."""
        await KeyRotation(self._app, self._session, self._config_editor).run(name)

    def _override_note(self, environment: Environment) -> str:
        key = environment.write_key
        if key is None:
            stored = stored_keys(self._session.settings.document.tables, WRITE_KEY, environment.name)
            command = f"{WRITE_KEY.key}_command"
            gone = f"{command} of the config takes precedence over a key there: remove it to use the new key."
            return gone if command in stored else ""
        if key.read_from == "config":
            return ""
        if key.is_from_variable:
            where = f"{key.read_from} is set in this shell"
            return f"{where} and takes precedence over the config: unset it to use the new key."
        if key.reference is not None and key.reference.command:
            return f"{_place(key)} takes precedence over a key in the config: remove it there to use the new key."
        return f"The new key is stored in the config, in place of the {key.read_from}, which goes if sprig-tui made it."

    async def remove_key(self, name: str) -> None:
        """Ask for confirmation, then remove the key from the config."""
        environment = self._environment(name)
        if environment.write_key is None:
            return
        question = f"Remove the write key {environment.write_key.masked()} of {name}?"
        text = "Nothing is sent there until it has one again; what is queued stays queued."
        if environment.write_key.reference is not None:
            text += f"\nThe config no longer names the {environment.write_key.read_from}."
        if not await self._confirmed(environment, question, text, yes="Remove"):
            return
        await self._config_editor.save(environment, name, {"write_key": None})
        if (key_now := self._environment(name).write_key) is not None:
            notify_warning(self._app, f"removed from the config, but {key_now.read_from} still gives {name} a key")
        else:
            notify(self._app, f"key of {name} removed")

    async def _confirmed(self, environment: Environment, question: str, text: str, *, yes: str) -> bool:
        name = environment.name if environment.protected else ""
        return await ask_confirmation(self._app, question, text, yes=yes, protected_name=name)

    # -- environments --------------------------------------------------------------------------------------------------

    async def edit(self, name: str) -> None:
        """Ask for the settings and save the changes."""
        environment = self._environment(name)
        changes = await self._app.push_screen_wait(EditForm(environment))
        if not changes:
            return
        if environment.protected and changes.get("protected") is False:
            text = "Sending in bulk will no longer ask for its name."
            if not await self._confirmed(environment, f"Take the protection off {name}?", text, yes="Take it off"):
                return
        await self._config_editor.save(environment, name, changes)
        notify(self._app, f"{name} saved")

    async def new(self) -> str:
        """Ask for a name, then for the key; returns the name, empty when nothing was added."""

        def check(text: str) -> str:
            if text.strip() in self._session.settings.environments:
                return f"there is an environment {text.strip()} already"
            try:
                check_environment_name(text.strip())
            except ConfigError as error:
                return f"{error.message}; {error.hint}"
            return ""

        text = "Lower-case letters, digits and dashes. It becomes part of every message id, so it cannot change later."
        name = await self._app.push_screen_wait(
            Prompt("New environment", text, placeholder="staging-eu", check=check, saves=True)
        )
        if name is None:
            return ""
        name = name.strip()
        await self._config_editor.save(None, name, {"endpoint": "us"})
        await self.add_key(name)
        return name

    async def remove(self, name: str) -> None:
        """Ask for confirmation, then remove the environment's table from the config."""
        environment = self._environment(name)
        key = environment.write_key
        if key is not None and key.is_from_variable:
            text = f"{key.read_from} stays set: unset {write_key_variable(name)} too if it is not wanted."
        else:
            text = "Its key and settings go; its deliveries stay in the journal, and queued ones stay queued."
        verb = "Reset" if name in BUILT_IN_ENVIRONMENTS else "Remove"
        if await self._confirmed(environment, f"{verb} environment {name}?", text, yes=verb):
            await self._config_editor.drop(environment)
            notify(self._app, f"{name} {'reset' if name in BUILT_IN_ENVIRONMENTS else 'removed'}")

    # -- sending -------------------------------------------------------------------------------------------------------

    async def hold(self, name: str) -> None:
        """Ask for the reason, and hold a lane for every process on this journal; or change the reason of a hold."""
        journal = self._journal()
        held = (await read_holds(journal)).get(name)
        text = "Answers are still taken in and queued; nothing is sent until somebody resumes it."
        if held is not None:
            text = f"It is {held.text(self._session.clock.now())}."
        why = await self._app.push_screen_wait(
            Prompt(f"Hold {name}?", text, value=held.why if held else "", placeholder="why (may be empty)", saves=True)
        )
        if why is None:
            return
        await self._check_hold(journal, name, held)
        await hold_lane(journal, name, why.strip())
        self._wake_engine(name)
        sending = (await journal.counts()).leased.get(name, 0)
        also = f"; {sending:,} that a worker has claimed may still be sent" if sending else ""
        notify(self._app, f"{name} is held{also}")

    async def resume(self, name: str) -> None:
        """Resume a held lane, after a question where deliveries wait behind it; or let a lane try again at once."""
        journal, environment = self._journal(), self._environment(name)
        held = (await read_holds(journal)).get(name)
        if held is not None and held.waiting:
            now = self._session.clock.now()
            text = f"{held.text(now)}\n{held.queue_text(now)}\nThey go to {environment.base_url}."
            question, yes = f"Send what is held for {name}?", f"Send {held.waiting:,}"
            if not await self._confirmed(environment, question, text, yes=yes):
                return
        await self._check_hold(journal, name, held)
        await journal.set_lane(name, "open")
        self._wake_engine(name)
        notify(self._app, f"{name} is resumed")

    async def _check_hold(self, journal: Journal, name: str, known: Hold | None) -> None:
        """Refuse to replace or end a hold that another person made while the question was open."""
        if (newer := await newer_hold(journal, name, known)) is not None:
            now = self._session.clock.now()
            raise SprigTuiError(f"nothing was changed: {name} is {newer.text(now)} meanwhile; look, and try again")

    async def send_test_event(self, name: str) -> None:
        """Journal a test event, let the engine send it, and show what becomes of it."""
        environment = self._environment(name)
        journal = self._journal()
        if environment.protected:
            text = f"{EVENT_NAME!r} reaches every destination that is connected to this source."
            if not await ask_confirmation(self._app, f"Send a test event to {name}?", text, yes="Send one"):
                return
        added = await journal.add([make_test_event(name, self._session.clock.now())])
        self._wake_engine(name)
        await self._app.push_screen_wait(SendTestEventScreen(self._session, environment, added[0].id))

    def _journal(self) -> Journal:
        if self._session.journal is None:
            raise SprigTuiError(f"the journal is not open: {self._session.trouble or 'in a moment'}")
        return self._session.journal

    def _wake_engine(self, name: str) -> None:
        if self._session.engine is not None:
            self._session.engine.wake(name)


def _place(key: WriteKey) -> str:
    """A place that takes precedence over the config, in a sentence."""
    return f"{key.read_from} of the config" if key.reference is not None else f"{key.read_from} is set and"
