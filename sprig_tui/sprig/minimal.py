"""Minimal record: the least that somebody's own JSON has to say; the help, the README and the console show this one."""

from __future__ import annotations

MINIMAL_RECORD = """\
{
  "userId": "acct_88213",
  "responseGroupId": "0f4c1c7e-5f0b-4f0e-9a35-8f6f0d2f7b11",
  "question": "How easy was checkout?",
  "questionType": "LIKERT",
  "response": 4,
  "respondedAt": "2025-03-04T16:21:09.114Z"
}"""
"""A flat record. `responseGroupId` is the same for all answers that one person gave to one study at one time."""
