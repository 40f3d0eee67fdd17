"""Smallest record: what an answer of one's own has to hold at least to be sent."""

from __future__ import annotations

SMALLEST_RECORD = (
    '{"responseGroupId": "r1", "userId": "u1", "response": 4,',
    ' "question": "How easy was it?", "questionType": "LIKERT",',
    ' "timestamp": "2026-03-04T16:21:09Z"}',
)
"""In lines that fit a narrow pane: which answer it is, whose, what was said, to what question, and when."""
