"""Flat records: JSON objects with the field names of Sprig's Segment table."""

from __future__ import annotations

from functools import lru_cache

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from sprig_tui.sprig.formats.visitor_ids import question_id_of, text_or_none, time_of, user_id_of, visitor_ids
from sprig_tui.sprig.raw_json import BadFieldError, compact, lift_attributes
from sprig_tui.sprig.records import Origin, StudyResponse

FLAT_ONLY_FIELDS = frozenset(
    {"responseGroupId", "respondedAt", "surveyCreatedAt", "oldVisitorId", "externalUserId", "environment"}
)
"""Fields that a webhook body never has; a record with `question` and one of them is a flat record."""


class _FlatRecord(Struct, rename="camel", kw_only=True, gc=False):
    question: str
    question_type: str
    response: Raw
    response_group_id: str | UnsetType = UNSET
    response_group_uid: str | UnsetType = UNSET
    user_id: int | str | UnsetType | None = UNSET
    external_user_id: int | str | UnsetType | None = UNSET
    question_id: int | str | None = None
    responded_at: int | str | UnsetType | None = UNSET
    timestamp: int | str | None = None
    updated_at: int | str | None = None
    deleted_at: int | str | None = None
    survey_id: int | str | None = None
    survey_uuid: str | None = None
    survey_name: str | None = None
    survey_created_at: int | str | UnsetType | None = UNSET
    created_at: int | str | None = None
    visitor_id: int | str | None = None
    old_visitor_id: int | str | UnsetType | None = UNSET
    email: str | None = None
    attributes: Raw | UnsetType = UNSET
    triggering_event: str | UnsetType | None = UNSET
    environment: str | UnsetType | None = UNSET
    environment_id: str | None = None
    event_type: Raw | UnsetType = UNSET


_decode = msgspec.json.Decoder(_FlatRecord).decode


def read_record(raw: bytes, origin: Origin) -> StudyResponse:
    """The answer in one flat record.

    Raises msgspec.DecodeError for any other JSON, BadFieldError for an invalid field.
    """
    record = _decode(raw)
    if not _is_flat(record):
        raise BadFieldError("", "not a flat record")
    by_uid = record.response_group_id is UNSET
    group = record.response_group_uid if by_uid else record.response_group_id
    if group is UNSET:
        raise BadFieldError("responseGroupId", "is missing")
    group = group.strip()
    if not group:
        raise BadFieldError("responseGroupUid" if by_uid else "responseGroupId", "is empty")
    user = user_id_of(_id(record.user_id))
    external = user_id_of(_id(record.external_user_id))
    attributes, reserved, _ = lift_attributes(record.attributes, "attributes")
    email = text_or_none(record.email)
    visitor, old_visitor, notes = visitor_ids(record.visitor_id, _id(record.old_visitor_id))
    responded_at, survey_created_at = _time_text(record.responded_at), _time_text(record.survey_created_at)
    return StudyResponse(
        origin,
        raw,
        _paths(
            "responseGroupUid" if by_uid else "responseGroupId",
            "externalUserId" if external and not user else "userId",
            "respondedAt" if responded_at or not record.timestamp else "timestamp",
            "surveyCreatedAt" if survey_created_at or not record.created_at else "createdAt",
            "email" if email or not reserved else 'attributes["!email"]',
            "oldVisitorId" if _id(record.old_visitor_id) or old_visitor is None else "visitorId",
            "surveyUuid" if record.survey_uuid else "surveyId",
        ),
        compact(record.response),
        group,
        record.question,
        record.question_type,
        question_id_of(record.question_id),
        user or external,
        f"externalUserId = {external}" if user and external and external != user else "",
        responded_at or time_of(record.timestamp),
        time_of(record.updated_at),
        time_of(record.deleted_at),
        record.survey_uuid or record.survey_id,
        record.survey_name,
        survey_created_at or time_of(record.created_at),
        visitor,
        old_visitor,
        email or reserved or None,
        attributes,
        record.triggering_event,
        text_or_none(_text(record.environment)),
        record.environment_id,
        notes,
    )


def _is_flat(record: _FlatRecord) -> bool:
    """Whether the record has a field that a webhook body never has (see FLAT_ONLY_FIELDS)."""
    return record.event_type is UNSET and (
        record.response_group_id is not UNSET
        or record.responded_at is not UNSET
        or record.survey_created_at is not UNSET
        or record.old_visitor_id is not UNSET
        or record.external_user_id is not UNSET
        or record.environment is not UNSET
    )


def _id(value: int | str | UnsetType | None) -> int | str | None:
    return None if value is UNSET else value


def _text(value: str | UnsetType | None) -> str | None:
    return None if value is UNSET else value


def _time_text(value: int | str | UnsetType | None) -> str | None:
    return None if value is UNSET else time_of(value)


@lru_cache(maxsize=256)
def _paths(
    group: str, user_id: str, answered_at: str, created_at: str, email: str, old_visitor_id: str, survey_id: str
) -> dict[str, str]:
    return {
        "response": "response",
        "response_group_id": group,
        "question": "question",
        "question_type": "questionType",
        "question_id": "questionId",
        "user_id": user_id,
        "answered_at": answered_at,
        "updated_at": "updatedAt",
        "deleted_at": "deletedAt",
        "survey_id": survey_id,
        "survey_name": "surveyName",
        "survey_created_at": created_at,
        "visitor_id": "visitorId",
        "old_visitor_id": old_visitor_id,
        "email": email,
        "attributes": "attributes",
        "triggering_event": "triggeringEvent",
        "environment": "environment",
        "environment_id": "environmentId",
    }
