"""Secrets from a hidden prompt or from standard input, never from the command line; and what is off with them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sprig_tui.cli import asking, diagnostics
from sprig_tui.errors import ConfigError

if TYPE_CHECKING:
    from sprig_tui.config.keylint import SecretLint

MAX_INPUT_CHARS = 65_536
"""Characters read from standard input; a key has 32."""


def read_secret(what: str) -> str:
    """As typed, pasted or piped; raises ConfigError for what is no text."""
    if sys.stdin.isatty():
        return asking.prompt_secret(f"{what} (not shown):")
    text = sys.stdin.buffer.read(MAX_INPUT_CHARS + 1)
    if b"\0" in text[:4]:
        raise ConfigError("standard input is not UTF-8 text", hint="pipe the key alone, as UTF-8")
    if not text.strip():
        raise ConfigError(f"standard input is empty: the {what} is expected there", hint="pipe it alone, as UTF-8")
    return text.decode("utf-8", "replace")


def print_lint(lint: SecretLint) -> None:
    """Everything that was found; nothing of the secret itself."""
    for fault in lint.faults:
        if fault.level == "error":
            diagnostics.failure(f"not stored: {fault.message}", fault.hint)
        elif fault.level == "warning":
            diagnostics.warning(fault.message, fault.hint)
        else:
            diagnostics.info(fault.message)


def confirm_warnings(warnings: list[str], *, force: bool, flag: str = "--force") -> bool:
    """Whether to store it in spite of these; asks, where someone is there."""
    if not warnings or force:
        return True
    if asking.is_interactive():
        return asking.confirm("store it all the same?")
    diagnostics.failure(f"not stored: {'; '.join(warnings)}", f"add {flag} if it is meant so")
    return False
