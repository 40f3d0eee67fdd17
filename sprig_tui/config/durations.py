"""Durations as people write them: `90s`, `12h`, `1h30m`, `2d`, or plain seconds."""

from __future__ import annotations

import math
import re

from sprig_tui.errors import ConfigError, place_of

UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
MAX_DURATION_S = 10 * 366 * 86_400.0
"""Ten years in seconds: longer is a slip of the finger, and would overflow a clock in milliseconds."""

_UNIT_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d|w)")
_DURATION = re.compile(rf"(?:{_UNIT_PART.pattern}\s*)+")
_PLAIN_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def parse_duration(value: str | float, label: str = "duration") -> float:
    """Seconds, 0 or more; raises ConfigError, which names `what` (empty for nothing)."""
    if isinstance(value, str):
        text = value.strip().lower()
        if _PLAIN_SECONDS.fullmatch(text):
            seconds = float(text)
        elif _DURATION.fullmatch(text):
            seconds = sum(float(number) * UNIT_SECONDS[unit] for number, unit in _UNIT_PART.findall(text))
        else:
            raise ConfigError(
                f"{place_of(label)}{value[:40]!r} is not a duration",
                hint="write it as 90s, 12h, 1h30m, 2d or plain seconds",
            )
    else:
        seconds = float(value)
    if not math.isfinite(seconds) or seconds < 0:
        raise ConfigError(f"{place_of(label)}a duration is 0 or more", hint="write it as 90s, 12h, 2d or plain seconds")
    if seconds > MAX_DURATION_S:
        raise ConfigError(f"{place_of(label)}more than ten years", hint="write it as 90s, 12h, 2d or plain seconds")
    return seconds


def format_duration(seconds: float) -> str:
    """The two largest units, such as `1h 30m`; below a minute one decimal where it matters."""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms" if seconds > 0 else "0 s"
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    sizes = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))
    parts: list[tuple[int, str]] = []
    for unit, size in sizes:
        count, whole = divmod(whole, size)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count)
