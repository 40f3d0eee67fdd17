"""Form for a secret that is tried where it is used, before it is saved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct
from textual import on
from textual.widgets import Input
from textual.worker import Worker

from sprig_tui.config.secret_lint import LintRules, lint_secret
from sprig_tui.console.keyboard.queue import LOADING_GROUP_PREFIX
from sprig_tui.console.widgets.dialogs import TextDialog
from sprig_tui.setup.secret_trial import SecretTrial

TrySecret = Callable[[str], Awaitable[SecretTrial]]
"""Tries a secret; never raises."""


class TriedSecret(Struct, frozen=True):
    """A secret to save, and the result of trying it."""

    secret: str
    trial: SecretTrial

    def __repr__(self) -> str:
        return f"TriedSecret({self.trial!r})"


class SecretForm(TextDialog[TriedSecret | None]):
    """Asks for a secret, masked, and tries it. Result: the secret, or None.

    An error of its form rejects it. A warning, and a secret that is rejected where it is used, ask for a second enter.
    """

    def __init__(
        self,
        title: str,
        text: str,
        rules: LintRules,
        try_secret: TrySecret,
        *,
        describe_reuse: Callable[[str], tuple[str, ...]] = lambda _: (),
    ) -> None:
        """`describe_reuse` returns sentences on where the secret is used already."""

        def check(typed: str) -> str:
            errors = lint_secret(typed, rules).errors
            return f"{errors[0].message}: {errors[0].hint}" if errors else ""

        def warning(typed: str) -> str:
            lint = lint_secret(typed, rules)
            faults = [f"{fault.message}: {fault.hint}" for fault in lint.warnings]
            return "\n".join((*faults, *describe_reuse(lint.secret or "")))

        super().__init__(
            title, text, placeholder="type or paste", check=check, warning=warning, masked=True, saves=True
        )
        self._rules = rules
        self._try_secret = try_secret
        self._rejected = ""
        """The secret that was tried and rejected."""
        self._trying: Worker[None] | None = None

    def accept(self, value: str) -> None:
        """Try it, and close where it may be saved."""
        secret = lint_secret(value, self._rules).secret or ""
        if self._trying is not None and not self._trying.is_finished:
            return
        if secret == self._rejected:
            self.dismiss(TriedSecret(secret, SecretTrial("rejected", "")))
            return
        self.show_fault("trying it ... escape cancels")
        # keys wait for the result: an enter must not save what is being rejected
        group = f"{LOADING_GROUP_PREFIX}trial"
        self._trying = self.run_worker(self._try(secret), group=group, exclusive=True, exit_on_error=False)

    async def _try(self, secret: str) -> None:
        trial = await self._try_secret(secret)
        if trial.verdict == "rejected":
            self._rejected = secret
            self.show_fault(f"{trial.message}\nenter again saves it anyway")
        else:
            self.dismiss(TriedSecret(secret, trial))

    @on(Input.Changed)
    def _on_edited(self, event: Input.Changed) -> None:
        """A trial of another text says nothing about this one."""
        event.stop()
        self._rejected = ""
        if self._trying is not None:
            self._trying.cancel()
            self._trying = None
