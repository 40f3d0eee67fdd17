"""Records with plausible contents: journal entries, workers, and answers in two of the input formats."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from sprig_tui.journal.records import Delivery, NewDelivery, State, WorkerInfo
from sprig_tui.segment.track import message_id


def make_entry(number: int, environment: str = "production", **fields: Any) -> NewDelivery:
    """An answer that can be sent; each number is another one."""
    identity = fields.get("message_id") or message_id(environment, f"group-{number}", "How easy?", "LIKERT")
    default = NewDelivery(
        environment=environment,
        message_id=identity,
        survey_id="5120",
        survey_name="Checkout effort",
        user_id=f"acct_{number}",
        question_type="LIKERT",
        answer="4",
        answered_at=1_741_105_269_114,
        digest=b"\x00" * 8,
        source="responses.jsonl",
        line=number,
        raw=b'{"response":4}',
        body=b'{"messageId":"%s","type":"track","userId":"acct_%d","event":"x"}' % (identity.encode(), number),
    )
    return replace(default, **fields)


def make_delivery(**fields: Any) -> Delivery:
    """A delivery as lists show it."""
    default = Delivery(
        id=41,
        environment="production",
        message_id="sprig-0f",
        state=State.DELIVERED,
        reason="",
        detail="",
        survey_id="5120",
        survey_name="Checkout effort",
        user_id="acct_88213",
        question_type="LIKERT",
        answer="4",
        answered_at=1_789_990_000_000,
        added_at=1_789_999_000_220,
        due_at=0,
        attempts=1,
        status=200,
        error="",
        latency_ms=38.0,
        settled_at=1_789_999_001_000,
        source="answers.jsonl",
        line=3,
        leased=False,
        size=812,
        edited=False,
        origin_id=0,
    )
    return replace(default, **fields)


def make_worker(**fields: Any) -> WorkerInfo:
    """A worker (`run`) on another machine."""
    default = WorkerInfo(
        id="a" * 32,
        role="run",
        host="mill-1",
        pid=4211,
        version="0.1.0",
        environments=("production",),
        started_at=1_790_000_000_000,
    )
    return replace(default, **fields)


def make_flat_record(number: int, **fields: Any) -> dict[str, Any]:
    """A canonical flat record."""
    return {
        "userId": f"acct_{number}",
        "surveyId": 5120,
        "surveyName": "Checkout effort",
        "responseGroupId": f"0f4c1c7e-5f0b-4f0e-9a35-{number:012d}",
        "question": "How easy was checkout?",
        "questionType": "LIKERT",
        "response": 4,
        "timestamp": "2025-03-04T16:21:09.114Z",
        **fields,
    }


def make_webhook_answer(number: int = 1, **fields: Any) -> dict[str, Any]:
    """The body of an Answer Submitted webhook."""
    return {
        "id": 41_207 + number,
        "environmentId": "QmK7x2dTfa",
        "eventType": "ANSWER_SUBMITTED",
        "createdAt": "2026-03-04T16:21:09.114Z",
        "surveyId": 5120,
        "surveyName": "Checkout effort",
        "responseGroupUid": f"0f4c1c7e-5f0b-4f0e-9a35-{number:012d}",
        "question": "How easy was checkout?",
        "questionType": "LIKERT",
        "response": 4,
        "visitorId": "b3f0b1de-5f6c-4b52-8f8c-0c6a4f1f9a77",
        "userId": f"acct_{number}",
        **fields,
    }
