"""One typical answer, which tests change as needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Raw

from sprig_tui.sprig.records import Origin, StudyResponse

NOW = 1_800_000_000_000
Make = Callable[..., StudyResponse]


@pytest.fixture(scope="session")
def make() -> Make:
    """A StudyResponse as a webhook gives it; keyword arguments change attributes, `response` takes JSON bytes."""

    def build(**changes: Any) -> StudyResponse:
        attributes: dict[str, Any] = {
            "origin": Origin("webhooks.jsonl", "webhook", 1),
            "raw": b'{"id":41207}',
            "paths": {
                "user_id": "userId",
                "survey_name": "surveyName",
                "survey_id": "surveyId",
                "question": "question",
                "question_type": "questionType",
                "visitor_id": "visitorId",
                "response_group_id": "responseGroupUid",
                "response": "response",
                "email": "email",
                "attributes": "attributes",
                "triggering_event": "triggeringEvent",
                "answered_at": "createdAt",
            },
            "response": b"4",
            "response_group_id": "0f4c1c7e-5f0b-4f0e-9a35-8f6f0d2f7b11",
            "question": "How easy was checkout?",
            "question_type": "LIKERT",
            "user_id": "acct_88213",
            "answered_at": "2025-03-04T16:21:09.114Z",
            "survey_id": 5120,
            "survey_name": "Checkout effort",
            "visitor_id": "b3f0b1de-5f6c-4b52-8f8c-0c6a4f1f9a77",
            "email": "mira@example.com",
            "attributes": Raw(b'{"plan":"team","company":"Northwind"}'),
            "triggering_event": "Checkout Completed",
            **changes,
        }
        if isinstance(attributes["response"], bytes):
            attributes["response"] = Raw(attributes["response"])
        return StudyResponse(**attributes)

    return build
