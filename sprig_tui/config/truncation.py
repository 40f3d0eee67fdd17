"""Truncated config: whether one text is another that broke off, though what is there of it is valid TOML."""

from __future__ import annotations

from sprig_tui.config.toml_edit import Statement, parse_statements

KeyPath = tuple[str, ...]


def is_truncated(before: str, now: str) -> bool:
    """Whether `now` ends where `before` goes on: all that it lost stood after the last thing that it has.

    Both are valid TOML. Deleting the last table looks the same as a writer that stopped before it, so a comment at
    the end that was not there before tells that the writer got that far.
    """
    found = parse_statements(now)
    if found and found[-1].kind == "comment" and now[found[-1].start : found[-1].end].strip() not in before:
        return False
    old, new = _values_by_key(before, parse_statements(before)), _values_by_key(now, found)
    if key := _truncated_key(old, new, now):
        del new[key]
    kept = [key for key in old if key in new]
    if len(kept) == len(old):
        return False
    # in the order of `before`: what it keeps stands before what it lost
    return kept == list(old)[: len(kept)] and list(new)[-1:] == kept[-1:]


def is_number_truncated(before: str, now: str) -> bool:
    """Whether `now` ends in the beginning of a number that `before` has: what broke off of a number is a number."""
    found = _values_by_key(now, parse_statements(now))
    return bool(_truncated_key(_values_by_key(before, parse_statements(before)), found, now))


def _truncated_key(old: dict[KeyPath, str], new: dict[KeyPath, str], now: str) -> KeyPath:
    """The last key, where its value is only the beginning of the old one; else none."""
    if not new or now.endswith("\n"):
        return ()
    key, value = list(new.items())[-1]
    return key if value != old.get(key, "") and old.get(key, "").startswith(value) else ()


def _values_by_key(text: str, found: list[Statement]) -> dict[KeyPath, str]:
    """Each header and pair by its whole key, in order, with a pair's value as it is written."""
    values: dict[KeyPath, str] = {}
    table: KeyPath = ()
    for one in found:
        if one.kind in ("table", "array"):
            table = one.key
            values.setdefault(table, "")
        elif one.kind == "pair":
            values[(*table, *one.key)] = text[one.value_start : one.value_end]
    return values
