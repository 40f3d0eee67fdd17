"""Usual webhook: a line that is read, mapped and made an entry in one step, for half the CPU of the general way.

Most lines of an archive of webhooks are usual: nothing in them has to be explained, replaced or withheld. This step
knows no rule of its own. It takes the functions of the general way (`sprig.formats.webhook`, `mapping.Mapper`,
`EntryBuilder`), leaves out the records between them, and leaves every line to it that it is not sure of. Tests make
entries both ways and compare them.
"""

from __future__ import annotations

from msgspec import UNSET, DecodeError, Raw

from sprig_tui.ingest.entries import MAX_LIST_TEXT_CHARS, EntryBuilder, fit_name, preview
from sprig_tui.journal.entry_columns import EntryRow
from sprig_tui.mapping.digest import digest
from sprig_tui.mapping.properties import Properties
from sprig_tui.mapping.records import Rules
from sprig_tui.mapping.sanitize import MAX_SAFE_NUMBER_BYTES, may_hold_huge_number
from sprig_tui.segment.limits import MAX_EVENT_BYTES
from sprig_tui.segment.timestamps import parse_usual_ms
from sprig_tui.segment.track import message_id
from sprig_tui.sprig.formats.detect import try_parse_record
from sprig_tui.sprig.formats.visitor_ids import is_uuid
from sprig_tui.sprig.formats.webhook import WebhookBody, cached_event_kind, decode_body
from sprig_tui.sprig.raw_json import BadFieldError, compact, lift_attributes
from sprig_tui.sprig.records import StudyResponse

_QUOTE = ord('"')
_MAX_SAFE_ID = 1 << 63


class UsualWebhookReader:
    """Makes entries of usual lines as `builder` would, without counting them, and reads the other lines."""

    def __init__(self, builder: EntryBuilder) -> None:
        self._builder = builder
        self._encode_call = builder.mapper.encode_call
        self._is_applicable = _leaves_usual_answers_alone(builder.mapper.rules)

    def read_line(self, raw: bytes, name: str, line: int) -> EntryRow | StudyResponse | None:
        """The entry of a usual line, the response of another one, or None for what `try_parse_record` cannot read."""
        if self._is_applicable and raw.find(b'"eventType"') >= 0 and raw.find(b"\\") < 0:
            try:
                if not raw.isascii():
                    raw.decode()  # msgspec does not check the strings that it skips
                entry = self._entry(raw, decode_body(raw), name, line)
            except (DecodeError, BadFieldError, UnicodeDecodeError, RecursionError):
                return None
            if entry is not None:
                return entry
        return try_parse_record(raw, name, line)

    def _entry(self, raw: bytes, body: WebhookBody, name: str, line: int) -> EntryRow | None:
        """The entry of a usual webhook; None for any other. `raw` has no escapes, so its texts are as they are sent."""
        event, user_id, visitor = body.event_type, body.user_id, body.visitor_id
        answered, survey_id = body.created_at, body.survey_uuid or body.survey_id
        if (
            event is None
            or len(event) > 100
            or cached_event_kind(event) != "answer"
            or not isinstance(user_id, str)
            or not isinstance(visitor, str)
            or not is_uuid(visitor)
            or not isinstance(answered, str)
            or body.updated_at is not None
            or body.deleted_at is not None
            or body.question_id is not None
            or (isinstance(survey_id, int) and survey_id > _MAX_SAFE_ID)
        ):
            return None
        user_id, group, ms = user_id.strip(), body.response_group_uid.strip(), parse_usual_ms(answered)
        route = self._builder.route_of(None, body.environment_id)
        environment = route.environment
        if not user_id or not group or ms is None or ms < 0 or not environment:
            return None
        attributes, reserved, _ = lift_attributes(body.attributes, "attributes")
        response = body.response
        answer = bytes(response)
        is_text = answer[0] == _QUOTE
        if not is_text:
            response = compact(response)
            answer = bytes(response)
        if (isinstance(attributes, Raw) and may_hold_huge_number(attributes)) or (
            not is_text and len(answer) > MAX_SAFE_NUMBER_BYTES and may_hold_huge_number(answer)
        ):
            return None
        question, question_type = body.question, body.question_type
        survey, survey_name, email = "" if survey_id is None else str(survey_id), body.survey_name, body.email
        if len(survey) + len(survey_name or "") + len(user_id) + len(question_type) > MAX_LIST_TEXT_CHARS:
            return None
        identity = message_id(environment, group, question, question_type)
        call = self._encode_call(
            identity,
            user_id,
            Properties(
                survey_name or UNSET,
                UNSET if survey_id is None or survey_id == "" else survey_id,
                UNSET,
                question,
                question_type,
                visitor,
                UNSET,
                group,
                response,
                (email.strip() if email else None) or reserved or UNSET,
                attributes,
                body.triggering_event,
            ),
            answered,
        )
        if len(call) > MAX_EVENT_BYTES:
            return None
        return (
            environment,
            identity,
            digest(answer),
            "",
            route.detail,
            survey,
            survey_name or "",
            user_id,
            question_type,
            "",
            preview(answer),
            ms,
            0,
            fit_name(name),
            line,
            False,
            raw,
            call,
            self._builder.elsewhere.get(environment, ""),
            0,
        )


def _leaves_usual_answers_alone(rules: Rules) -> bool:
    """Whether the properties of a usual answer are sent and stored as they are."""
    changes = rules.omit or rules.hash or rules.hmac or rules.surveys
    return not changes and rules.created_at == "survey" and rules.store_raw == "full"
