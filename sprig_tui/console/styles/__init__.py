"""The style sheets of the console, one per pane and one for the rest."""

from __future__ import annotations

from pathlib import Path, PurePath


def sheets() -> list[str | PurePath]:
    """Every style sheet, in the order they are applied."""
    return [*sorted(Path(__file__).parent.glob("*.tcss"))]
