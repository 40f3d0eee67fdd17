"""Which theme is taken, and what is said of one that is not there."""

from __future__ import annotations

import pytest

from sprig_tui.console.themes import DEFAULT, choose_theme


@pytest.mark.parametrize(
    ("wanted", "theme", "fault"),
    [
        (None, DEFAULT, ""),
        ("nord", "nord", ""),
        ("nrod", DEFAULT, "did you mean nord?"),
        (7, DEFAULT, "no theme that"),
        ("x" * 500, DEFAULT, "no theme"),
    ],
)
def test_choose_theme(wanted, theme, fault):
    chosen, said = choose_theme(wanted, ["sprig", "sprig-light", "nord"])
    assert chosen == theme
    assert fault in said
    assert bool(fault) == bool(said)
    assert len(said) < 300
