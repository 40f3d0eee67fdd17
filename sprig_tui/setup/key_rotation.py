"""Rotation of a Write Key: a further key for the source of the present one, and what Segment counted since the switch.

Segment has no request that replaces a key. A further one is made, what sends is switched to it, counts show that it
works, and the old one is removed by a person in Segment: the API would want it in a URL, where secrets are logged.
Both keys work until then, so nothing is lost in between. Facts: guided set-up; Segment's support article on a second
Write Key says that the first stays valid until it is deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from sprig_tui.errors import SegmentApiError, SegmentApiUnreachableError, SegmentWriteUnknownError
from sprig_tui.segment.metrics import Granularity
from sprig_tui.segment.public_api import PublicApiClient
from sprig_tui.segment.public_api_models import Source
from sprig_tui.text import one_line

VOLUME_LAG_MS = 60_000
"""How far behind the clock Segment's counts are asked for."""
_MINUTE_MS = 60_000


class RotationFault(StrEnum):
    """Why there is no new key, or why that is not known."""

    GONE = "gone"
    """The source is not in the workspace any more."""
    PERMISSION = "permission"
    NOT_OFFERED = "not-offered"
    """The route is not there; it is an alpha feature."""
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    """Whether a key was made is not known."""
    AMBIGUOUS = "ambiguous"
    """Several keys were made at the same time."""
    REJECTED = "rejected"


class KeyRotationError(SegmentApiError):
    """No new key is in use; `fault` says whether one may have been made."""

    def __init__(
        self,
        fault: RotationFault,
        message: str,
        *,
        hint: str = "",
        cause: SegmentApiError | None = None,
        is_pasteable: bool = False,
    ) -> None:
        super().__init__(
            message, hint=hint, status=cause.status if cause else 0, request=cause.request if cause else ""
        )
        if cause is not None:
            self.exit_code = cause.exit_code
        self.fault = fault
        self.is_pasteable = is_pasteable
        """Whether the hint ends in pasting a key; how that is asked for is another thing in each place."""


class NewKey(Struct, frozen=True, kw_only=True):
    """A key that was made."""

    write_key: str
    source: Source
    found: bool = False
    """Whether the request that made it got no answer, and the key was found afterwards."""

    def __repr__(self) -> str:
        # the key must not reach a log
        return f"NewKey({self.source!r}, found={self.found})"


class SourceCount(Struct, frozen=True, kw_only=True):
    """How often a source got an event."""

    source_id: str
    source_name: str
    total: int


def api_keys_place(source_name: str) -> str:
    """Where a person finds the keys of a source in Segment, in Segment's words."""
    return one_line(f"Connections > Sources > {source_name} > Settings > API Keys")


async def make_key(api: PublicApiClient, source_id: str) -> NewKey:
    """Make a further key for a source; raises KeyRotationError.

    The request is sent once. Without an answer the keys of the source are compared with those before it.
    """
    try:
        before = await api.source(source_id)
    except SegmentApiError as error:
        raise KeyRotationError(
            _fault_of(error), f"no key was made: {error.message}", hint=error.hint, cause=error
        ) from error
    if before is None:
        raise KeyRotationError(RotationFault.GONE, "no key was made: the source is not in the workspace any more")
    try:
        after = await api.add_write_key(source_id)
    except SegmentWriteUnknownError as error:
        return await _find_after_silence(api, before, error)
    except SegmentApiError as error:
        raise _rejection(before, error) from error
    return _new_key(before, after, found=False)


async def _find_after_silence(api: PublicApiClient, before: Source, error: SegmentWriteUnknownError) -> NewKey:
    place = api_keys_place(before.name)
    try:
        after = await api.source(before.id)
    except SegmentApiError as second:
        raise KeyRotationError(
            RotationFault.UNKNOWN,
            f"whether a key was made is not known: {error.message}; and looking for it failed: {second.message}",
            hint=f"look in Segment: {place}; a key too many can be removed there",
            cause=second,
        ) from second
    if after is None or set(after.write_keys) <= set(before.write_keys):
        raise KeyRotationError(
            RotationFault.UNREACHABLE,
            f"Segment gave no usable answer, and shows no new key of {one_line(before.name)}: {error.message}",
            hint=f"try again in a minute, and look in Segment before: {place}",
            cause=error,
        ) from error
    return _new_key(before, after, found=True)


def _new_key(before: Source, after: Source, *, found: bool) -> NewKey:
    new = [key for key in dict.fromkeys(after.write_keys) if key not in before.write_keys]
    place = api_keys_place(before.name)
    if len(new) == 1:
        return NewKey(write_key=new[0], source=after, found=found)
    if new:
        raise KeyRotationError(
            RotationFault.AMBIGUOUS,
            f"{one_line(before.name)} got {len(new)} new keys at the same time, and which is ours is not known",
            hint=f"look in Segment: {place}; then paste one",
            is_pasteable=True,
        )
    raise KeyRotationError(
        RotationFault.UNKNOWN,
        f"Segment accepted the request, and its answer shows no new key of {one_line(before.name)}",
        hint=f"look in Segment: {place}; then paste the key",
        is_pasteable=True,
    )


def _fault_of(error: SegmentApiError) -> RotationFault:
    if isinstance(error, SegmentApiUnreachableError):
        return RotationFault.UNREACHABLE
    known = {401: RotationFault.PERMISSION, 403: RotationFault.PERMISSION, 404: RotationFault.NOT_OFFERED}
    return known.get(error.status, RotationFault.REJECTED)


def _rejection(source: Source, error: SegmentApiError) -> KeyRotationError:
    by_hand = f"press Generate New Key in Segment ({api_keys_place(source.name)}), and paste that key"
    hints = {
        RotationFault.PERMISSION: f"a token with the role of Workspace Owner or Source Admin may; or {by_hand}",
        RotationFault.NOT_OFFERED: f"Segment calls this feature an alpha, which a workspace may lack: {by_hand}",
        RotationFault.UNREACHABLE: error.hint,
        RotationFault.REJECTED: by_hand,
    }
    fault = _fault_of(error)
    return KeyRotationError(
        fault,
        f"no key was made: {error.message}",
        hint=hints[fault],
        cause=error,
        is_pasteable=fault is not RotationFault.UNREACHABLE,
    )


async def counted_since(
    api: PublicApiClient, since: int, now: int, events: Sequence[str]
) -> tuple[SourceCount, ...] | None:
    """How often each source got these events since the minute of `since`; None while it is too early to ask.

    Times are ms since 1970 UTC, `since` at most 4 hours ago. A count does not say which of a source's keys was used.
    Raises SegmentApiError.
    """
    start, end = since // _MINUTE_MS * _MINUTE_MS, now - VOLUME_LAG_MS
    if end <= since:
        return None
    rows = await api.event_volume(
        start=start, end=end, granularity=Granularity.MINUTE, event_names=events, group_by=("source",)
    )
    totals: dict[str, SourceCount] = {}
    for row in rows:
        before = totals.get(row.source_id)
        total = row.total + (before.total if before else 0)
        totals[row.source_id] = SourceCount(source_id=row.source_id, source_name=row.source_name, total=total)
    return tuple(count for count in totals.values() if count.total)
