"""Write key form: a masked field that shows problems with the key before it is saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from sprig_tui.config.secret_lint import WRITE_KEY_CHARS, WRITE_KEY_RULES, SecretLint, lint_secret
from sprig_tui.console.environments.source_picker import SourceList
from sprig_tui.console.theme import MUTED
from sprig_tui.console.widgets.dialogs import TYPED_AHEAD_TEXT, Dialog, hint
from sprig_tui.errors import SprigTuiError
from sprig_tui.setup.key_owner import KeyOwner
from sprig_tui.text import mask, one_line

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


ASKING_TEXT = "asking Segment whose key it is …"
NOT_YET_TEXT = "Segment has not said yet whose key it is"


class KeyForm(Dialog[str | None]):
    """Asks for a Write Key. Result: the key to store, or None.

    Harmless faults are corrected and shown. An error rejects the key; a warning asks for a second enter. With a token
    the workspace's sources are listed in a worker while the key is typed, so that the form says whose key it is.
    """

    TITLE: ClassVar[str] = "Write key of {}"
    VERB: ClassVar[str] = "save"
    """What enter does with the key."""

    def __init__(
        self,
        environment: str,
        masked_now: str = "",
        note: str = "",
        *,
        environments_with_key: Callable[[str], tuple[str, ...]] = lambda _: (),
        sources: SourceList | None = None,
        steps: Sequence[str] = (),
    ) -> None:
        """`masked_now` is the key to be replaced, `note` a further line of text.

        `steps`, a line each, say where the key is found, in place of the short way there. `environments_with_key`
        returns sentences on where a key is used already, or what else speaks against it. Without `sources` nobody is
        asked whose key it is.
        """
        self._environments_with_key = environments_with_key
        self._environment = environment
        self._sources = sources
        self._asking = sources is not None and sources.sources is None
        self._problem = ""
        """Why the sources could not be listed."""
        about = f"replaces {masked_now}. " if masked_now else ""
        where = "Segment: Connections, Sources, your source, Settings, API Keys."
        lines = [about.strip(), *steps] if steps else [f"{about}{where}"]
        super().__init__(self.TITLE.format(environment), "\n".join(filter(None, (*lines, note))))
        self._warned: tuple[str, ...] = ()
        """The key that needs another enter, and the warnings that were shown with it."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog-box"):
            yield from self.head()
            yield KeyInput(placeholder=f"{WRITE_KEY_CHARS} letters and digits; type or paste", password=True)
            yield Static("", id="findings")
            yield Static(
                hint((f"enter to {self.VERB}", "enter"), ("escape to cancel", "escape")), classes="dialog-hint"
            )

    def on_mount(self) -> None:
        """Ask for the sources in a worker; keys work meanwhile."""
        self.query_one(Input).focus()
        if self._sources is not None and self._asking:
            self.run_worker(self._load(self._sources), exit_on_error=False)

    async def _load(self, sources: SourceList) -> None:
        try:
            await sources.load()
        except SprigTuiError as error:
            self._problem = error.message
        finally:
            self._asking = False
        text = self.query_one(Input).value
        if text:
            self._show_findings(self._findings(text))

    def refusal(self, key: str) -> str:
        """Why a key of the right form is refused; empty where it is not."""
        del key
        return ""

    @on(Input.Changed)
    def _lint(self, event: Input.Changed) -> None:
        event.stop()
        self._warned = ()
        self._show_findings(self._findings(event.value) if event.value else [])

    def _owner(self, key: str) -> KeyOwner | None:
        return self._sources.owner(key, self._environment) if self._sources is not None else None

    def _warnings(self, lint: SecretLint) -> tuple[str, ...]:
        """What asks for a second enter."""
        owner = self._owner(lint.secret)
        return (
            *(fault.message for fault in lint.warnings),
            *self._environments_with_key(lint.secret),
            *(owner.warnings if owner else ()),
            *((NOT_YET_TEXT,) if self._asking else ()),
        )

    def _findings(self, text: str) -> list[tuple[str, str]]:
        lint = lint_secret(text, WRITE_KEY_RULES)
        if not lint.secret:
            return lint_lines(lint)
        if refused := self.refusal(lint.secret):
            return [(f"{_MARKS['error']} {refused}", _STYLES["error"])]
        lines = [*lint_lines(lint, self._environments_with_key(lint.secret)), *self._owner_lines(lint.secret)]
        if self._warned and self._warned == (lint.secret, *self._warnings(lint)):
            lines.append((f"enter again {self.VERB}s it anyway", "bold $text-warning"))
        return lines

    def _owner_lines(self, key: str) -> list[tuple[str, str]]:
        if self._asking:
            return [(f"· {ASKING_TEXT}", MUTED)]
        if self._problem:
            return [(f"· whose key it is could not be asked: {one_line(self._problem)}", MUTED)]
        owner = self._owner(key)
        if owner is None:
            return []
        warnings = [(f"! {text}", _STYLES["warning"]) for text in owner.warnings]
        if owner.source is None:
            return warnings or [(f"· {owner.text}", MUTED)]
        return [(f"· {owner.text}", MUTED), *warnings] if warnings else [(f"✓ {owner.text}", "$text-success")]

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        lint = lint_secret(event.value, WRITE_KEY_RULES)
        warnings = self._warnings(lint) if lint.secret else ()
        if not lint.secret or self.refusal(lint.secret):
            self._show_findings(self._findings(event.value))
        elif self.typed_ahead():
            self._show_findings([*self._findings(event.value), (TYPED_AHEAD_TEXT, "bold $text-warning")])
        elif warnings and self._warned != (lint.secret, *warnings):
            self._warned = (lint.secret, *warnings)
            self._show_findings(self._findings(event.value))
        else:
            self.dismiss(lint.secret)

    def _show_findings(self, findings: list[tuple[str, str]]) -> None:
        pieces: list[str | tuple[str, str]] = []
        for text, style in findings:
            pieces += ["\n"] if pieces else []
            pieces.append((text, style))
        self.query_one("#findings", Static).update(Content.assemble(*pieces))
