"""The title of the pane, and its hints while nothing is shown."""

from __future__ import annotations

from msgspec import Struct
from textual.content import Content

from sprig_tui.text import one_line

FILTER_CHARACTERS = 60
BETWEEN = " ── "


class Standing(Struct, frozen=True, kw_only=True):
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


def title(standing: Standing) -> str:
    """Such as `Deliveries ── /status:failed ── 3 of 1,000,412 ── following`."""
    return BETWEEN.join(_parts(standing))


def _parts(standing: Standing) -> list[str]:
    parts = ["Deliveries"]
    if standing.filter:
        parts.append("/" + one_line(standing.filter, limit=FILTER_CHARACTERS))
    parts.append(amount(standing))
    if standing.marked:
        parts.append(f"{standing.marked:,} marked")
    if standing.following:
        parts.append("following")
    elif standing.new:
        parts.append(f"+{standing.new:,} new")
    return parts


def clickable(standing: Standing) -> Content:
    """The title with its last words doing what `f` does, where they are about following."""
    if not (standing.following or standing.new):
        return Content(title(standing))
    *before, last = _parts(standing)
    # the markup is our own; the text is put in as it is
    return Content.assemble(BETWEEN.join(before), BETWEEN, Content.from_markup('[@click="follow"]$text[/]', text=last))


def amount(standing: Standing) -> str:
    """How many, and of how many."""
    if not standing.filter:
        return f"{max(standing.total, standing.shown):,}"
    if standing.searched < 1:
        return f"{standing.shown:,} so far, {int(standing.searched * 100)} % searched"
    return f"{standing.shown:,} of {max(standing.total, standing.shown):,}"


def hints(standing: Standing, *, opened: bool, file: str = "", sends: bool = True) -> tuple[str, ...]:
    """What to do while no delivery is shown; `file`: what a file is open for, such as `S sends all 117`.

    `sends`: whether anything can be sent from here.
    """
    if not opened:
        return ("opening the journal …",)
    if standing.filter:
        if standing.searched < 1:
            return (f"searching: {int(standing.searched * 100)} % of {standing.total:,} deliveries looked through",)
        return ("nothing matches this filter", "/ changes it, escape clears it")
    if not sends:
        return ("no deliveries yet", "this console is read-only: what others send shows here")
    if file:
        return ("no deliveries yet", file)
    return ("no deliveries yet", "o opens a file of answers, s sends what it shows")
