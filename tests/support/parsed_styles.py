"""Style sheets, parsed once for all apps of a process: a fifth of the cost of a mount."""

from __future__ import annotations

from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

_parse_rules = Stylesheet._parse_rules
_parsed: dict[tuple[object, ...], list[RuleSet]] = {}


def _rules_parsed_once(self: Stylesheet, *source: object, **more: object) -> list[RuleSet]:
    key = (source, tuple(more.items()), tuple(self._variables.items()))
    if key not in _parsed:
        _parsed[key] = _parse_rules(self, *source, **more)
    return _parsed[key]


def keep() -> None:
    """From now on, keep the rules of each style sheet."""
    Stylesheet._parse_rules = _rules_parsed_once
