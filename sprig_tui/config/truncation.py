"""Truncated config: whether one text is another that broke off, though what is there of it is valid TOML."""

from __future__ import annotations

from sprig_tui.config.tomltext import Statement, statements

Key = tuple[str, ...]


def lacks_end(before: str, now: str) -> bool:
    """Whether `now` ends where `before` goes on: all that it lost stood after the last thing that it has.

    Both are valid TOML. Deleting the last table looks the same as a writer that stopped before it, so a comment at
    the end that was not there before tells that the writer got that far.
    """
    found = statements(now)
    if found and found[-1].kind == "comment" and now[found[-1].start : found[-1].end].strip() not in before:
        return False
    old, new = _values(before, statements(before)), _values(now, found)
    if key := _broken_off(old, new, now):
        del new[key]
    kept = [key for key in old if key in new]
    if len(kept) == len(old):
        return False
    # in the order of `before`: what it keeps stands before what it lost
    return kept == list(old)[: len(kept)] and list(new)[-1:] == kept[-1:]


def lacks_digits(before: str, now: str) -> bool:
    """Whether `now` ends in the beginning of a number that `before` has: what broke off of a number is a number."""
    found = _values(now, statements(now))
    return bool(_broken_off(_values(before, statements(before)), found, now))


def _broken_off(old: dict[Key, str], new: dict[Key, str], now: str) -> Key:
    """The last key, where its value is only the beginning of the old one; else none."""
    if not new or now.endswith("\n"):
        return ()
    key, value = list(new.items())[-1]
    return key if value != old.get(key, "") and old.get(key, "").startswith(value) else ()


def _values(text: str, found: list[Statement]) -> dict[Key, str]:
    """Each header and pair by its whole key, in order, with a pair's value as it is written."""
    values: dict[Key, str] = {}
    table: Key = ()
    for one in found:
        if one.kind in ("table", "array"):
            table = one.key
            values.setdefault(table, "")
        elif one.kind == "pair":
            values[(*table, *one.key)] = text[one.value_start : one.value_end]
    return values
