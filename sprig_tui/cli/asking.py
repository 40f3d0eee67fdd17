"""Questions to the person at the terminal; the answer that does nothing is the default."""

from __future__ import annotations

import sys

from sprig_tui.cli import diagnostics


def is_interactive() -> bool:
    """Whether someone is there to answer."""
    return sys.stdin.isatty() and diagnostics.is_terminal()


def confirm(question: str) -> bool:
    """Yes or no; anything but yes is no."""
    return prompt_line(f"{question} [y/N] ").lower() in ("y", "yes")


def confirm_name(question: str, name: str) -> bool:
    """Whether the person typed this very name; for what cannot be taken back."""
    diagnostics.info(question)
    return prompt_line("type its name to go on: ") == name


def prompt_secret(question: str) -> str:
    """A secret, not shown while it is typed or pasted, all lines of it; empty when the person gave up (Ctrl-D)."""
    from sprig_tui.cli.hidden_input import read_hidden
    from sprig_tui.text import one_line

    return read_hidden(f"{one_line(question)} ")


def prompt_line(question: str) -> str:
    """One line as it was typed, without the spaces around it; empty when the person gave up (Ctrl-D)."""
    from sprig_tui.text import printable

    diagnostics.write(printable(question))
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        diagnostics.write("\n")
    return line.strip()
