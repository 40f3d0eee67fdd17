"""Webhook dialog: the address of an environment's webhook, and a new token, shown once and copied by key."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from sprig_tui.console.clipboard import CopyRequested
from sprig_tui.console.widgets.dialogs import Dialog, hint, plain_content

TOKEN_BYTES = 32
"""Bytes of randomness in a generated token."""


HOST_PLACEHOLDER = "YOUR.HOST"
"""In the address: which name leads to this machine from outside cannot be known here."""


class WebhookForm(Dialog[None]):
    """Shows an address and a token, which nothing shows again; closing it forgets the token."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "copy_address", show=False),
        Binding("t", "copy_token", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
    ]

    def __init__(self, environment: str, listen_url: str, token: str, steps: tuple[str, ...]) -> None:
        """`listen_url` is where `listen` listens without options; `steps` are the clicks in Sprig."""
        super().__init__(f"Webhook of {environment}")
        self._address = f"https://{HOST_PLACEHOLDER}/webhooks/{environment}"
        self._listen_url = listen_url
        self._token = token
        self._steps = steps

    def compose(self) -> ComposeResult:
        """Address and token before the clicks: on a small screen the rest scrolls."""
        with VerticalScroll(classes="dialog-box", can_focus=False):
            yield from self.head()
            yield Static("address, in Sprig the URL", classes="dialog-hint")
            yield Static(plain_content(self._address), id="webhook-address")
            host = f"{HOST_PLACEHOLDER}: your proxy or tunnel, which leads to {self._listen_url}, where listen is"
            yield Static(plain_content(host), classes="dialog-hint")
            yield Static("token, in Sprig the API secret; it is not shown again", classes="dialog-hint")
            yield Static(plain_content(self._token), id="webhook-token")
            yield Static(plain_content("\n".join(self._steps)), classes="dialog-text", id="webhook-steps")
            keys = (("a copies the address", "a"), ("t copies the token", "t"), ("escape closes", "escape"))
            yield Static(hint(*keys), classes="dialog-hint")

    def action_copy_address(self) -> None:
        """Copy the address."""
        self.post_message(CopyRequested(self._address, "the address"))

    def action_copy_token(self) -> None:
        """Copy the token."""
        self.post_message(CopyRequested(self._token, "the token", is_secret=True))

    def action_scroll(self, lines: int) -> None:
        """Scroll a dialog that is higher than the screen."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
