"""Hints such as `enter to save, escape to cancel`, each of which does when it is clicked what it says."""

from __future__ import annotations

from textual.content import Content

ESCAPE_CLOSES = ("escape closes", "escape")


def hint(*parts: tuple[str, str]) -> Content:
    """Texts of our own, each with the key that it is about, by comma."""
    pieces: list[Content | str] = []
    for text, key in parts:
        pieces += [", "] if pieces else []
        pieces.append(Content.from_markup(f"[@click=\"app.simulate_key('{key}')\"]$text[/]", text=text))
    return Content.assemble(*pieces)
