"""Properties of a track call, in the order of Sprig's table, made from a response."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UNSET, Struct

from sprig_tui.mapping.records import Rules, Survey, Value
from sprig_tui.segment.timestamps import parse_instant
from sprig_tui.sprig.records import StudyResponse

_NO_SURVEY = Survey()


class Properties(Struct, frozen=True, rename="camel", gc=False):
    """The `properties` object of a call: UNSET leaves a field out, None sends null."""

    survey_name: Any
    survey_id: Any
    created_at: Any
    question: Any
    question_type: Any
    visitor_id: Any
    old_visitor_id: Any
    response_group_id: Any
    response: Any
    email: Any
    attributes: Any
    triggering_event: Any


PROPERTY_PATHS = tuple(f"properties.{name}" for name in Properties.__struct_encode_fields__)
"""Path of each property, in the table's order."""


def property_maker(rules: Rules) -> Callable[[StudyResponse], Properties]:
    """A function that makes the properties of a response, before anything is omitted or hashed.

    It runs for every delivery, so it is one plain function that fills the fields by position.
    """
    catalogue, by_answer = rules.surveys, rules.created_at == "response"

    def properties(response: StudyResponse) -> Properties:
        known = catalogue.get(str(response.survey_id), _NO_SURVEY) if catalogue else _NO_SURVEY
        created: Any
        if by_answer:
            created = _answered_at(response)
        else:
            created = response.survey_created_at or known.created_at or UNSET
            if created is not UNSET and created.isdigit():
                instant = parse_instant(created)
                created = created if instant is None else instant.text
        return Properties(
            response.survey_name or known.name or UNSET,
            UNSET if response.survey_id is None or response.survey_id == "" else response.survey_id,
            created,
            response.question,
            response.question_type,
            response.visitor_id or UNSET,
            # zero is Sprig's placeholder for none (facts/sprig.md 8.2)
            UNSET if response.old_visitor_id in {None, 0, "", "0"} else response.old_visitor_id,
            response.response_group_id,
            response.response,
            response.email or UNSET,
            response.attributes,
            response.triggering_event,
        )

    return properties


def _answered_at(response: StudyResponse) -> Value:
    instant = parse_instant(response.answered_at or "")
    return UNSET if instant is None else instant.text
