"""What an HTTP status means for the batch, for its events, and for the lane; pure."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

Kind = Literal["delivered", "refused", "retry", "key-refused"]
"""The outcome classes of a request; `Attempt.outcome` holds the same words."""


class Outcome(Struct, frozen=True, kw_only=True):
    """The meaning of one answer, or of none."""

    kind: Kind
    bisect: bool = False
    """Whether a batch that was refused is worth splitting: the fault may lie in one of its events or in its size."""
    endpoint_fault: bool = False
    """The address does not answer as Segment does (wrong URL, proxy, sign-in page): no event is to blame. The lane
    should pause or wait for a person rather than fail event after event."""


DELIVERED: Final = Outcome(kind="delivered")
KEY_REFUSED: Final = Outcome(kind="key-refused")
RETRY: Final = Outcome(kind="retry")
REFUSED_CONTENT: Final = Outcome(kind="refused", bisect=True)
REFUSED_ENDPOINT: Final = Outcome(kind="refused", endpoint_fault=True)
NOT_SEGMENT: Final = Outcome(kind="retry", endpoint_fault=True)
NO_ANSWER: Final = RETRY
"""Network errors and timeouts: the request may or may not have arrived; the message id makes repeating harmless."""

_BY_STATUS: Final = {
    # What was sent is at fault: Segment answers 400 to broken JSON and to oversize; 413 and 422 come from proxies.
    **dict.fromkeys((400, 413, 422), REFUSED_CONTENT),
    **dict.fromkeys((401, 403), KEY_REFUSED),
    # The 4xx that the official clients repeat, and the 5xx that they never do.
    **dict.fromkeys((408, 410, 429, 460), RETRY),
    **dict.fromkeys((501, 505), REFUSED_ENDPOINT),
    # A network's sign-in page, and a proxy that wants a password.
    **dict.fromkeys((407, 511), NOT_SEGMENT),
}
_BY_FAMILY: Final = {2: DELIVERED, 4: REFUSED_ENDPOINT, 5: RETRY}


def classify(status: int) -> Outcome:
    """The meaning of a final HTTP status; follows the official clients' shared rules (2026).

    | status             | kind        |                                                                           |
    |--------------------|-------------|---------------------------------------------------------------------------|
    | 2xx                | delivered   | whatever the body says: Segment's clients never read it                   |
    | 401, 403           | key-refused |                                                                           |
    | 400, 413, 422      | refused     | bisect                                                                    |
    | 408, 410, 429, 460 | retry       |                                                                           |
    | 407                | retry       | endpoint fault: it is the proxy that wants a user and password            |
    | other 4xx          | refused     | endpoint fault: 404 or 405 is a wrong URL, 415 not Segment                |
    | 501, 505           | refused     | endpoint fault                                                            |
    | other 5xx          | retry       | 511 is a network's sign-in page: endpoint fault as well                   |
    | 3xx                | retry       | endpoint fault, never followed: a wrong URL or a sign-in page; both pass, |
    |                    |             | and nothing is lost meanwhile                                             |
    | 1xx, 600 and above | retry       | endpoint fault                                                            |
    """
    return _BY_STATUS.get(status) or _BY_FAMILY.get(status // 100, NOT_SEGMENT)
