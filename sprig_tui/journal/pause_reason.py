"""Pause reasons of a lane: what is stored and decided by, and the one place that puts them into words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct


class PauseReason(StrEnum):
    """Why a lane is not open; the value is what the journal stores and `--json` shows."""

    NONE = ""
    """The lane is open, or nobody said why it is not."""
    KEY_REFUSED = "key_refused"
    """`detail.key`, `detail.status`."""
    WRONG_ENDPOINT = "wrong_endpoint"
    """A response that says the URL is wrong, not the events: `detail.endpoint`, `detail.status` or `detail.error`."""
    RETRY_AFTER = "retry_after"
    """`detail.status`, `detail.asked_ms`."""
    HTTP_ERROR = "http_error"
    """`detail.status`."""
    NOT_SEGMENT = "not_segment"
    """A redirect, a sign-in page, a proxy that wants a password: `detail.status`, `detail.error`."""
    NETWORK_ERROR = "network_error"
    """No response: `detail.error`."""
    MANUAL = "manual"
    """A person paused it: `detail.text` where they said why."""
    OTHER = "other"
    """A sentence of another version that no pattern fits: `detail.text`."""


class PauseDetail(Struct, frozen=True, omit_defaults=True, gc=False):
    """What goes with a reason; each field empty where the reason has no use for it."""

    status: int = 0
    """HTTP status."""
    key: str = ""
    """The write key as it may be shown, such as `Zq8T…e1Rk`; `none` where there was none."""
    endpoint: str = ""
    """Base URL."""
    asked_ms: int = 0
    """How long Segment asked us to wait, milliseconds."""
    error: str = ""
    """In the words of the network, of the HTTP client or of the server: to be shown, never to be read."""
    text: str = ""
    """What a person wrote, or a sentence that was not understood."""


NO_DETAIL = PauseDetail()


def _wrong_endpoint(detail: PauseDetail) -> str:
    said = f"it answers {detail.status}" if detail.status else detail.error
    return f"check the endpoint {detail.endpoint}: {said}"


SENTENCES: Mapping[PauseReason, Callable[[PauseDetail], str]] = MappingProxyType(
    {
        PauseReason.NONE: lambda _: "",
        PauseReason.KEY_REFUSED: lambda detail: f"write key {detail.key} refused ({detail.status})",
        PauseReason.WRONG_ENDPOINT: _wrong_endpoint,
        PauseReason.RETRY_AFTER: lambda detail: f"{detail.status}, Segment asked for {detail.asked_ms / 1000:g} s",
        PauseReason.HTTP_ERROR: lambda detail: str(detail.status),
        PauseReason.NOT_SEGMENT: lambda detail: detail.error,
        PauseReason.NETWORK_ERROR: lambda detail: detail.error,
        PauseReason.MANUAL: lambda detail: detail.text or "by hand",
        PauseReason.OTHER: lambda detail: detail.text,
    }
)
"""Sentence of each reason; nothing reads these but people."""


def manual(state: str, text: str) -> tuple[PauseReason, PauseDetail]:
    """The reason of a lane that a person sets to this state, with what they said."""
    if state == "open":
        return PauseReason.NONE, NO_DETAIL
    return PauseReason.MANUAL, PauseDetail(text=text)


def pause_text(reason: PauseReason, detail: PauseDetail) -> str:
    """The reason in words, for the console, the command line, monitors and the log."""
    return SENTENCES[reason](detail)
