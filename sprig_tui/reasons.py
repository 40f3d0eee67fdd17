"""Reasons for withholding a delivery, shared by reading, mapping and the journal."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Reason of a withheld delivery; the journal stores its value, and filters match it."""

    __hash__ = str.__hash__  # faster than Enum's, which is written in Python; deliveries are counted by reason

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
    SUPPRESSED = "suppressed"
    FORGOTTEN = "forgotten"


_LABELS = {
    Reason.ANONYMOUS: "no User ID",
    Reason.TEST_WEBHOOK: "Sprig's test webhook",
    Reason.NOT_AN_ANSWER: "not an answer",
    Reason.DELETED: "deleted in Sprig",
    Reason.ENVIRONMENT_UNKNOWN: "environment unknown",
    Reason.POSSIBLE_DUPLICATE: "possible duplicate",
    Reason.NEWER_REVISION: "newer revision",
    Reason.TOO_LARGE: "too large",
    Reason.SUPPRESSED: "suppressed in Segment",
    Reason.FORGOTTEN: "forgotten person",
}


def reason_label(reason: str) -> str:
    """The reason for people; an unknown one, of another version, stays as it is."""
    return _LABELS.get(Reason(reason), reason) if reason in set(Reason) else reason
