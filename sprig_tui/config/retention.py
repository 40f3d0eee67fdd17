"""Retention settings: `keep` and its like in `[journal]` as a policy."""

from __future__ import annotations

from sprig_tui.config.schema import KEEP_KEYS, JournalTable
from sprig_tui.config.warnings import ConfigWarning, WarningCode
from sprig_tui.errors import ConfigError
from sprig_tui.formatting import format_duration, parse_duration
from sprig_tui.journal.retention import RetentionPolicy
from sprig_tui.segment.limits import DEDUP_WINDOW_MS

MIN_KEEP_S = 3600.0
"""Less is a slip: what is removed is gone."""


def make_retention(table: JournalTable, label: str) -> tuple[RetentionPolicy, list[ConfigWarning]]:
    """The policy, and warnings of what is kept so short; raises ConfigError, which names the key after `label`.

    `keep` counts for all ended deliveries, `keep_failed` and `keep_withheld` in its place for theirs.
    """
    kept = {key: _kept_ms(getattr(table, key), f"{label}.{key}", key) for key in KEEP_KEYS}
    warnings = [
        ConfigWarning(
            WarningCode.KEEP_SHORT,
            f"{key} is {format_duration(ms / 1000)}, shorter than the 24 hours for which Segment drops repeats: "
            + _SHORT_MEANS.get(key, "what failed or was withheld is new when it is read again, and may be sent twice"),
            table="journal",
        )
        for key, ms in kept.items()
        if 0 < ms < DEDUP_WINDOW_MS
    ]
    policy = RetentionPolicy(
        delivered_ms=kept["keep"],
        failed_ms=kept["keep_failed"] or kept["keep"],
        withheld_ms=kept["keep_withheld"] or kept["keep"],
        content_ms=kept["keep_content"],
    )
    return policy, warnings


_SHORT_MEANS = {"keep_content": "what failed today cannot be replayed tomorrow"}


def _kept_ms(value: str | None, label: str, key: str) -> int:
    if value is None or not value.strip():  # a template writes "" for a variable that is not set
        return 0
    hint = f'write it with its unit: {key} = "90d"; leave it out to keep everything'
    if not value.strip()[-1].isalpha():
        raise ConfigError(f"{label}: {value[:40]!r} has no unit", hint=hint)
    try:
        seconds = parse_duration(value, label)
    except ConfigError as error:
        raise ConfigError(error.message, hint=hint) from None
    if seconds < MIN_KEEP_S:
        raise ConfigError(f"{label}: {value[:40]!r} is less than an hour", hint=hint)
    return round(seconds * 1000)
