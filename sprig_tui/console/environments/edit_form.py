"""Edit form of an environment: endpoint, requests per second, protection, Sprig environment id."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Input, Label, Static

from sprig_tui.config.environment import Environment
from sprig_tui.config.toml_edit import TomlValue
from sprig_tui.config.urls import parse_endpoint
from sprig_tui.console.widgets.dialogs import TYPED_AHEAD_TEXT, CheckMark, Dialog, hint, plain_content
from sprig_tui.errors import ConfigError
from sprig_tui.segment.limits import PARTNER_REQUESTS_PER_SECOND

ConfigChanges = dict[str, TomlValue | None]

MAX_REQUESTS_PER_SECOND = 1_000
"""The limit of the config schema."""


def endpoint_change(text: str, current: Environment) -> tuple[ConfigChanges, str]:
    """The config change for a typed endpoint, and a note on how it was corrected; raises ConfigError."""
    endpoint, note = parse_endpoint(text or "us", "to")
    return ({} if endpoint == current.endpoint else {"endpoint": endpoint}), note


def rate_change(text: str, current: Environment) -> ConfigChanges:
    """The config change for typed requests per second; raises ConfigError."""
    if not text.strip():
        wanted = PARTNER_REQUESTS_PER_SECOND
    else:
        try:
            wanted = float(text)
        except ValueError:
            raise ConfigError(
                f"requests per second: {text[:40]!r} is not a number", hint="50 is Segment's limit"
            ) from None
    if not 0 < wanted <= MAX_REQUESTS_PER_SECOND:
        raise ConfigError(
            f"requests per second: more than 0, at most {MAX_REQUESTS_PER_SECOND}", hint="50 is Segment's limit"
        )
    return {} if wanted == current.requests_per_second else {"requests_per_second": wanted}


def id_change(text: str, current: Environment) -> ConfigChanges:
    """The config change for a typed Sprig environment id; raises ConfigError."""
    wanted = text.strip()
    if wanted and (not wanted.isascii() or not wanted.isprintable() or " " in wanted or len(wanted) > 200):
        raise ConfigError("Sprig environment id: use ASCII characters without spaces", hint="as webhooks carry it")
    return {} if wanted == (current.sprig_environment_id or "") else {"sprig_environment_id": wanted or None}


class EditForm(Dialog[ConfigChanges | None]):
    """Asks for the settings of one environment. Result: the keys that changed (None removes one), or None."""

    # with one line per row, the form and its title fit on 24 rows
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012 - as Textual declares it

    def __init__(self, environment: Environment) -> None:
        super().__init__(f"Environment {environment.name}")
        self._environment = environment

    def compose(self) -> ComposeResult:
        environment = self._environment
        with VerticalScroll(classes="dialog-box", can_focus=False):
            yield from self.head()
            yield Label("Where to send: us, eu, or a URL (https, or http on this machine)")
            yield Input(environment.endpoint, "us", id="endpoint", compact=True)
            yield Label("Requests per second (Segment asks partners for 50 at most)")
            yield Input(f"{environment.requests_per_second:g}", "50", id="rate", compact=True)
            yield Label("Sprig's environment id, as webhooks carry it (empty: not known)")
            yield Input(environment.sprig_environment_id or "", id="sprig-id", compact=True)
            yield Label("Protected: sending in bulk asks for its name")
            yield CheckMark("protected", environment.protected, id="protected", compact=True)
            yield Static("", classes="dialog-fault")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Cancel", id="cancel")
                yield Button("Save", id="save", variant="primary")
            keys = (("enter to save", "enter"), ("escape to cancel", "escape"), ("tab to the next field", "tab"))
            yield Static(hint(*keys), classes="dialog-hint")

    def on_mount(self) -> None:
        self.query_one("#endpoint").focus()

    @on(Button.Pressed, "#cancel")
    def _on_cancel(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(None)

    @on(Button.Pressed, "#save")
    @on(Input.Submitted)
    def _save(self, event: Button.Pressed | Input.Submitted) -> None:
        event.stop()
        try:
            changes = self._changes()
        except ConfigError as error:
            self.query_one(".dialog-fault", Static).update(plain_content(f"{error.message}; {error.hint}"))
        else:
            if changes and self.typed_ahead():
                self.query_one(".dialog-fault", Static).update(plain_content(TYPED_AHEAD_TEXT))
                return
            self.dismiss(changes)

    def _changes(self) -> ConfigChanges:
        changes, _ = endpoint_change(self.query_one("#endpoint", Input).value, self._environment)
        changes |= rate_change(self.query_one("#rate", Input).value, self._environment)
        changes |= id_change(self.query_one("#sprig-id", Input).value, self._environment)
        protected = self.query_one("#protected", CheckMark).value
        if protected != self._environment.protected:
            changes["protected"] = protected
        return changes
