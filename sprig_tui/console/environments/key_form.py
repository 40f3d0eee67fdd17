"""The dialog for a Write Key: masked, pasteable, and it names what is off while the key is still in the field."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from sprig_tui.config.keylint import KEY_LENGTH, KeyLint, lint_key
from sprig_tui.console.dialogs import Dialog
from sprig_tui.console.hints import hint
from sprig_tui.console.themes import MUTED

_STYLES = {"stripped": MUTED, "warning": "$text-warning", "error": "$text-error"}
_MARKS = {"stripped": "✓", "warning": "!", "error": "✗"}


def findings(lint: KeyLint) -> list[tuple[str, str]]:
    """(text, style) of each thing worth saying about a key, worst last; nothing of the key itself but its ends."""
    said = [
        (f"{_MARKS[fault.level]} {fault.message}{f': {fault.hint}' if fault.hint else ''}", _STYLES[fault.level])
        for fault in lint.faults
    ]
    if lint.key and not lint.warnings:
        ends = f"{lint.key[:4]}…{lint.key[-4:]}" if len(lint.key) >= 16 else "…"
        said.append((f"✓ {ends}, {len(lint.key)} characters: it looks like a write key", "$text-success"))
    return said


class KeyForm(Dialog[str | None]):
    """Asks for a Write Key. Result: the key as it is to be stored, or None.

    Faults that are safe to mend are mended and named; an error refuses; a warning asks for a second enter.
    """

    def __init__(self, environment: str, masked_now: str = "", note: str = "") -> None:
        """`masked_now` is the key that is replaced, `note` what else to know before it is."""
        about = f"replaces {masked_now}. " if masked_now else ""
        where = "Segment: Connections, Sources, your source, Settings, API Keys."
        super().__init__(f"Write key of {environment}", f"{about}{where}{f'{chr(10)}{note}' if note else ''}")
        self._warned = ""

    def compose(self) -> ComposeResult:
        """The field, what is off, and what to press."""
        with Vertical(classes="dialog-box"):
            yield from self.head()
            yield Input(placeholder=f"{KEY_LENGTH} letters and digits; type or paste", password=True)
            yield Static("", id="findings")
            yield Static(hint(("enter to save", "enter"), ("escape to cancel", "escape")), classes="dialog-hint")

    def on_mount(self) -> None:
        """Ready to type or paste."""
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _look(self, event: Input.Changed) -> None:
        event.stop()
        self._warned = ""
        self._show(findings(lint_key(event.value)) if event.value else [])

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        lint = lint_key(event.value)
        if not lint.key:
            self._show(findings(lint))
        elif lint.warnings and self._warned != lint.key:
            self._warned = lint.key
            self._show([*findings(lint), ("enter again saves it all the same", "bold $text-warning")])
        else:
            self.dismiss(lint.key)

    def _show(self, said: list[tuple[str, str]]) -> None:
        pieces: list[str | tuple[str, str]] = []
        for text, style in said:
            pieces += ["\n"] if pieces else []
            pieces.append((text, style))
        self.query_one("#findings", Static).update(Content.assemble(*pieces))
