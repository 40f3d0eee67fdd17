"""Smallest record: what an answer of one's own has to hold at least to be sent."""

from __future__ import annotations

SMALLEST_RECORD = (
    '{"responseGroupId": "r1", "userId": "u1", "response": 4,',
    ' "question": "How easy was it?", "questionType": "LIKERT"}',
)
"""In two lines, which fit a narrow pane: what the answer is, whose it is, what was asked, and what was said."""
