"""Key rotation in the console: where the new key comes from, the question, and what is left to do afterwards."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from sprig_tui.config.checks import describe_reuse
from sprig_tui.config.secrets import WRITE_KEY
from sprig_tui.console.commands.environments import Reconcile, TestEvent
from sprig_tui.console.environments.key_form import KeyForm
from sprig_tui.console.environments.source_picker import source_list
from sprig_tui.console.notify import notify_warning
from sprig_tui.console.screens.progress import with_progress
from sprig_tui.console.setup.dialogs import GuideForm
from sprig_tui.console.widgets.dialogs import ask_confirmation
from sprig_tui.console.widgets.line_picker import LinePicker
from sprig_tui.errors import ConfigError, JournalError, SegmentApiError
from sprig_tui.journal.records import State
from sprig_tui.setup import key_switch
from sprig_tui.setup.key_rotation import KeyRotationError
from sprig_tui.setup.key_switch import Rotation, RotationNote
from sprig_tui.text import mask, one_line

if TYPE_CHECKING:
    from textual.app import App

    from sprig_tui.console.environments.config_editor import ConfigEditor
    from sprig_tui.console.environments.source_picker import SourceList
    from sprig_tui.console.session import Session

MAKE, PASTE = range(2)
"""Lines of the first question."""
ORIGINS = ("let Segment make the new key", "paste a key that was made in Segment")


class NewKeyForm(KeyForm):
    """Asks for the key that was made in Segment. Result: the key to switch to, or None."""

    TITLE = "New write key of {}"
    VERB = "take"

    def __init__(self, rotation: Rotation, sources: SourceList | None, problem: str) -> None:
        """`problem` is why Segment cannot make one, in words; empty for none."""
        self._rotation = rotation

        def faults(key: str) -> tuple[str, ...]:
            owner = sources.owner(key, rotation.name) if sources is not None else None
            reused = describe_reuse(rotation.settings, key, WRITE_KEY, rotation.name)
            return (*reused, *filter(None, (key_switch.other_source_text(rotation, owner),)))

        super().__init__(
            rotation.name,
            rotation.old.masked(),
            problem,
            environments_with_key=faults,
            sources=sources,
            steps=(f"In Segment press Generate New Key: {rotation.keys_place}",),
        )

    def refusal(self, key: str) -> str:
        """The present key is no new one."""
        fault = key_switch.present_key_fault(self._rotation, key)
        return f"{fault}: paste the new one" if fault else ""


class KeyRotation:
    """Rotates the key of an environment; nothing changes before the last question is answered."""

    def __init__(self, app: App[Any], session: Session, config_editor: ConfigEditor) -> None:
        self._app = app
        self._session = session
        self._config_editor = config_editor

    async def run(self, name: str) -> None:
        """Ask, make or take the key, switch to it, and show what is left; raises SprigTuiError."""
        settings = self._session.settings
        environment = settings.environment(name)
        rotation = Rotation(settings, environment, key_switch.check_replaceable(environment))
        sources = source_list(self._session)
        problem = ""
        warnings: list[RotationNote] = []
        if sources is not None:
            try:
                if await with_progress(self._app, "Reading the workspace", "asking Segment", sources.load) is None:
                    return
            except (SegmentApiError, ConfigError) as error:
                problem = f"Whose key it is could not be asked: {_with_hint(error)}"
                sources = None
            else:
                owner = key_switch.find_source(rotation, sources.sources or ())
                texts = key_switch.mismatch_texts(rotation, owner)
                warnings = [RotationNote(text, is_warning=True) for text in texts]
                problem = "" if owner.source is not None else key_switch.no_source_text(rotation, owner)
        while True:
            if not await self._choose_key(rotation, sources, problem) or not await self._confirmed(rotation, warnings):
                return
            try:
                if not rotation.new_key and not await self._make_key(rotation):
                    return
            except KeyRotationError as error:
                problem = _with_hint(error)
                continue
            break
        await key_switch.switch_key(rotation, partial(self._store, rotation), self._session.clock.now)
        await self._show_rest(rotation)

    async def _choose_key(self, rotation: Rotation, sources: SourceList | None, problem: str) -> bool:
        """Ask where the new key comes from, and for one that is pasted; False to leave everything as it is."""
        rotation.new_key, rotation.new_source = "", None
        choice: int | None = PASTE
        if rotation.source is not None and self._session.dependencies.setup is not None:
            title = f"Rotate the key of {rotation.name}"
            choice = await self._app.push_screen_wait(LinePicker(title, ORIGINS, verb="goes on", about=problem))
            problem = ""
        if choice != PASTE:
            return choice == MAKE
        key = await self._app.push_screen_wait(NewKeyForm(rotation, sources, problem))
        if key is None:
            return False
        owner = sources.owner(key, rotation.name) if sources is not None else None
        rotation.new_key, rotation.new_source = key, owner.source if owner is not None else None
        return True

    async def _confirmed(self, rotation: Rotation, warnings: list[RotationNote]) -> bool:
        """Show exactly what is going to happen, and ask."""
        notes = key_switch.rotation_notes(
            rotation,
            rotation.new_key,
            queued=await self._queued(rotation.name),
            sends_here=self._session.delivers,
            sends_test_event=False,
        )
        name = rotation.name
        return await ask_confirmation(
            self._app,
            f"Switch {name} to a new key?",
            "\n".join(_note_line(note) for note in (*warnings, *notes)),
            yes="Switch",
            protected_name=name if rotation.environment.protected else "",
        )

    async def _queued(self, name: str) -> int | None:
        """Deliveries that wait; None where they cannot be counted."""
        journal = self._session.journal
        # the key can be rotated without a journal
        with suppress(JournalError):
            if journal is not None:
                return (await journal.counts()).by_environment.get(name, {}).get(State.QUEUED, 0)
        return None

    async def _make_key(self, rotation: Rotation) -> bool:
        """Whether Segment made one; raises KeyRotationError."""
        make_services = self._session.dependencies.setup
        if make_services is None or rotation.source is None:
            raise ValueError("nobody can make a key")
        make = partial(key_switch.make_new_key, rotation, make_services().make_key)
        if await with_progress(self._app, "Making the key", one_line(rotation.source.name, limit=60), make) is None:
            note = key_switch.stopped_note(rotation)
            notify_warning(self._app, f"{note.text}\n{note.hint}")
            return False
        return True

    async def _store(self, rotation: Rotation) -> None:
        try:
            await self._config_editor.replace_write_key(rotation.environment, rotation.new_key)
        except JournalError as error:
            # a lane could not be resumed, which comes after the config is written
            used = self._session.settings.environment(rotation.name).write_key
            if used is None or not used.is_read or used.reveal() != rotation.new_key:
                raise
            notify_warning(self._app, f"the key is stored, but {error.message}")

    async def _show_rest(self, rotation: Rotation) -> None:
        shown_key = self._app.shown_key  # type: ignore[attr-defined] # the console's app
        uptake = key_switch.uptake_text(rotation, sends_here=self._session.delivers)
        removal = key_switch.removal_text(rotation)
        looks = f"{shown_key(TestEvent)} sends a test event with the new key, {shown_key(Reconcile)} shows the counts"
        steps = (f"{looks};", f"{removal}.", f"It stands in {rotation.place}: {uptake}.")
        title = f"{rotation.name} is switched to {mask(rotation.new_key)}"
        await self._app.push_screen_wait(GuideForm(title, steps, key_switch.counts_command(rotation)))


def _with_hint(error: SegmentApiError | ConfigError) -> str:
    return f"{error.message}\n{error.hint}" if error.hint else error.message


def _note_line(note: RotationNote) -> str:
    text = f"{note.text}: {note.hint}" if note.hint else note.text
    return f"! {text}" if note.is_warning else text
