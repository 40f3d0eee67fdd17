"""Near names of environments: whether a name that is none of ours was surely meant to be one of them; pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from sprig_tui.segment.source_fit import stage_of, words_of

CLOSE = 0.75
"""Likeness (difflib) from which two names, or two parts of names, are taken for a slip."""
SHORTEST_PREFIX = 3
"""Characters from which the beginning of a name stands for it."""
ALWAYS_MEANT = ("production", "development")
"""Stages whose other words (prod, live, dev ...) are taken for them; a test or staging of one's own is common."""


def near_environment(name: str, known: Iterable[str]) -> str:
    """The known environment that `name` was surely meant to be; empty where it may well be another.

    `prod`, `prodd`, `live` and `prodution` are near `production`; `production-eu` and `staging-us` beside `staging-eu`
    are names of their own, and so is `team2` beside `team1`.
    """
    names, typed = list(known), name.casefold()
    if typed in names:
        return typed
    stage = stage_of(typed)
    if stage in ALWAYS_MEANT and stage in names:
        return stage
    for stage in ALWAYS_MEANT:
        if stage in names and any(_is_slip(typed, word) for word in words_of(stage) if word[:1] == typed[:1]):
            return stage
    begun = [one for one in names if len(typed) >= SHORTEST_PREFIX and one.startswith(typed)]
    if len(begun) == 1:
        return begun[0]
    scored = [(difflib.SequenceMatcher(a=typed, b=one).ratio(), one) for one in names if _is_slip(typed, one)]
    return max(scored)[1] if scored else ""


def _is_slip(typed: str, known: str) -> bool:
    if typed.replace("-", "").replace("_", "") == known.replace("-", ""):
        return True
    parts, others = typed.split("-"), known.split("-")
    if len(parts) != len(others):
        return False
    return all(_part_is_slip(one, other) for one, other in zip(parts, others, strict=True) if one != other)


def _part_is_slip(one: str, other: str) -> bool:
    """Regions (eu, us) and numbers are differences that are meant."""
    if min(len(one), len(other)) <= SHORTEST_PREFIX or _without_digits(one) == _without_digits(other):
        return False
    return difflib.SequenceMatcher(a=one, b=other).ratio() >= CLOSE


def _without_digits(text: str) -> str:
    return "".join(letter for letter in text if not letter.isdigit())
