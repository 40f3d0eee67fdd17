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
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Checkbox, Input, Static

from sprig_tui.console.keyboard.queue import is_single_key
from sprig_tui.text import printable

if TYPE_CHECKING:
    from textual.app import App

ESCAPE_CLOSES = ("escape closes", "escape")


def hint(*parts: tuple[str, str]) -> Content:
    """Texts of our own, each with the key that it is about, by comma."""
    pieces: list[Content | str] = []
    for text, key in parts:
        pieces += [", "] if pieces else []
        pieces.append(Content.from_markup(f"[@click=\"app.simulate_key('{key}')\"]$text[/]", text=text))
    return Content.assemble(*pieces)


Result = TypeVar("Result")
InputCheck = Callable[[str], str]
"""What is wrong with a text, in words; empty when nothing is."""


def plain_content(text: str) -> Content:
    """Text of any origin as content without markup; our own line breaks stay."""
    return Content("\n".join(printable(line, limit=2_000) for line in text.split("\n")))


class CheckMark(Checkbox):
    """A checkbox that shows by its mark, not by a colour alone, whether it is ticked."""

    def render(self) -> Content:
        """`[✓] label` or `[ ] label`."""
        label = self._label.stylize_before(self.get_visual_style("toggle--label"))
        return Content.assemble("[✓]" if self.value else "[ ]", " ", label, " ")


class Dialog(ModalScreen[Result]):
    """What the dialogs share: a box with a title, text, and a way out by escape.

    A long text scrolls by itself: the title above and what can be done below it stay in sight on the smallest screen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel"),
        Binding("pageup", "scroll_text(-1)", show=False),
        Binding("pagedown", "scroll_text(1)", show=False),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-tall")]  # noqa: RUF012 - as Textual declares it

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
        """The text gets the rows that the others leave."""
        self.call_after_refresh(self._fit_text)

    def _fit_text(self) -> None:
        for scroll in self.query(".dialog-scroll"):
            others = [one for one in scroll.siblings if one.display]
            taken = sum(one.outer_size.height + one.styles.margin.height for one in others)
            frame = scroll.parent.gutter.height if isinstance(scroll.parent, Widget) else 0
            scroll.styles.max_height = max(1, self.size.height * 92 // 100 - frame - taken)

    def action_scroll_text(self, pages: int) -> None:
        """Scroll a text that is longer than its room."""
        for scroll in self.query(".dialog-scroll"):
            scroll.scroll_relative(y=pages * max(1, scroll.size.height - 1), animate=False)

    def typed_ahead(self) -> bool:
        """Whether the enter that is being handled came with the key that opened this, as the end of a pasted line does.

        What else came with it is dropped.
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
    """A question; the answer is True only for a deliberate Yes. Result: bool."""

    MAX_YES_BURST_KEYS: ClassVar[int] = 2
    """Keys that a yes may come together with, itself included: a command and its answer are no text yet."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "yes"),
        Binding("n", "leave", "no"),
        Binding("left,right,h,l,up,down", "other", show=False),
    ]

    def __init__(self, question: str, text: str = "", *, yes: str = "Yes", no: str = "No") -> None:
        """`yes` says what will happen, such as `Send 12`."""
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
        """Enter is No until the person moves."""
        self.query_one("#no").focus()

    def on_key(self, event: events.Key) -> None:
        """A key that is no answer: whoever types it may not see the question, so enter is No again."""
        from sprig_tui.console.keyboard.advice import is_unbound

        if is_unbound(self, event.key):
            self.query_one("#no").focus()

    async def action_yes(self) -> None:
        """Go ahead, unless the yes is a letter of a text."""
        if await is_single_key(self.app, max_keys=self.MAX_YES_BURST_KEYS):
            self.dismiss(True)
        else:
            self.query_one("#no").focus()

    def action_leave(self) -> None:
        """Do nothing."""
        self.dismiss(False)

    def action_other(self) -> None:
        """The other button."""
        self.focus_next("Button")

    @on(Button.Pressed)
    async def _on_button(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "yes":
            await self.action_yes()
        else:
            self.dismiss(False)


class ConfirmBurst(Confirm):
    """Asked before a command whose key came together with others, as those of a pasted text do. Result: bool."""

    MAX_YES_BURST_KEYS = 1

    def __init__(self, title: str, label: str) -> None:
        """`title` says what the command does, `label` is the one of the key bar."""
        text = "Its key came together with others, as in a text that is pasted: they are left out."
        super().__init__(f"{title}?", text, yes=label.capitalize())


class PasteInput(Input):
    """A masked line that takes a paste of several lines whole; a plain Input drops all but the first, unseen."""

    def on_paste(self, event: events.Paste) -> None:
        """Lines are kept apart by a space, so that a check can name them."""
        if len(event.text.strip().splitlines()) > 1:
            event.stop()
            event.prevent_default()
            self.replace(" ".join(event.text.split()), *self.selection)


class TextDialog(Dialog[Result]):
    """What dialogs with one line of text share; `accept` gets the text once `check` finds nothing wrong."""

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
        """`check` refuses a text, `doubt` asks for a second enter.

        What `saves` the text asks for an enter of its own where everything was typed in one burst.
        """
        super().__init__(title, text)
        self._value, self._placeholder, self._masked = value, placeholder, masked
        self._check, self._warning = check, warning
        self._warned_value: str | None = None
        self._saves = saves

    def compose(self) -> ComposeResult:
        """Title, text, the line, and what is wrong with it."""
        with Vertical(classes="dialog-box"):
            yield from self.head()
            field = PasteInput if self._masked else Input
            yield field(self._value, printable(self._placeholder, limit=200), password=self._masked)
            yield Static("", classes="dialog-fault")
            yield Static(hint(("enter to accept", "enter"), ("escape to cancel", "escape")), classes="dialog-hint")

    def on_mount(self) -> None:
        """Ready to type or paste."""
        self.query_one(Input).focus()

    def show_fault(self, fault: str) -> None:
        """Say what is wrong under the line; an empty text takes it away."""
        self.query_one(".dialog-fault", Static).update(plain_content(fault))

    def accept(self, value: str) -> None:
        """The text was entered and nothing is wrong with it."""
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
            self.show_fault(TYPED_AHEAD_TEXT)
        elif self._warning and self._warned_value != event.value and (doubt := self._warning(event.value)):
            self._warned_value = event.value
            self.show_fault(f"{doubt}\nenter again saves it all the same")
        else:
            self.accept(event.value)


class ConfirmName(TextDialog[bool]):
    """A question about something protected: True only when its name is typed. Result: bool."""

    def __init__(self, question: str, text: str = "", *, name: str) -> None:
        def check(typed: str) -> str:
            return "" if typed.strip() == name else f"that is not {name}: type the name, or press escape"

        super().__init__(question, f"{text}\nType {name} to go ahead.".strip(), placeholder=name, check=check)

    def accept(self, value: str) -> None:
        """The name was right."""
        del value
        self.dismiss(True)

    def action_leave(self) -> None:
        """Do nothing."""
        self.dismiss(False)


class Prompt(TextDialog[str | None]):
    """Asks for a line of text; `masked` hides it as it is typed or pasted. Result: the text, or None."""

    def accept(self, value: str) -> None:
        """Give it to whoever asked."""
        self.dismiss(value)


async def ask_confirmation(app: App[Any], question: str, text: str, *, yes: str, protected_name: str = "") -> bool:
    """Ask a yes/no question; with `protected_name` (an environment) that name has to be typed instead."""
    dialog: Dialog[bool] = Confirm(question, text, yes=yes)
    if protected_name:
        dialog = ConfirmName(question, text, name=protected_name)
    return await app.push_screen_wait(dialog)
