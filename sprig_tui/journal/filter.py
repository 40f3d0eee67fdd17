"""Filter language: parses `status:failed -survey:Checkout since:2h slow` to a Query.

words       field:value, or free text; several free texts must all match
-word       not this
"a b"       quotes keep spaces together, also after the colon: survey:"Checkout effort"
status:     queued, delivered, failed, withheld, an HTTP status (400) or a class (4xx); lists by comma
reason: env: survey: user: id:
origin:     the number of a delivery: its revisions, possible duplicates and new sendings
endpoint:   a part of the URL it was sent to, or of the URL of the run with --endpoint that it is bound for
since: until:   2026-11-23, 2026-11-23T14:05 (local time unless it has an offset), today, yesterday,
            or an age: 90s 15m 2h 7d 4w
sent-since: sent-until:   the same for the time of the answer to its last request
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import get_args

from sprig_tui.errors import FilterError
from sprig_tui.journal.query import TIME_FIELDS, FilterField, Query, Term
from sprig_tui.journal.records import State
from sprig_tui.reasons import Reason

FILTER_FIELDS: tuple[str, ...] = tuple(field for field in get_args(FilterField) if field != "text")
"""Names before a colon."""
FIELD_ALIASES = {"state": "status", "environment": "env", "message": "id"}
"""Synonyms of field names."""

_COMPLETED_AGES = ("today", "yesterday", "1h", "24h", "7d")
_LIST_FIELDS = ("status", "reason", "env")
"""Fields whose values may be listed by comma."""

MAX_FILTER_WORDS = 200
"""Words and values of lists; databases limit the number of parameters."""
MAX_FILTER_CHARS = 20_000
"""Characters."""

_OR_HINT = 'list values by comma, as in status:failed,withheld; "OR" in quotes is searched as text'
_AND_HINT = 'leave it out, all words must match; "AND" in quotes is searched as text'
_NOT_HINT = 'write -word for not this; "NOT" in quotes is searched as text'
_OPERATOR_HINTS = {"OR": _OR_HINT, "||": _OR_HINT, "|": _OR_HINT, "AND": _AND_HINT, "&&": _AND_HINT, "NOT": _NOT_HINT}

_WORD = re.compile(r'-?(?:[A-Za-z]+:)?(?:"[^"]*"|[^\s"])+|"')
_STATUS = re.compile(r"[1-5](?:\d\d|xx)")
_AGE = re.compile(r"(\d+)([smhdw])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_filter(text: str, *, now_ms: int) -> Query:
    """The Query of a filter text.

    Args:
        text: as typed by the user; empty matches everything.
        now_ms: the time that ages and days refer to, milliseconds since 1970.

    Raises:
        FilterError: with the offset in characters of the word that is wrong.
    """
    if text.count('"') % 2:
        raise FilterError("a quote is never closed", position=text.rindex('"'), hint='write it as "two words"')
    if len(text) > MAX_FILTER_CHARS:
        raise FilterError(
            f"a filter has {MAX_FILTER_CHARS:,} characters at most", position=MAX_FILTER_CHARS, hint="use fewer words"
        )
    terms: list[Term] = []
    words = list(_WORD.finditer(text))
    for number, match in enumerate(words):
        _reject_operator(words, number)
        terms += _parse_word(match.group(), match.start(), now_ms)
        if len(terms) > MAX_FILTER_WORDS:
            raise FilterError(
                f"a filter has {MAX_FILTER_WORDS} words at most",
                position=match.start(),
                hint="use fewer words, or a wider one",
            )
    return Query(tuple(terms), text.strip())


def _reject_operator(words: list[re.Match[str]], number: int) -> None:
    """Reject operators of other query languages: as text they would match nothing."""
    match = words[number]
    word = match.group()
    hint = _OPERATOR_HINTS.get(word.upper(), "")
    shouted = word.isupper() or not word.isalpha()
    # in lower case it is an everyday word, except between two fields
    between = 0 < number < len(words) - 1 and all(_is_field(words[at].group()) for at in (number - 1, number + 1))
    if hint and (shouted or between):
        raise FilterError(f"there is no {word} in filters", position=match.start(), hint=hint)
    if word.startswith("(") and _is_field(word.lstrip("(-")):
        raise FilterError(
            "there are no parentheses in filters",
            position=match.start(),
            hint="all words must match; -word is not this",
        )


def _is_field(word: str) -> bool:
    name, colon, _ = word.removeprefix("-").partition(":")
    return bool(colon) and FIELD_ALIASES.get(name.lower(), name.lower()) in FILTER_FIELDS


def _parse_word(word: str, position: int, now_ms: int) -> list[Term]:
    negated = word.startswith("-") and len(word) > 1
    rest = word[1:] if negated else word
    name, colon, value = rest.partition(":")
    position += negated
    if not colon or not (name.isalpha() or name.lower() in FILTER_FIELDS) or '"' in name:
        plain = rest.replace('"', "")
        return [Term("text", plain, negated)] if plain else []
    field = FIELD_ALIASES.get(name.lower(), name.lower())
    if field not in FILTER_FIELDS:
        near = difflib.get_close_matches(field, [*FILTER_FIELDS, *FIELD_ALIASES], n=1)
        meant = f"did you mean {near[0]}: ?" if near else "fields are " + " ".join(f"{item}:" for item in FILTER_FIELDS)
        raise FilterError(
            f"there is no field {name}:", position=position, hint=f'{meant} (quote it to search it as text: "{rest}")'
        )
    position += len(name) + 1
    value = value.replace('"', "")
    values = value.split(",") if field in ("status", "reason", "env") else [value]
    if not any(item.strip() for item in values):
        # without this term the filter would match more than intended
        raise FilterError(f"{field}: needs a value", position=position, hint=_EXAMPLES.get(field, f"{field}:VALUE"))
    return [Term(field, _parse_value(field, item, position, now_ms), negated) for item in values if item.strip()]  # type: ignore[arg-type] # checked against FILTER_FIELDS above


_EXAMPLES = {
    "status": "status:failed or status:4xx",
    "origin": "origin:41",
    "since": "since:2h or since:2026-11-23",
    "until": "until:1d",
    "sent-since": "sent-since:2h",
    "sent-until": "sent-until:1d",
}


def _parse_value(field: str, value: str, position: int, now_ms: int) -> str:
    if field == "status":
        return _parse_status(value.lower(), position)
    if field == "reason":
        return _parse_choice(field, value.lower(), [reason.value for reason in Reason], position)
    if field == "origin":
        return _parse_number(field, value, position)
    if field in TIME_FIELDS:
        return str(_parse_time(field, value.lower(), position, now_ms))
    return value.lower() if field == "env" else value


def _parse_status(value: str, position: int) -> str:
    if _STATUS.fullmatch(value):
        return value
    return _parse_choice("status", value, [state.value for state in State], position)


def _parse_choice(field: str, value: str, choices: list[str], position: int) -> str:
    if value in choices:
        return value
    near = difflib.get_close_matches(value, choices, n=1)
    hint = f"did you mean {near[0]}?" if near else "one of: " + ", ".join(choices)
    if field == "status":
        hint += " (or an HTTP status such as 400 or 4xx)"
    raise FilterError(f"{field}: cannot be {value!r}", position=position, hint=hint)


def _parse_number(field: str, value: str, position: int) -> str:
    if value.isascii() and value.isdigit() and len(value) < 19:
        return str(int(value))
    raise FilterError(
        f"{field}: cannot be {value!r}", position=position, hint="write the number of a delivery: origin:41"
    )


def _parse_time(field: str, value: str, position: int, now_ms: int) -> int:
    try:
        return parse_moment(value, now_ms)
    except FilterError as error:
        raise FilterError(f"{field}: {error.message}", position=position, hint=error.hint) from error


def parse_moment(text: str, now_ms: int) -> int:
    """Milliseconds since 1970 of an age, a date, a time, `today` or `yesterday`. Raises FilterError."""
    value = text.lower()
    age = _AGE.fullmatch(value)
    try:
        now = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone()
        if age:
            then = now - timedelta(seconds=int(age[1]) * _UNIT_SECONDS[age[2]])
        elif value in ("today", "yesterday"):
            then = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=value == "yesterday")
        else:
            then = datetime.fromisoformat(value).astimezone()
        return int(then.timestamp() * 1000)
    except (ValueError, OverflowError, OSError) as error:
        raise FilterError(
            f"cannot read {value!r} as a time",
            position=0,
            hint="write an age (90s 15m 2h 7d 4w), a date (2026-11-23), a time (2026-11-23T14:05) or today",
        ) from error


def complete_word(word: str, environments: Iterable[str] = ()) -> list[str]:
    """The filter words that begin with this one: names of fields, or values of one, also in a list by comma."""
    dash = "-" if word.startswith("-") else ""
    field, colon, value = word.removeprefix("-").partition(":")
    if not colon:
        return [f"{dash}{name}:" for name in FILTER_FIELDS if name.startswith(field.lower())]
    values = {
        "status": [state.value for state in State],
        "reason": [reason.value for reason in Reason],
        "env": list(environments),
        **dict.fromkeys(TIME_FIELDS, _COMPLETED_AGES),
    }.get(field, ())
    listed, comma, begun = value.rpartition(",") if field in _LIST_FIELDS else ("", "", value)
    front = f"{dash}{field}:{listed}{comma}"
    matching = (choice for choice in values if choice.lower().startswith(begun.lower()))
    return [f'{front}"{choice}"' if " " in choice else front + choice for choice in matching]
