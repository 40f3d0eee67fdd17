"""Why a delivery is withheld: the one list that reading, mapping and the journal share."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """A withheld delivery's reason; the value is what the journal stores and filters match."""

    __hash__ = str.__hash__  # Enum's own is a function in Python, and deliveries are counted by this

    ANONYMOUS = "anonymous"
    TEST_WEBHOOK = "test-webhook"
    NOT_AN_ANSWER = "not-an-answer"
    DELETED = "deleted-in-sprig"
    ENVIRONMENT_UNKNOWN = "environment-unknown"
    POSSIBLE_DUPLICATE = "possible-duplicate"
    NEWER_REVISION = "newer-revision"
    INVALID = "invalid"
    TOO_LARGE = "too-large"
    WITHDRAWN = "withdrawn"


_LABELS = {
    Reason.ANONYMOUS: "no User ID",
    Reason.TEST_WEBHOOK: "Sprig's test webhook",
    Reason.NOT_AN_ANSWER: "not an answer",
    Reason.DELETED: "deleted in Sprig",
    Reason.ENVIRONMENT_UNKNOWN: "environment unknown",
    Reason.POSSIBLE_DUPLICATE: "possible duplicate",
    Reason.NEWER_REVISION: "newer revision",
    Reason.TOO_LARGE: "too large",
}


def reason_label(reason: str) -> str:
    """The reason as one would say it; one of another version as it is."""
    return _LABELS.get(Reason(reason), reason) if reason in set(Reason) else reason
