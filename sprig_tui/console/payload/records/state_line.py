"""State line of the list of records: filter, numbers, marks, what is looked for, and what is wrong with the file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from textual.content import Content

from sprig_tui.console.widgets.panel import Caption
from sprig_tui.errors import InputError
from sprig_tui.sprig.held_input import InputSource
from sprig_tui.text import one_line, printable

MAX_FILTER_CHARS = 60


class ListState(NamedTuple):
    """Facts about the list."""

    filter: str = ""
    shown: int = 0
    total: int = 0
    searched: float = 1.0
    """Searched share of the file, 0 to 1."""
    marked: int = 0
    looking: str = ""
    """What is looked for in the file at the moment; empty for nothing."""


def state_text(state: ListState) -> str:
    """Such as `/reason:anonymous: 12 of 10,000 · 3 marked`; empty where there is nothing to say."""
    parts = []
    if state.filter:
        text = one_line(state.filter, limit=MAX_FILTER_CHARS)
        if state.searched < 1:
            parts.append(f"{text}: {state.shown:,} so far, {int(state.searched * 100)} % searched")
        else:
            parts.append(f"{text}: {state.shown:,} of {state.total:,}")
    if state.marked:
        parts.append(f"{state.marked:,} marked")
    if state.looking:
        parts.append(state.looking)
    return " · ".join(parts)


class StateLine(Caption):
    """The line below the rows; the trouble of the file stands before everything else."""

    def __init__(self) -> None:
        super().__init__(classes="records-state")
        self.trouble = ""
        """Why the file could not be read to its end; empty when it could, or is still read."""

    def show_state(self, state: ListState) -> None:
        """Show the facts of the list, after the trouble of the file."""
        text = " · ".join(filter(None, (printable(self.trouble, limit=400), state_text(state))))
        self.show(Content.styled(text, "$text-error" if self.trouble else "$text-accent"))

    def use_error(self, error: InputError, sources: Iterable[InputSource]) -> None:
        """Say from now on what is wrong with the file of these sources."""
        message = error.message
        for source in sources:
            if isinstance(source, str):
                message = message.replace(f"{Path(source).parent}/", "")  # the name says enough, and leaves room
        self.trouble = f"{message}: f5 reads it again"
