"""The text of the status line: what matters most first, and no more than fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len

from sprig_tui.console.commands import Permissions
from sprig_tui.console.environments.view import EnvironmentView
from sprig_tui.console.themes import MUTED
from sprig_tui.console.vitals import HISTORY, Vitals
from sprig_tui.text import printable

BARS = "▁▂▃▄▅▆▇█"


class Piece(NamedTuple):
    """A stretch of the line in one style of Textual's (`$text-error`, `bold` ...)."""

    text: str
    style: str = ""


def badge(label: str, permissions: Permissions) -> str:
    """What kind of console this is, where it is not one that delivers: `demo`, `read-only`, `no engine`."""
    kinds = [label, "read-only" if permissions.read_only else "" if permissions.engine else "no engine"]
    return " ".join(kind for kind in kinds if kind)


def sparkline(history: Sequence[int]) -> str:
    """One bar per second, the highest of them as high as a line; nothing where nothing was delivered."""
    top = max(history, default=0)
    if top <= 0:
        return ""
    return "".join(BARS[(value * 8 - 1) // top] if value else " " for value in history).rjust(HISTORY)


def status_pieces(vitals: Vitals, selected: str, label: str, width: int) -> list[Piece]:
    """The whole line for so many cells."""
    badges = [Piece(f" {label}", "bold $text-accent"), Piece("  ")] if label else []
    left = [Piece(" sprig-tui", "bold"), *(badges or [Piece("  ")]), Piece(" ")]
    right = [Piece(f"journal: {vitals.journal} ", _JOURNAL.get(vitals.journal, MUTED))]
    if vitals.trouble:
        room = max(10, width - _cells(left) - _cells(right) - 4)
        return _spread([*left, Piece(f"✗ {printable(vitals.trouble, limit=room)}", "$text-error")], right, width)
    current = next((view for view in vitals.environments if view.name == selected), None)
    numbers = _numbers(vitals)
    middle = _environment(current) if current else []
    others = [
        piece
        for view in vitals.environments
        if view.name != selected and view.rate
        for piece in (Piece(f"○ {view.title} "), Piece(f"{view.rate:,}/s", "$text-success"), Piece("   "))
    ]
    for parts in (
        (left, middle, others, numbers, right),
        (left, middle, numbers, right),
        (left, middle, numbers),
        (badges, middle, numbers),
        (badges, _environment(current, history=False) if current else [], numbers),
    ):
        pieces = [piece for part in parts for piece in part]
        if _cells(pieces) <= width:
            break
    return _spread(pieces[: len(pieces) - len(right)], right, width) if right[0] in pieces else pieces


_JOURNAL = {"lost": "$text-error", "opening": "$text-warning"}


def _environment(view: EnvironmentView, *, history: bool = True) -> list[Piece]:
    pieces = [Piece(f"● {view.title}", "bold"), Piece("   ")]
    standing = view.standing
    if view.rate or view.in_flight:
        pieces += [
            Piece(f"delivering {view.rate:,}/s ", "$text-success"),
            Piece(sparkline(view.history) if history else "", "$text-accent"),
        ]
    else:
        # the Environments pane has the rest
        word = standing.brief or standing.text
        style = {"bad": "$text-error", "warning": "$text-warning", "good": "$text-success"}.get(standing.level, "")
        pieces.append(Piece(printable(word, limit=40), style or MUTED))
    return [*pieces, Piece("   ")]


def _numbers(vitals: Vitals) -> list[Piece]:
    return [
        Piece(f"queued {vitals.queued:,}  ", "" if vitals.queued else MUTED),
        Piece(f"failed {vitals.failed:,}  ", "$text-error" if vitals.failed else MUTED),
        Piece(f"withheld {vitals.withheld:,}  ", "$text-warning" if vitals.withheld else MUTED),
    ]


def _cells(pieces: Sequence[Piece]) -> int:
    return sum(cell_len(piece.text) for piece in pieces)


def _spread(left: list[Piece], right: list[Piece], width: int) -> list[Piece]:
    return [*left, Piece(" " * max(1, width - _cells(left) - _cells(right))), *right]
