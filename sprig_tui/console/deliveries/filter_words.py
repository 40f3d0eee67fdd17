"""Words of a filter as they are typed: completing the last one, and showing where one is wrong."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len

from sprig_tui.errors import FilterError
from sprig_tui.journal.filter import FILTER_FIELDS
from sprig_tui.journal.records import State
from sprig_tui.reasons import Reason
from sprig_tui.text import printable

_AGE_VALUES = ("today", "yesterday", "1h", "24h", "7d")
_LIST_FIELDS = ("status", "reason", "env")
"""Fields whose values may be listed by comma."""


def complete_filter(text: str, environments: Iterable[str] = ()) -> str:
    """The text with its last word completed; empty where nothing begins so."""
    head, word = _last_word(text)
    if not word or '"' in word:
        return ""
    dash = "-" if word.startswith("-") else ""
    field, colon, value = word.removeprefix("-").partition(":")
    if not colon:
        return _first_match((f"{dash}{name}:" for name in FILTER_FIELDS), word, head) if field else ""
    values = {
        "status": [state.value for state in State],
        "reason": [reason.value for reason in Reason],
        "env": tuple(environments),
        "since": _AGE_VALUES,
        "until": _AGE_VALUES,
    }.get(field, ())
    listed, comma, begun = value.rpartition(",") if field in _LIST_FIELDS else ("", "", value)
    front = f"{head}{dash}{field}:{listed}{comma}"
    return _first_match(values, begun, front) if begun else ""


def _last_word(text: str) -> tuple[str, str]:
    space = text.rfind(" ")
    return text[: space + 1], text[space + 1 :]


def _quote(name: str) -> str:
    return f'"{name}"' if " " in name else name


def _first_match(choices: Iterable[str], begun: str, front: str) -> str:
    for choice in choices:
        if choice != begun and choice.lower().startswith(begun.lower()):
            return front + _quote(choice)
    return ""


def caret_lines(error: FilterError, text: str, *, shift: int, width: int) -> tuple[str, str]:
    """A line with a caret under what is wrong, and one that says what, in at most `width` cells each.

    `shift`: cells that the text begins to the right of the lines, less what is scrolled away of it.
    """
    at = min(max(0, cell_len(text[: error.position]) + shift), max(0, width - 1))
    said = printable(f"{error.message}; {error.hint}" if error.hint else error.message, limit=400)
    behind = f"{' ' * at}^ {said}"
    if cell_len(behind) <= width:
        return behind, ""
    return f"{' ' * at}^", said
