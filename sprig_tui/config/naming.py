"""Near names of environments: whether a name that is none of ours was surely meant to be one of them; pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from sprig_tui.segment.source_fit import stage_of, stage_words

MIN_SIMILARITY = 0.75
"""Likeness (difflib) from which two names, or two parts of names, are taken for a slip."""
MIN_PREFIX_CHARS = 3
"""Characters from which the beginning of a name stands for it."""
ALIASED_STAGES = ("production", "development")
"""Stages whose other words (prod, live, dev ...) are taken for them; a test or staging of one's own is common."""


def nearest_environment(name: str, environment_names: Iterable[str]) -> str:
    """The known environment that `name` was surely meant to be; empty where it may well be another.

    `prod`, `prodd`, `live` and `prodution` are near `production`; `production-eu` and `staging-us` beside `staging-eu`
    are names of their own, and so is `team2` beside `team1`.
    """
    names, typed = list(environment_names), name.casefold()
    if typed in names:
        return typed
    stage = stage_of(typed)
    if stage in ALIASED_STAGES and stage in names:
        return stage
    for stage in ALIASED_STAGES:
        if stage in names and any(_is_typo(typed, word) for word in stage_words(stage) if word[:1] == typed[:1]):
            return stage
    begun = [one for one in names if len(typed) >= MIN_PREFIX_CHARS and one.startswith(typed)]
    if len(begun) == 1:
        return begun[0]
    scored = [(difflib.SequenceMatcher(a=typed, b=one).ratio(), one) for one in names if _is_typo(typed, one)]
    return max(scored)[1] if scored else ""


def _is_typo(typed: str, environment_name: str) -> bool:
    if typed.replace("-", "").replace("_", "") == environment_name.replace("-", ""):
        return True
    parts, others = typed.split("-"), environment_name.split("-")
    if len(parts) != len(others):
        return False
    return all(_is_part_typo(one, other) for one, other in zip(parts, others, strict=True) if one != other)


def _is_part_typo(part: str, other_part: str) -> bool:
    """Regions (eu, us) and numbers are differences that are meant."""
    if min(len(part), len(other_part)) <= MIN_PREFIX_CHARS or _without_digits(part) == _without_digits(other_part):
        return False
    return difflib.SequenceMatcher(a=part, b=other_part).ratio() >= MIN_SIMILARITY


def _without_digits(text: str) -> str:
    return "".join(letter for letter in text if not letter.isdigit())
