"""App input: passes events through the keyboard queue, and reports pushed and popped screens to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from textual import events
from textual.actions import ActionParseResult
from textual.app import App
from textual.dom import DOMNode
from textual.widgets import Input

from sprig_tui.console.commands.base import Command
from sprig_tui.console.keyboard.queue import Keyboard
from sprig_tui.console.notify import notify, notify_warning

if TYPE_CHECKING:
    from textual.await_complete import AwaitComplete

    from sprig_tui.console.console_app import ConsoleApp


MAX_FIELD_PASTE_CHARS = 100_000
"""Longest paste into a field."""


class QueuedInput(App[int]):
    """App whose keys, pastes and mouse buttons go through the keyboard queue."""

    def __init__(self) -> None:
        super().__init__()
        self.keyboard = Keyboard(self, self._pass_on, lambda text: notify(self, text))

    async def on_event(self, event: events.Event) -> None:
        """Queue keys, pastes and mouse events; handle others at once; while the app ends, nobody takes one."""
        if not isinstance(event, events.Key | events.Paste | events.MouseEvent) or event.is_forwarded:
            await super().on_event(event)
        elif self.screen_stack:
            await self.keyboard.enqueue(event)

    async def _pass_on(self, event: events.Event) -> None:
        """Pass an event to the focused widget, unless it pastes something that its field must not get."""
        if isinstance(event, events.Paste) and (reason := self._refusal_by_field(event.text)):
            notify_warning(self, reason)
            return
        await super().on_event(event)

    def _refusal_by_field(self, text: str) -> str:
        field = self.focused
        return self._paste_refusal(text) if isinstance(field, Input) and not field.password else ""

    def _paste_refusal(self, text: str) -> str:
        """Why a text is not pasted into a field that shows it, and remembers it; empty where it is."""
        from sprig_tui.config.secret_shapes import certain_secret
        from sprig_tui.console.keyboard.advice import secret_in_field_advice

        if (kind := certain_secret(text)) is not None:
            return secret_in_field_advice(cast("ConsoleApp", self), kind)
        if len(text) > MAX_FIELD_PASTE_CHARS:
            return (
                f"the paste was left out: a field takes {MAX_FIELD_PASTE_CHARS:,} characters, and it has {len(text):,}"
            )
        return ""

    def announce_keys(self, read_at: float, keys: int) -> None:
        """Note keys that were read together; called by the thread that reads, before the app gets the first of them."""
        self.keyboard.bursts.announce(read_at, keys)

    def refuse_oversized_paste(self, size: int) -> None:
        """Report a paste that was too long to be kept."""
        notify_warning(self, f"the paste was left out: it has {size:,} characters; save it as a file, and open that")

    def report_stalled_paste(self, size: int | None) -> None:
        """Report a paste whose end does not come, or that was dropped then."""
        if size is None:
            notify(self, "a paste has begun, and its end does not come; escape leaves it out")
        else:
            notify_warning(self, f"the paste was left out: its end never came, after {size:,} characters")

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Run an action; the queue waits for the messages that it posts.

        A command that acts without a question asks where its key belongs to a burst, so that no pasted text sends.
        """
        if default_namespace is not None:
            self.keyboard.touch(default_namespace)
        if default_namespace is not None and isinstance(action, str) and self.keyboard.bursts.may_be_burst:
            find_unasked = getattr(default_namespace, "unasked_command", None)
            if find_unasked is not None and (command := find_unasked(action)) is not None:
                work = self.keyboard.track_flow(self._run_if_confirmed(command, default_namespace))
                self.run_worker(work, exit_on_error=False, group="flow")
                return True
        return await super().run_action(action, default_namespace, namespaces)

    async def _run_if_confirmed(self, command: type[Command], node: DOMNode) -> None:
        from sprig_tui.console.widgets.dialogs import ConfirmBurst

        if not await self.keyboard.bursts.is_single_key():
            self.keyboard.drop()
            if not await self.push_screen_wait(ConfirmBurst(command.title, command.label)):
                return
        await super().run_action(command.action(), node)

    def push_screen(self, screen: Any, *arguments: Any, **options: Any) -> Any:
        self.keyboard.on_screen_pushed(screen)
        return super().push_screen(screen, *arguments, **options)

    async def push_screen_wait(self, screen: Any, *, mode: str | None = None) -> Any:
        """Push a screen once no dialog of another flow is open."""
        await self.keyboard.wait_for_turn()
        return await super().push_screen_wait(screen, mode=mode)

    def pop_screen(self) -> AwaitComplete:
        screen = self.screen
        done = super().pop_screen()
        self.keyboard.on_screen_popped(screen)
        return done

    @contextmanager
    def suspend(self) -> Iterator[None]:
        """Suspend, and drop the keys that were typed before the other program had the terminal."""
        try:
            with super().suspend():
                yield
        finally:
            self.keyboard.drop(until_now=True)
