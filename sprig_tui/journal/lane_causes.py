"""Lane causes: the sentences by which journals up to schema 5, and the programs that use them, tell pause reasons.

A frozen format, whatever the sentences of today are: an older program beside ours reads the column `cause` and writes
nothing else, so ours is kept in it, too. Its own reason is `reason` with `detail`, which hold as long as
`reason_epoch` is the lane's `epoch`; where an older program has changed the lane since, `cause` alone holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from sprig_tui.journal.pause_reason import NO_DETAIL, PauseDetail, PauseReason

_BY_HAND = "by hand"
_DETAIL = msgspec.json.Decoder(PauseDetail)

_CAUSES: Mapping[PauseReason, Callable[[PauseDetail], str]] = MappingProxyType(
    {
        PauseReason.NONE: lambda _: "",
        PauseReason.KEY_REFUSED: lambda detail: f"write key {detail.key} refused ({detail.status})",
        PauseReason.WRONG_ENDPOINT: lambda detail: (
            f"check the endpoint {detail.endpoint}: "
            + (f"it answers {detail.status}" if detail.status else detail.error)
        ),
        PauseReason.RETRY_AFTER: lambda detail: f"{detail.status}, Segment asked for {detail.asked_ms / 1000:g} s",
        PauseReason.HTTP_ERROR: lambda detail: str(detail.status),
        PauseReason.NOT_SEGMENT: lambda detail: detail.error,
        PauseReason.NETWORK_ERROR: lambda detail: detail.error,
        PauseReason.MANUAL: lambda detail: detail.text or _BY_HAND,
        PauseReason.OTHER: lambda detail: detail.text,
    }
)

_PATTERNS: tuple[tuple[PauseReason, re.Pattern[str]], ...] = (
    (
        PauseReason.KEY_REFUSED,
        re.compile(r"write key (?P<key>.+) refused \((?P<status>\d+)\)", re.DOTALL),
    ),
    (PauseReason.WRONG_ENDPOINT, re.compile(r"check the endpoint (?P<endpoint>\S+): it answers (?P<status>\d+)")),
    (PauseReason.WRONG_ENDPOINT, re.compile(r"check the endpoint (?P<endpoint>\S+): (?P<error>.*)", re.DOTALL)),
    (PauseReason.RETRY_AFTER, re.compile(r"(?P<status>\d+), Segment asked for (?P<asked>\d+(?:\.\d+)?) s")),
    (PauseReason.HTTP_ERROR, re.compile(r"(?P<status>\d+)")),
    (PauseReason.MANUAL, re.compile(f"(?:paused )?{_BY_HAND}")),
    (PauseReason.NOT_SEGMENT, re.compile(r"(?P<error>redirected to .*: check the endpoint)", re.DOTALL)),
    (PauseReason.NOT_SEGMENT, re.compile(r"(?P<error>http \d+ with a web page: check the endpoint)")),
    (PauseReason.NOT_SEGMENT, re.compile(r"(?P<error>the proxy wants a user and password \(407\))")),
)
"""Every sentence that versions up to schema 5 have written, most special first; the groups are the detail's fields."""


def cause_of(reason: PauseReason, detail: PauseDetail) -> str:
    """The sentence that a program of schema 5 would have written."""
    return _CAUSES[reason](detail)


def reason_of(cause: str, state: str) -> tuple[PauseReason, PauseDetail]:
    """What such a sentence says of a lane in this state; `OTHER` with the text where it fits no pattern."""
    if not cause:
        return (PauseReason.MANUAL if state == "paused" else PauseReason.NONE), NO_DETAIL
    for reason, pattern in _PATTERNS:
        if found := pattern.fullmatch(cause):
            return reason, _detail_in(found.groupdict())
    if state in ("waiting", "probing"):
        # all that is left of what a lane waits for: the network's own words
        return PauseReason.NETWORK_ERROR, PauseDetail(error=cause)
    return PauseReason.OTHER, PauseDetail(text=cause)


def _detail_in(groups: Mapping[str, str]) -> PauseDetail:
    asked_ms = round(float(groups.get("asked", 0)) * 1000)
    texts = {name: groups[name] for name in ("key", "endpoint", "error") if name in groups}
    return PauseDetail(status=int(groups.get("status", 0)), asked_ms=asked_ms, **texts)


def detail_text(detail: PauseDetail) -> str:
    """A detail as the journal stores it."""
    return "" if detail == NO_DETAIL else msgspec.json.encode(detail).decode()


def stored_reason(
    state: str, cause: str, epoch: int, reason: str, detail: str, reason_epoch: int
) -> tuple[PauseReason, PauseDetail]:
    """The reason that the columns of a lane's row tell."""
    if not reason or reason_epoch != epoch:
        return reason_of(cause, state)
    try:
        return PauseReason(reason), _DETAIL.decode(detail) if detail else NO_DETAIL
    except ValueError:
        # of a newer program, which tells an older one what it means in `cause`
        return PauseReason.OTHER, PauseDetail(text=cause)
