"""The title of the pane, and its hints while nothing is shown."""

from __future__ import annotations

from msgspec import Struct
from textual.content import Content

from sprig_tui.text import one_line

MAX_FILTER_TITLE_CHARS = 60
SEPARATOR = " ── "


class TitleState(Struct, frozen=True, kw_only=True):
    """What the title tells."""

    filter: str = ""
    shown: int = 0
    """Deliveries that match, as far as they are known."""
    total: int = 0
    searched: float = 1.0
    """How much of the journal was looked through."""
    following: bool = True
    new: int = 0
    """Arrived below since the person scrolled away."""
    marked: int = 0


def log_title(state: TitleState) -> str:
    """Such as `Deliveries ── /status:failed ── 3 of 1,000,412 ── following`."""
    return SEPARATOR.join(_title_parts(state))


def _title_parts(state: TitleState) -> list[str]:
    parts = ["Deliveries"]
    if state.filter:
        parts.append("/" + one_line(state.filter, limit=MAX_FILTER_TITLE_CHARS))
    parts.append(amount_text(state))
    if state.marked:
        parts.append(f"{state.marked:,} marked")
    if state.following:
        parts.append("following")
    elif state.new:
        parts.append(f"+{state.new:,} new")
    return parts


def clickable_title(state: TitleState) -> Content:
    """The title with its last words doing what `f` does, where they are about following."""
    if not (state.following or state.new):
        return Content(log_title(state))
    *before, last = _title_parts(state)
    # the markup is our own; the text is put in as it is
    return Content.assemble(
        SEPARATOR.join(before), SEPARATOR, Content.from_markup('[@click="follow"]$text[/]', text=last)
    )


def amount_text(state: TitleState) -> str:
    """How many, and of how many."""
    if not state.filter:
        return f"{max(state.total, state.shown):,}"
    if state.searched < 1:
        return f"{state.shown:,} so far, {int(state.searched * 100)} % searched"
    return f"{state.shown:,} of {max(state.total, state.shown):,}"


def empty_log_hints(state: TitleState, *, opened: bool, file: str = "", sends: bool = True) -> tuple[str, ...]:
    """What to do while no delivery is shown; `file`: what a file is open for, such as `S sends all 117`.

    `sends`: whether anything can be sent from here.
    """
    if not opened:
        return ("opening the journal …",)
    if state.filter:
        if state.searched < 1:
            return (f"searching: {int(state.searched * 100)} % of {state.total:,} deliveries looked through",)
        return ("nothing matches this filter", "/ changes it, escape clears it")
    if not sends:
        return ("no deliveries yet", "this console is read-only: what others send shows here")
    if file:
        return ("no deliveries yet", file)
    return ("no deliveries yet", "o opens a file of answers, s sends what it shows")
