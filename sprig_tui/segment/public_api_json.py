"""JSON of Segment's Public API, read generously: the envelope, pages, errors, numbers, times. Pure.

Numbers come as integers, floats or text; unknown fields are ignored, and so is what is null. What cannot be read
raises SegmentApiError, because a count that was guessed would be taken for an answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from sprig_tui.errors import SegmentApiError
from sprig_tui.segment.timestamps import parse_instant

Number = int | float | str | None
"""A number as the API may write it."""
MAX_COUNT = 2**53
_MIN_EPOCH_MS = 100_000_000_000
"""A larger number of a time is milliseconds since 1970, a smaller one seconds."""

Item = TypeVar("Item")
Shape = TypeVar("Shape", bound=Struct)


class ListPage(NamedTuple, Generic[Item]):
    """One page, and the cursor of the next; empty on the last."""

    items: tuple[Item, ...]
    next_cursor: str


class Pagination(Struct, rename="camel"):
    """Place of a page in its list."""

    next: str | None = None


class _RateLimit(Struct, rename="camel"):
    ms_before_next: Number = None


class _Error(Struct):
    type: str | None = None
    message: str | None = None
    field: str | None = None
    data: msgspec.Raw = msgspec.Raw()


class _OneError(Struct):
    code: str | None = None
    message: str | None = None


class _Errors(Struct):
    errors: list[_Error] | None = None
    error: _OneError | None = None
    """Of the Profile API."""


class ErrorText(NamedTuple):
    """What the body of a rejection says."""

    message: str = ""
    wait_s: float | None = None
    """Seconds until the rate limit is lifted (`msBeforeNext`)."""
    fields: tuple[str, ...] = ()
    """Parameters that it objects to, such as `pagination.count`."""


def decode(body: bytes, shape: type[Shape]) -> Shape:
    """The body as `shape`; raises SegmentApiError, which names types and positions, never values."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, RecursionError) as error:
        # types and positions only, never values: they could be keys
        what = str(error) if isinstance(error, msgspec.ValidationError) else "it is not JSON"
        raise unclear(f"{what[:1].lower()}{what[1:]}") from None


def unclear(what: str) -> SegmentApiError:
    """The error of a response that is not understood; its status is 200."""
    return SegmentApiError(
        f"Segment's answer is not what its documentation says: {what}",
        status=200,
        hint="check [segment] region; the API may have changed since this version of sprig-tui",
    )


def required(items: list[Item] | UnsetType | None, name: str) -> Sequence[Item]:
    """The list of a page. A null is an empty list; a list that is missing raises SegmentApiError: it is no answer."""
    if items is UNSET:
        raise unclear(f"it has no `{name}`")
    return items or ()


def next_cursor(pagination: Pagination | None) -> str:
    """The cursor of the next page; empty on the last."""
    return (pagination.next or "") if pagination else ""


def to_number(value: Number) -> float | None:
    """The number, if it is one."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    try:
        return value if value is not None and math.isfinite(value) else None
    except OverflowError:  # an integer of more than 308 digits
        return None


def to_count(value: Number, name: str) -> int:
    """A count of 0 or more; raises SegmentApiError for anything else."""
    number = to_number(value)
    if number is None or not 0 <= number <= MAX_COUNT or number != int(number):
        raise unclear(f"`{name}` is not a count")
    return int(number)


def to_ms(value: Number, name: str) -> int:
    """A time as milliseconds since 1970 UTC, from ISO 8601 or a number; raises SegmentApiError for anything else."""
    if isinstance(value, str):
        instant = parse_instant(value)
        if instant is not None:
            return instant.ms
    number = to_number(value)
    if number is None or not 0 < number <= MAX_COUNT:
        raise unclear(f"`{name}` is not a time")
    return int(number if number >= _MIN_EPOCH_MS else number * 1000)


def to_ms_or_zero(value: Number) -> int:
    """As `to_ms`, but 0 for what is missing or no time."""
    try:
        return to_ms(value, "")
    except SegmentApiError:
        return 0


def parse_errors(body: bytes) -> ErrorText:
    """What an error body says. Never raises."""
    try:
        found = msgspec.json.decode(body, type=_Errors)
    except (msgspec.DecodeError, RecursionError):
        return ErrorText()
    errors = found.errors or ()
    if found.error and not errors:
        return ErrorText(found.error.message or found.error.code or "")
    message = "; ".join(
        f"{error.message} ({error.field})" if error.field else error.message or error.type or "" for error in errors[:3]
    )
    waits = [wait for wait in map(_wait_ms, errors) if wait]
    fields = tuple(error.field for error in errors if error.field)
    return ErrorText(message, max(waits) / 1000 if waits else None, fields)


def _wait_ms(error: _Error) -> float | None:
    """`msBeforeNext`; the data of other errors has any shape."""
    try:
        wait = to_number(msgspec.json.decode(error.data, type=_RateLimit).ms_before_next)
    except (msgspec.DecodeError, RecursionError):
        return None
    return wait if wait is not None and wait > 0 else None
