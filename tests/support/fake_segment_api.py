"""Former name of the look-alike of a Segment workspace; new tests import support.workspace_lookalike."""

from __future__ import annotations

from support.workspace_lookalike import (
    DEVELOPMENT_KEY,
    MEMBER_TOKEN,
    PRODUCTION_KEY,
    TOKEN,
    answers,
    breaks_off,
    destination,
    endless,
    goes_on,
    hangs_up,
    label,
    limited,
    reset_at,
    source,
)
from support.workspace_lookalike import WorkspaceLookalike as FakeSegmentApi

__all__ = [
    "DEVELOPMENT_KEY",
    "MEMBER_TOKEN",
    "PRODUCTION_KEY",
    "TOKEN",
    "FakeSegmentApi",
    "answers",
    "breaks_off",
    "destination",
    "endless",
    "goes_on",
    "hangs_up",
    "label",
    "limited",
    "reset_at",
    "source",
]
