"""Write key form: a masked field that shows problems with the key before it is saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from sprig_tui.config.secret_lint import WRITE_KEY_CHARS, WRITE_KEY_RULES, SecretLint, lint_secret
from sprig_tui.console.theme import MUTED
from sprig_tui.console.widgets.dialogs import TYPED_AHEAD_TEXT, Dialog, hint
from sprig_tui.text import mask

_STYLES = {"stripped": MUTED, "warning": "$text-warning", "error": "$text-error"}
_MARKS = {"stripped": "·", "warning": "!", "error": "✗"}


def lint_lines(lint: SecretLint, reused: Sequence[str] = ()) -> list[tuple[str, str]]:
    """(text, style) of each problem with a key, worst last; shows at most the ends of the key.

    `reused`: sentences on where the key is used already.
    """
    lines = [
        (f"{_MARKS[fault.level]} {fault.message}{f': {fault.hint}' if fault.hint else ''}", _STYLES[fault.level])
        for fault in lint.faults
    ]
    lines += [(f"! {what}", _STYLES["warning"]) for what in reused]
    if lint.secret and not lint.warnings and not reused:
        lines.append(
            (f"✓ {mask(lint.secret)}, {len(lint.secret)} characters: it looks like a write key", "$text-success")
        )
    return lines


class KeyInput(Input):
    """Masked input that joins a pasted key which a mail program broke over two lines."""

    def on_paste(self, event: events.Paste) -> None:
        """Replace Textual's handler, which keeps only the first line."""
        text = event.text.strip()
        if len(text.splitlines()) < 2:
            return
        event.stop()
        event.prevent_default()
        lint = lint_secret(text, WRITE_KEY_RULES)
        # lines that are not a key are joined by spaces, so that the lint can name the problem
        self.replace(lint.secret or " ".join(text.split()), *self.selection)


class KeyForm(Dialog[str | None]):
    """Asks for a Write Key. Result: the key to store, or None.

    Harmless faults are corrected and shown. An error rejects the key; a warning asks for a second enter.
    """

    def __init__(
        self,
        environment: str,
        masked_now: str = "",
        note: str = "",
        *,
        environments_with_key: Callable[[str], tuple[str, ...]] = lambda _: (),
    ) -> None:
        """`masked_now` is the key to be replaced, `note` a further line of text.

        `environments_with_key` returns sentences on where a key is used already.
        """
        self._environments_with_key = environments_with_key
        about = f"replaces {masked_now}. " if masked_now else ""
        where = "Segment: Connections, Sources, your source, Settings, API Keys."
        super().__init__(f"Write key of {environment}", f"{about}{where}{f'{chr(10)}{note}' if note else ''}")
        self._warned = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog-box"):
            yield from self.head()
            yield KeyInput(placeholder=f"{WRITE_KEY_CHARS} letters and digits; type or paste", password=True)
            yield Static("", id="findings")
            yield Static(hint(("enter to save", "enter"), ("escape to cancel", "escape")), classes="dialog-hint")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _lint(self, event: Input.Changed) -> None:
        event.stop()
        self._warned = ""
        self._show_findings(self._findings(event.value) if event.value else [])

    def _findings(self, text: str) -> list[tuple[str, str]]:
        lint = lint_secret(text, WRITE_KEY_RULES)
        return lint_lines(lint, self._environments_with_key(lint.secret) if lint.secret else ())

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        lint = lint_secret(event.value, WRITE_KEY_RULES)
        if not lint.secret:
            self._show_findings(lint_lines(lint))
        elif self.typed_ahead():
            self._show_findings([*self._findings(event.value), (TYPED_AHEAD_TEXT, "bold $text-warning")])
        elif (lint.warnings or self._environments_with_key(lint.secret)) and self._warned != lint.secret:
            self._warned = lint.secret
            self._show_findings([*self._findings(event.value), ("enter again saves it anyway", "bold $text-warning")])
        else:
            self.dismiss(lint.secret)

    def _show_findings(self, findings: list[tuple[str, str]]) -> None:
        pieces: list[str | tuple[str, str]] = []
        for text, style in findings:
            pieces += ["\n"] if pieces else []
            pieces.append((text, style))
        self.query_one("#findings", Static).update(Content.assemble(*pieces))
