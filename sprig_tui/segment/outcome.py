"""Outcome classes of a request to Segment, and the texts of its errors.

Separate from the client, so that the log and the console can show outcomes without loading an HTTP library.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

OutcomeKind = Literal["delivered", "refused", "retry", "key-refused"]
"""The outcome classes of a request; `Attempt.outcome` holds the same words."""


class Outcome(Struct, frozen=True, kw_only=True):
    """Meaning of one response, or of a missing one."""

    kind: OutcomeKind
    bisect: bool = False
    """Whether to split the rejected batch: one of its events, or its size, may be the cause."""
    endpoint_fault: bool = False
    """The address does not respond as Segment does (wrong URL, proxy, sign-in page), so no event is the cause. The
    lane pauses or waits for the user instead of failing each event."""
    final: bool = False
    """Whether the events fail without a retry although the endpoint is the cause."""


def plain_error(status: int) -> str:
    """The error of a response that has only a status."""
    return f"http {status}"


DELIVERED: Final = Outcome(kind="delivered")
KEY_REFUSED: Final = Outcome(kind="key-refused")
RETRY: Final = Outcome(kind="retry")
REFUSED_CONTENT: Final = Outcome(kind="refused", bisect=True)
REFUSED_ENDPOINT: Final = Outcome(kind="refused", endpoint_fault=True)
SIGN_IN_REQUIRED: Final = Outcome(kind="refused", endpoint_fault=True, final=True)
NOT_SEGMENT: Final = Outcome(kind="retry", endpoint_fault=True)
NO_RESPONSE: Final = RETRY
"""Network errors and timeouts. The request may have arrived; the message id makes a retry safe."""

_BY_STATUS: Final = {
    # The request is the cause: Segment answers 400 to invalid JSON and oversize; 413 and 422 come from proxies.
    **dict.fromkeys((400, 413, 422), REFUSED_CONTENT),
    **dict.fromkeys((401, 403), KEY_REFUSED),
    # The 4xx that the official clients retry, and the 5xx that they never retry.
    **dict.fromkeys((408, 410, 429, 460), RETRY),
    **dict.fromkeys((501, 505), REFUSED_ENDPOINT),
    # A proxy that requires a password.
    407: NOT_SEGMENT,
    # 511 is retried only by clients that can fetch a new OAuth token first.
    511: SIGN_IN_REQUIRED,
}
_BY_STATUS_WITH_OAUTH: Final = {**_BY_STATUS, 511: RETRY}
_BY_FAMILY: Final = {2: DELIVERED, 4: REFUSED_ENDPOINT, 5: RETRY}


def classify(status: int, *, web_page: bool = False, oauth: bool = False) -> Outcome:
    """The meaning of a final HTTP status; follows the official clients' shared rules (2026).

    `web_page` means that the body is HTML. Segment answers JSON, so a 2xx with a page comes from a proxy or a network
    that requires a sign-in, and nothing was delivered. `oauth` means that the request had an OAuth token, and that a
    new one did not help.

    | status             | kind        |                                                                           |
    |--------------------|-------------|---------------------------------------------------------------------------|
    | 2xx                | delivered   | whatever its JSON says: Segment's clients never read it                   |
    | 2xx, a web page    | retry       | endpoint fault: not Segment's answer                                      |
    | 401, 403           | key-refused |                                                                           |
    | 400, 413, 422      | refused     | bisect                                                                    |
    | 408, 410, 429, 460 | retry       |                                                                           |
    | 407                | retry       | endpoint fault: the proxy requires a user and password                    |
    | other 4xx          | refused     | endpoint fault: 404 or 405 is a wrong URL, 415 not Segment                |
    | 501, 505           | refused     | endpoint fault                                                            |
    | 511                | refused     | endpoint fault, final: only a client with OAuth could retry it            |
    | 511, with OAuth    | retry       |                                                                           |
    | other 5xx          | retry       |                                                                           |
    | 3xx                | retry       | endpoint fault, never followed: a wrong URL or a sign-in page             |
    | 1xx, 600 and above | retry       | endpoint fault                                                            |
    """
    if web_page and 200 <= status < 300:
        return NOT_SEGMENT
    return (_BY_STATUS_WITH_OAUTH if oauth else _BY_STATUS).get(status) or _BY_FAMILY.get(status // 100, NOT_SEGMENT)


_SENTENCES = {
    "invalid_json": "Segment could not read the request as JSON",
    "invalid_request": "Segment found the request incomplete or of the wrong form",
    "message_too_large": "Segment takes no event of this size",
}


def error_sentence(error: str) -> str:
    """Such as `Segment could not read the request as JSON (invalid_json)`; an unknown code stays as it is."""
    sentence = _SENTENCES.get(error)
    return f"{sentence} ({error})" if sentence else error
