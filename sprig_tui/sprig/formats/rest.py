"""REST records of `GET /v1/responses`, with or without snapshots, URLs, metadata and deleted answers."""

from __future__ import annotations

from functools import lru_cache

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from sprig_tui.sprig.formats.visitor_ids import (
    is_number,
    question_id_of,
    text_or_none,
    time_of,
    user_id_of,
    visitor_ids,
)
from sprig_tui.sprig.raw_json import BadFieldError, compact, lift_attributes
from sprig_tui.sprig.records import Origin, StudyResponse


class _Snapshot(Struct, rename="camel", gc=False):
    attributes: Raw | UnsetType = UNSET
    misspelt: Raw | UnsetType = field(default=UNSET, name="attribtues")  # so in Sprig's own schema
    triggering_event: str | UnsetType | None = UNSET
    external_user_id: int | str | None = None


class _RestRecord(Struct, rename="camel", kw_only=True, gc=False):
    question_text: str
    question_type: str
    response_group_uid: str
    response: Raw
    survey_id: int | str | None = None
    survey_uuid: str | None = None
    survey_name: str | None = None
    question_id: int | str | None = None
    visitor_id: int | str | None = None
    visitor_uuid: str | None = None
    external_user_id: int | str | None = None
    partner_anonymous_id: int | str | None = None
    created_at: int | str | None = None
    updated_at: int | str | None = None
    deleted_at: int | str | None = None
    visitor_snapshot: _Snapshot | None = None
    visitor_snapshots: _Snapshot | None = None
    event_type: Raw | UnsetType = UNSET
    theme: Raw | UnsetType = UNSET


_decode = msgspec.json.Decoder(_RestRecord).decode
_NO_SNAPSHOT = _Snapshot()


def read_record(raw: bytes, origin: Origin) -> StudyResponse:
    """The answer in one REST record.

    Raises msgspec.DecodeError for any other JSON, BadFieldError for an invalid field.
    """
    record = _decode(raw)
    if record.event_type is not UNSET or record.theme is not UNSET:
        raise BadFieldError("", "not a response record")
    group = record.response_group_uid.strip()
    if not group:
        raise BadFieldError("responseGroupUid", "is empty")
    key = "visitorSnapshot" if record.visitor_snapshot or not record.visitor_snapshots else "visitorSnapshots"
    snapshot = record.visitor_snapshot or record.visitor_snapshots or _NO_SNAPSHOT
    misspelt = snapshot.attributes is UNSET
    raw_attributes = snapshot.misspelt if misspelt else snapshot.attributes
    place = f"{key}.attribtues" if misspelt and raw_attributes is not UNSET else f"{key}.attributes"
    attributes, reserved, email = lift_attributes(raw_attributes, place)
    if record.visitor_uuid:
        old = record.visitor_id if is_number(record.visitor_id) else None
        visitor, old_visitor, notes = visitor_ids(record.visitor_uuid, old)
    else:
        visitor, old_visitor, notes = visitor_ids(record.visitor_id)
    user = user_id_of(record.external_user_id)
    return StudyResponse(
        origin,
        raw,
        _paths(
            key,
            place,
            "!email" if reserved or not email else "email",
            "visitorUuid" if record.visitor_uuid else "visitorId",
            "surveyUuid" if record.survey_uuid else "surveyId",
        ),
        compact(record.response),
        group,
        record.question_text,
        record.question_type,
        question_id_of(record.question_id),
        user,
        _user_id_hint(user, key, snapshot, record.partner_anonymous_id),
        time_of(record.created_at),
        time_of(record.updated_at),
        time_of(record.deleted_at),
        record.survey_uuid or record.survey_id,
        record.survey_name,
        None,  # creation time of the survey: only in the catalogue
        visitor,
        old_visitor,
        reserved or text_or_none(email),
        attributes,
        snapshot.triggering_event,
        None,  # environment, by name and by id: given by the API key
        None,
        notes,
    )


def _user_id_hint(user: str | None, key: str, snapshot: _Snapshot, partner: int | str | None) -> str:
    """Another id in the record: the user id at the time of the survey, or Segment's anonymous id."""
    earlier_user = user_id_of(snapshot.external_user_id)
    if earlier_user and earlier_user != user:
        return f"{key}.externalUserId = {earlier_user}"
    if user is None and (anonymous := user_id_of(partner)):
        return f"partnerAnonymousId = {anonymous}"
    return ""


@lru_cache(maxsize=64)
def _paths(snapshot: str, attributes: str, email: str, visitor: str, survey_id: str) -> dict[str, str]:
    return {
        "response": "response",
        "response_group_id": "responseGroupUid",
        "question": "questionText",
        "question_type": "questionType",
        "question_id": "questionId",
        "user_id": "externalUserId",
        "answered_at": "createdAt",
        "updated_at": "updatedAt",
        "deleted_at": "deletedAt",
        "survey_id": survey_id,
        "survey_name": "surveyName",
        "visitor_id": visitor,
        "old_visitor_id": "visitorId",
        "email": f'{attributes}["!email"]' if email == "!email" else f"{attributes}.email",
        "attributes": attributes,
        "triggering_event": f"{snapshot}.triggeringEvent",
    }
