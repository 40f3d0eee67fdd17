"""Dialogs: confirm (No is the default), confirm by typing a name, and prompts, plain or masked.

Each is a modal screen: `if await self.app.push_screen_wait(Confirm("Send 12 answers?")): ...` in a worker, or
`self.app.push_screen(Confirm(...), callback)`. Escape is No, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.reactive import Reactive
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Checkbox, Input, Static

from sprig_tui.console.keyboard.queue import is_single_key
from sprig_tui.text import printable

if TYPE_CHECKING:
    from textual.app import App

ESCAPE_CLOSES = ("escape closes", "escape")


def hint(*parts: tuple[str, str]) -> Content:
    """Hint line: constant texts, each with its key, separated by commas."""
    pieces: list[Content | str] = []
    for text, key in parts:
        pieces += [", "] if pieces else []
        pieces.append(Content.from_markup(f"[@click=\"app.simulate_key('{key}')\"]$text[/]", text=text))
    return Content.assemble(*pieces)


Result = TypeVar("Result")
InputCheck = Callable[[str], str]
"""Returns the problem with a text; empty when there is none."""


def plain_content(text: str) -> Content:
    """Text of any origin as content without markup; line breaks stay."""
    return Content("\n".join(printable(line, limit=2_000) for line in text.split("\n")))


def check_mark(ticked: bool) -> str:
    """`[✓]` or `[ ]`."""
    return "[✓]" if ticked else "[ ]"


class CheckMark(Checkbox):
    """Checkbox that shows its state by a mark, not by colour alone."""

    def render(self) -> Content:
        """`[✓] label` or `[ ] label`."""
        label = self._label.stylize_before(self.get_visual_style("toggle--label"))
        return Content.assemble(check_mark(self.value), " ", label, " ")


class Dialog(ModalScreen[Result]):
    """Base of the dialogs: a box with a title and a text, closed by escape.

    A long text scrolls alone: title and buttons stay visible on the smallest screen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel"),
        Binding("pageup", "scroll_text(-1)", show=False),
        Binding("pagedown", "scroll_text(1)", show=False),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-tall")]  # noqa: RUF012 - as Textual declares it

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """Textual repaints the whole screen, and the one behind it, where the focus moves; see `MainScreen`."""

    def __init__(self, title: str, text: str = "") -> None:
        super().__init__(classes="dialog")
        self._title = title
        self._text = text

    def head(self) -> ComposeResult:
        """Title and text."""
        yield Static(plain_content(self._title), classes="dialog-title")
        if self._text:
            with VerticalScroll(classes="dialog-scroll", can_focus=False):
                yield Static(plain_content(self._text), classes="dialog-text")

    def on_resize(self) -> None:
        """Give the text the rows that the other widgets leave."""
        self.call_after_refresh(self._fit_text)

    def _fit_text(self) -> None:
        for scroll in self.query(".dialog-scroll"):
            others = [widget for widget in scroll.siblings if widget.display]
            taken = sum(widget.outer_size.height + widget.styles.margin.height for widget in others)
            frame = scroll.parent.gutter.height if isinstance(scroll.parent, Widget) else 0
            scroll.styles.max_height = max(1, self.size.height * 92 // 100 - frame - taken)

    def action_scroll_text(self, pages: int) -> None:
        """Scroll a text that is longer than its room."""
        for scroll in self.query(".dialog-scroll"):
            scroll.scroll_relative(y=pages * max(1, scroll.size.height - 1), animate=False)

    def typed_ahead(self) -> bool:
        """Whether this enter came in one burst with the key that opened the dialog, as in a pasted line.

        The other keys of the burst are dropped.
        """
        keyboard = getattr(self.app, "keyboard", None)
        if keyboard is None or not keyboard.bursts.is_of_opening_burst(self):
            return False
        keyboard.drop()
        return True

    def action_leave(self) -> None:
        """Close without doing anything."""
        self.dismiss(None)


TYPED_AHEAD_TEXT = "typed together with the key that opened this: enter again saves it"


class Confirm(Dialog[bool]):
    """Question with No as the default. Result: True only for a deliberate Yes."""

    MAX_YES_BURST_KEYS: ClassVar[int] = 2
    """Longest burst that a yes may belong to: a command and its answer are not yet a pasted text."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "yes"),
        Binding("n", "leave", "no"),
        Binding("left,right,h,l,up,down", "other", show=False),
    ]

    def __init__(self, question: str, text: str = "", *, yes: str = "Yes", no: str = "No") -> None:
        """`yes` names the effect, such as `Send 12`."""
        super().__init__(question, text)
        self._yes, self._no = yes, no

    def compose(self) -> ComposeResult:
        """The question and two buttons."""
        with Vertical(classes="dialog-box"):
            yield from self.head()
            with Horizontal(classes="dialog-buttons"):
                yield Button(plain_content(self._no), id="no", variant="primary")
                yield Button(plain_content(self._yes), id="yes", variant="warning")
            yes, no = (printable(one, limit=200) for one in (self._yes, self._no))
            keys = ((f"y {yes}", "y"), (f"n or escape {no}", "n"), ("enter takes the lit one", "enter"))
            yield Static(hint(*keys), classes="dialog-hint")

    def on_mount(self) -> None:
        """Focus No, so that enter is No."""
        self.query_one("#no").focus()

    def on_key(self, event: events.Key) -> None:
        """Make enter No again after a key that is no answer: the user may not have seen the question."""
        from sprig_tui.console.keyboard.advice import is_unbound

        if is_unbound(self, event.key):
            self.query_one("#no").focus()

    async def action_yes(self) -> None:
        """Answer yes, unless the key belongs to a pasted text."""
        if await is_single_key(self.app, max_keys=self.MAX_YES_BURST_KEYS):
            self.dismiss(True)
        else:
            self.query_one("#no").focus()

    def action_leave(self) -> None:
        self.dismiss(False)

    def action_other(self) -> None:
        self.focus_next("Button")

    @on(Button.Pressed)
    async def _on_button(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "yes":
            await self.action_yes()
        else:
            self.dismiss(False)


class ConfirmBurst(Confirm):
    """Question before a command whose key came in a burst, as in a pasted text. Result: bool."""

    MAX_YES_BURST_KEYS = 1

    def __init__(self, title: str, label: str) -> None:
        """`title` and `label` are those of the command."""
        text = "Its key came together with others, as in a text that is pasted: they are left out."
        super().__init__(f"{title}?", text, yes=label.capitalize())


class PasteInput(Input):
    """Masked field that accepts a paste of several lines; Textual's Input silently drops all but the first."""

    def on_paste(self, event: events.Paste) -> None:
        """Insert the lines separated by spaces, so that a check can report them."""
        if len(event.text.strip().splitlines()) > 1:
            event.stop()
            event.prevent_default()
            self.replace(" ".join(event.text.split()), *self.selection)


class TextDialog(Dialog[Result]):
    """Base of the dialogs with one line of text; `accept` gets the text once `check` finds no problem."""

    TYPED_AHEAD: ClassVar[str] = TYPED_AHEAD_TEXT
    """What is shown where the text came in one burst with the key that opened the dialog."""

    def __init__(
        self,
        title: str,
        text: str = "",
        *,
        value: str = "",
        placeholder: str = "",
        check: InputCheck | None = None,
        warning: InputCheck | None = None,
        masked: bool = False,
        saves: bool = False,
    ) -> None:
        """`check` rejects a text, `warning` asks for a second enter.

        With `saves`, a text that was typed in one burst with its enter asks for another enter.
        """
        super().__init__(title, text)
        self._value, self._placeholder, self._masked = value, placeholder, masked
        self._check, self._warning = check, warning
        self._warned_value: str | None = None
        self._saves = saves

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog-box"):
            yield from self.head()
            field = PasteInput if self._masked else Input
            yield field(self._value, printable(self._placeholder, limit=200), password=self._masked)
            yield Static("", classes="dialog-fault")
            yield Static(hint(("enter to accept", "enter"), ("escape to cancel", "escape")), classes="dialog-hint")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def show_fault(self, fault: str) -> None:
        """Show a problem below the line; an empty text removes it."""
        self.query_one(".dialog-fault", Static).update(plain_content(fault))

    def accept(self, value: str) -> None:
        """Handle a text that was entered and checked."""
        raise NotImplementedError

    @on(Input.Changed)
    def _on_text_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._warned_value = None
        self.show_fault("")

    @on(Input.Submitted)
    def _on_submit(self, event: Input.Submitted) -> None:
        event.stop()
        if fault := self._check(event.value) if self._check else "":
            self.show_fault(fault)
        elif self._saves and self.typed_ahead():
            self.show_fault(self.TYPED_AHEAD)
        elif self._warning and self._warned_value != event.value and (warning := self._warning(event.value)):
            self._warned_value = event.value
            self.show_fault(f"{warning}\nenter again saves it anyway")
        else:
            self.accept(event.value)


class ConfirmName(TextDialog[bool]):
    """Question about something protected. Result: True only when its name was typed, after the question was there."""

    TYPED_AHEAD = "typed before the question was there: enter again goes ahead"

    def __init__(self, question: str, text: str = "", *, name: str) -> None:
        def check(typed: str) -> str:
            return "" if typed.strip() == name else f"that is not {name}: type the name, or press escape"

        super().__init__(
            question, f"{text}\nType {name} to go ahead.".strip(), placeholder=name, check=check, saves=True
        )

    def accept(self, value: str) -> None:
        del value
        self.dismiss(True)

    def action_leave(self) -> None:
        self.dismiss(False)


class Prompt(TextDialog[str | None]):
    """Dialog that asks for a line of text; `masked` hides it. Result: the text, or None."""

    def accept(self, value: str) -> None:
        self.dismiss(value)


async def ask_confirmation(app: App[Any], question: str, text: str, *, yes: str, protected_name: str = "") -> bool:
    """Ask a yes/no question; with `protected_name` (an environment) that name has to be typed instead."""
    dialog: Dialog[bool] = Confirm(question, text, yes=yes)
    if protected_name:
        dialog = ConfirmName(question, text, name=protected_name)
    return await app.push_screen_wait(dialog)
