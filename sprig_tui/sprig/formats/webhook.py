"""Webhook bodies: Answer Submitted events are read, other events are recognised by `eventType`."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from sprig_tui.sprig.formats.visitor_ids import question_id_of, text_or_none, time_of, user_id_of, visitor_ids
from sprig_tui.sprig.raw_json import BadFieldError, compact, lift_attributes
from sprig_tui.sprig.records import Note, Origin, StudyResponse

EventKind = Literal["answer", "test", "other", "unknown"]

OTHER_EVENTS = {
    "studysubmitted": "study submitted",
    "studysent": "study sent",
    "studyseen": "study seen",
    "themeidentified": "theme identified",
    "studystatuschanged": "study status changed",
}
"""Documented events that are not answers, by their normalised spelling."""


class WebhookBody(Struct, rename="camel", kw_only=True, gc=False):
    """The members of a webhook body that are read."""

    response_group_uid: str
    question: str
    question_type: str
    response: Raw
    event_type: str | None = None
    environment_id: str | None = None
    created_at: int | str | None = None
    timestamp: int | str | None = None
    updated_at: int | str | None = None
    deleted_at: int | str | None = None
    survey_id: int | str | None = None
    survey_uuid: str | None = None
    survey_name: str | None = None
    question_id: int | str | None = None
    visitor_id: int | str | None = None
    user_id: int | str | None = None
    external_user_id: int | str | None = None
    email: str | None = None
    attributes: Raw | UnsetType = UNSET
    triggering_event: str | None = None


decode_body = msgspec.json.Decoder(WebhookBody).decode


def read_answer(raw: bytes, origin: Origin) -> StudyResponse:
    """The answer in one webhook body.

    Raises msgspec.DecodeError for any other JSON, BadFieldError for an invalid field.
    """
    body = decode_body(raw)
    spelling = body.event_type
    kind = cached_event_kind(spelling) if spelling is None or len(spelling) <= 100 else event_kind(spelling)
    if kind in ("test", "other"):
        raise BadFieldError("eventType", "not an answer")
    group = body.response_group_uid.strip()
    if not group:
        raise BadFieldError("responseGroupUid", "is empty")
    attributes, reserved, _ = lift_attributes(body.attributes, "attributes")
    visitor, old_visitor, notes = visitor_ids(body.visitor_id)
    user = user_id_of(body.user_id)
    email = text_or_none(body.email)
    answered_at = body.created_at or body.timestamp
    return StudyResponse(
        origin,
        raw,
        _paths(
            "createdAt" if body.created_at or not body.timestamp else "timestamp",
            "email" if email or not reserved else 'attributes["!email"]',
            "surveyUuid" if body.survey_uuid else "surveyId",
        ),
        compact(body.response),
        group,
        body.question,
        body.question_type,
        question_id_of(body.question_id),
        user,
        "" if user or not body.external_user_id else f"externalUserId = {body.external_user_id}",
        answered_at if isinstance(answered_at, str) else time_of(answered_at),
        None if body.updated_at is None else time_of(body.updated_at),
        None if body.deleted_at is None else time_of(body.deleted_at),
        body.survey_uuid or body.survey_id,
        body.survey_name,
        None,  # creation time of the survey: only in the catalogue
        visitor,
        old_visitor,
        email or reserved or None,
        attributes,
        body.triggering_event,
        None,  # environment by name: webhooks have its id
        body.environment_id,
        notes if kind == "answer" or body.event_type is None else (*notes, Note.UNKNOWN_EVENT),
    )


def event_key(event_type: str) -> str:
    """`eventType` without case and punctuation, since Sprig publishes only the spelling `TEST` (facts/sprig.md 1)."""
    return "".join(letter for letter in event_type.casefold() if letter.isalnum())


def event_kind(event_type: str | None) -> EventKind:
    """The kind of a body with this `eventType`; for `unknown`, the body's fields decide."""
    key = event_key(event_type or "")
    if key == "answersubmitted":
        return "answer"
    if key == "test":
        return "test"
    return "other" if key in OTHER_EVENTS else "unknown"


cached_event_kind = lru_cache(maxsize=64)(event_kind)  # a file has few spellings; long ones are not cached


@lru_cache(maxsize=16)
def _paths(answered_at: str, email: str, survey_id: str) -> dict[str, str]:
    return {
        "response": "response",
        "response_group_id": "responseGroupUid",
        "question": "question",
        "question_type": "questionType",
        "question_id": "questionId",
        "user_id": "userId",
        "answered_at": answered_at,
        "updated_at": "updatedAt",
        "deleted_at": "deletedAt",
        "survey_id": survey_id,
        "survey_name": "surveyName",
        "visitor_id": "visitorId",
        "old_visitor_id": "visitorId",
        "email": email,
        "attributes": "attributes",
        "triggering_event": "triggeringEvent",
        "environment_id": "environmentId",
    }
