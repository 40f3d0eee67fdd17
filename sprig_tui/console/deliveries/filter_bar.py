"""Filter bar: input with completion and history, what is shown while typing, and the position of a syntax error."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Static

from sprig_tui.console.commands.base import HasCommands
from sprig_tui.console.commands.deliveries import SaveFilter
from sprig_tui.console.widgets.history_input import HistoryInput
from sprig_tui.errors import FilterError
from sprig_tui.journal.filter import MAX_FILTER_DEPTH, parse_filter
from sprig_tui.journal.filter_completion import complete_word
from sprig_tui.journal.filter_fields import FIELDS
from sprig_tui.journal.query import Query
from sprig_tui.text import printable


def complete_filter(text: str, environments: Iterable[str] = (), saved: Iterable[str] = ()) -> str:
    """The text with its last word completed; empty where there is no completion."""
    head, space, word = text.rpartition(" ")
    if '"' in word or not word.lstrip("-(") or word.endswith((":", ",")):
        return ""
    completed = next((choice for choice in complete_word(word, environments, saved) if choice != word), "")
    return f"{head}{space}{completed}" if completed else ""


def typed_filters(text: str) -> Iterator[str]:
    """What to show while a filter is typed: the text, or else what is before its last word.

    A last word that may become the name of a field is not searched as text.
    """
    head, _, word = text.rpartition(" ")
    bare = word.lstrip("-(").lower()
    if not bare or not any(field.startswith(bare) for field in FIELDS):
        yield from (text, _closed(text))
    yield from (head, _closed(head))


def _closed(text: str) -> str:
    """The text with its open parentheses closed."""
    unquoted = re.sub(r'"[^"]*"', "", text)
    return text + ")" * min(max(0, unquoted.count("(") - unquoted.count(")")), MAX_FILTER_DEPTH)


def caret_lines(error: FilterError, text: str, *, shift: int, width: int) -> tuple[str, str]:
    """A line with a caret under the error and a line with the message, each at most `width` cells.

    `shift`: cells from the left edge to the start of the text, which is negative when it is scrolled.
    """
    at = min(max(0, cell_len(text[: error.position]) + shift), max(0, width - 1))
    message = printable(f"{error.message}; {error.hint}" if error.hint else error.message, limit=400)
    single_line = f"{' ' * at}^ {message}"
    if cell_len(single_line) <= width:
        return single_line, ""
    return f"{' ' * at}^", message


PROMPT = "/"
MAX_FILTER_CHARS = 2_000
"""Longest filter; a longer paste is cut."""


class _FilterSuggester(Suggester):
    """Completes the last word."""

    def __init__(self, environments: Callable[[], tuple[str, ...]], saved: Callable[[], Mapping[str, str]]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._environments = environments
        self._saved = saved

    async def get_suggestion(self, value: str) -> str | None:
        return complete_filter(value, self._environments(), self._saved()) or None


class FilterInput(HasCommands, HistoryInput):
    """Filter input: enter applies, escape cancels, tab completes, up and down go through the history."""

    COMMAND_CLASSES = (SaveFilter,)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel"),
        Binding(SaveFilter.key, SaveFilter.action(), "save under a name", id=SaveFilter.id),
    ]

    class Left(Message):
        """Escape was pressed."""

    class SaveRequested(Message):
        """The user wants to save a filter under a name."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, environments: Callable[[], tuple[str, ...]], saved: Callable[[], Mapping[str, str]]) -> None:
        super().__init__(
            placeholder='status:failed survey:"Checkout effort" since:yesterday OR is:retrying',
            suggester=_FilterSuggester(environments, saved),
            compact=True,
            max_length=MAX_FILTER_CHARS,
        )

    def _on_paste(self, event: events.Paste) -> None:
        """Paste several lines as one: the input itself takes the first line alone."""
        event.text = " ".join(event.text.splitlines())

    def action_leave(self) -> None:
        self.post_message(self.Left())

    def action_save_filter(self) -> None:
        self.post_message(self.SaveRequested(self.value))


class FilterBar(Vertical):
    """Hidden until `ask` is called. Posts `Typed` while a filter is typed, then `Applied`, or `Left`."""

    class Typed(Message):
        """The text is a valid filter as it stands."""

        def __init__(self, query: Query) -> None:
            super().__init__()
            self.query = query

    class Rejected(Message):
        """Enter was pressed on a filter with a mistake in it, which is shown."""

    class Applied(Message):
        """A valid filter was entered."""

        def __init__(self, query: Query) -> None:
            super().__init__()
            self.query = query

    class Left(Message):
        """The bar was closed without a change."""

    def __init__(
        self,
        now: Callable[[], int],
        environments: Callable[[], tuple[str, ...]],
        saved: Callable[[], Mapping[str, str]],
    ) -> None:
        super().__init__()
        self._now = now
        self._saved = saved
        self._typed: str | None = ""
        """The filter that was posted last; None after a mistake."""
        self.input = FilterInput(environments, saved)
        self._fault = Static("", markup=False, classes="filter-fault")
        self._error: FilterError | None = None
        """The mistake in the text, which is shown."""

    def compose(self) -> ComposeResult:
        with Horizontal(classes="filter-line"):
            yield Static(PROMPT, classes="filter-prompt")
            yield self.input
        yield self._fault

    def ask(self, text: str) -> None:
        """Show the bar with this text and focus it."""
        self.display = True
        self._typed = text
        self.input.value = text
        self.input.action_end()
        self.input.focus()

    def close(self) -> None:
        """Hide the bar."""
        self.display = False
        self._show_error(None)

    @on(Input.Submitted)
    def _on_submit(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value
        try:
            query = self.parse(text)
        except FilterError as error:
            self._show_error(error)
            self._typed = None
            self.post_message(self.Rejected())
            return
        self.input.add_to_history(query.text)
        self.close()
        self.post_message(self.Applied(query))

    @on(Input.Changed)
    def _on_text_changed(self, event: Input.Changed) -> None:
        """Show what matches so far; a filter that is not finished leaves the rows as they are."""
        event.stop()
        self._show_error(None)
        if not self.display:
            return
        for text in typed_filters(event.value):
            with contextlib.suppress(FilterError):
                query = self.parse(text)
                if query.text != self._typed:
                    self._typed = query.text
                    self.post_message(self.Typed(query))
                return

    def parse(self, text: str) -> Query:
        """The Query of a text with the saved filters of the config; raises FilterError."""
        return parse_filter(text, now_ms=self._now(), saved=self._saved())

    @on(FilterInput.Left)
    def _on_input_left(self, event: FilterInput.Left) -> None:
        event.stop()
        self.close()
        self.post_message(self.Left())

    def on_resize(self) -> None:
        """Break the mistake at the new width; the field has scrolled its text by then."""
        if self._error is not None:
            self.call_after_refresh(self._lay_out_error)

    def _show_error(self, error: FilterError | None) -> None:
        self._error = error
        self._lay_out_error()

    def _lay_out_error(self) -> None:
        lines: tuple[str, ...] = ()
        if self._error is not None:
            shift = len(PROMPT) - round(self.input.scroll_offset.x)
            lines = caret_lines(self._error, self.input.value, shift=shift, width=self.size.width)
        self._fault.update(Content("\n".join(line for line in lines if line)))
        self._fault.display = self._error is not None
