"""The style sheets of the console, one per pane and one for the rest."""

from __future__ import annotations

from pathlib import Path, PurePath

FOLDER = Path(__file__).parent


def sheets() -> list[str | PurePath]:
    """Every style sheet, in the order they are applied."""
    return [*sorted(FOLDER.glob("*.tcss"))]


def first_sheets() -> list[str | PurePath]:
    """What the first paint needs."""
    return [FOLDER / "base.tcss"]


def later_sheets() -> list[PurePath]:
    """The others, in the order they are applied."""
    return [sheet for sheet in sorted(FOLDER.glob("*.tcss")) if sheet.name != "base.tcss"]
