"""One valid record of each of Sprig's formats, and reading of bytes as a file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sprig_tui.sprig.reader import read_responses
from sprig_tui.sprig.records import Record

VISITOR = "b3f0b1de-5f6c-4b52-8f8c-0c6a4f1f9a77"
GROUP = "0f4c1c7e-5f0b-4f0e-9a35-8f6f0d2f7b11"


@pytest.fixture
def webhook() -> dict[str, Any]:
    return {
        "id": 41207,
        "environmentId": "QmK7x2dTfa",
        "eventType": "ANSWER_SUBMITTED",
        "createdAt": "2025-03-04T16:21:09.114Z",
        "timestamp": "2025-03-04T16:21:09.300Z",
        "surveyId": 5120,
        "surveyName": "Checkout effort",
        "responseGroupUid": GROUP,
        "question": "How easy was checkout?",
        "questionType": "LIKERT",
        "response": 4,
        "visitorId": VISITOR,
        "userId": "acct_88213",
        "email": "mira@example.com",
        "attributes": {"plan": "team", "company": "Northwind"},
        "triggeringEvent": "Checkout Completed",
    }


@pytest.fixture
def rest() -> dict[str, Any]:
    return {
        "surveyId": 5120,
        "questionId": 90311,
        "questionText": "How easy was checkout?",
        "questionType": "LIKERT",
        "response": 4,
        "responseGroupUid": GROUP,
        "visitorId": 0,
        "visitorUuid": VISITOR,
        "externalUserId": "acct_88213",
        "partnerAnonymousId": "",
        "createdAt": "2025-03-04T16:21:09.114Z",
        "updatedAt": "2025-03-04T16:22:00.000Z",
    }


@pytest.fixture
def flat() -> dict[str, Any]:
    return {
        "environment": "production",
        "userId": "acct_88213",
        "surveyName": "Checkout effort",
        "surveyId": "9b3e6a5e-2f1d-4c8a-9f7b-1d2c3b4a5f60",
        "surveyCreatedAt": "2025-02-20T09:00:00.000Z",
        "question": "How easy was checkout?",
        "questionType": "LIKERT",
        "responseGroupId": GROUP,
        "response": 4,
        "respondedAt": "2025-03-04T16:21:09.114Z",
    }


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., list[Record]]:
    """Reads bytes, or records as JSON Lines, as a file of that name."""

    def read_bytes(content: bytes | list[Any], name: str = "in.jsonl", **options: Any) -> list[Record]:
        if isinstance(content, list):
            content = b"".join(json.dumps(record).encode() + b"\n" for record in content)
        (tmp_path / name).write_bytes(content)
        return list(read_responses([tmp_path / name], **options))

    return read_bytes
