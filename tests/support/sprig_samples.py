"""Surveys and answers as Sprig's specification shows them, invented (facts/sprig.md 2 and 3)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

START = 1_772_355_600_000  # 2026-03-01T09:00:00Z


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def survey(number: int, name: str = "", **changed: Any) -> dict[str, Any]:
    created = START - 86_400_000 * (number % 300 + 1)
    return {
        "id": number,
        "name": name or f"Study {number}",
        "status": "IN_PROGRESS",
        "platform": "web",
        "type": "in-product",
        "createdAt": iso(created),
        "updatedAt": iso(created + 5_000),
        "launchedAt": iso(created + 10_000),
        "completedAt": None,
        "totalResponseLimit": None,
        "questions": [
            {
                "id": 90_311,
                "questionText": "How easy was checkout?",
                "type": "LIKERT",
                "options": [],
                "routingOptions": [],
            }
        ],
        "constraints": [],
        **changed,
    }


ANSWERS: tuple[tuple[str, str, Any, dict[str, Any]], ...] = (
    ("LIKERT", "How easy was checkout?", 4, {}),
    ("NPS", "How likely are you to recommend us?", 9, {}),
    ("OPEN", "What slowed you down?", "The address form, 住所 🙂", {}),
    ("MULTIPLECHOICE", "Which plan do you use?", "Team", {"selectedIndexes": 1}),
    ("MULTIPLESELECT", "What did you use today?", "Reports, Search", {"selectedIndexes": [0, 3]}),
    ("MATRIX", "Rate each area", {"Speed": "Good", "Price": None}, {}),
    ("RANKORDER", "Order these", {"Speed": 1, "Price": 2}, {"partnerAnonymousId": ""}),
    ("MAXDIFF", "Best and worst", [[{"id": 1, "option": "Speed", "selected": "left"}]], {"partnerAnonymousId": ""}),
    ("CONSENTLEGAL", "Do you agree?", {"submitted": True}, {}),
    ("TEXTURLPROMPT", "Read this", None, {}),
)


def response(number: int, ms: int | None = None, **changed: Any) -> dict[str, Any]:
    """One record as the examples of the specification have it; `visitorSnapshot` stays out unless asked for."""
    kind, question, answer, more = ANSWERS[number % len(ANSWERS)]
    created = START + number * 1_000 if ms is None else ms
    return {
        "surveyId": 5120 + number % 3,
        "questionId": 90_300 + number % len(ANSWERS),
        "questionText": question,
        "questionType": kind,
        "response": answer,
        **more,
        "responseGroupUid": str(uuid.UUID(int=0x0F4C1C7E << 96 | number)),
        "visitorId": 0,
        "visitorUuid": str(uuid.UUID(int=0xB3F0B1DE << 96 | number)),
        "externalUserId": f"acct_{number}",
        "createdAt": iso(created),
        "updatedAt": iso(created),
        **changed,
    }


def snapshot(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "visitorId": record.get("visitorUuid"),
        "externalUserId": record.get("externalUserId"),
        "responseGroupUid": record.get("responseGroupUid"),
        "triggeringEvent": "Checkout Completed",
        "attributes": {"plan": "team", "!email": f"{record.get('externalUserId') or 'nobody'}@example.com"},
        "events": {},
        "eventProperties": {},
    }
