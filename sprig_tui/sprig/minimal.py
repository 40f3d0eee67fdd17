"""Minimal record: the least that somebody's own JSON has to say; the help, the README and the console show this one."""

from __future__ import annotations

MINIMAL_RECORD = """\
{"userId": "acct_1042", "responseGroupId": "group-1042",
 "question": "How easy was checkout?", "questionType": "LIKERT",
 "response": 4, "respondedAt": "2026-03-04T16:21:09Z"}"""
"""A flat record. `responseGroupId` is the same for all answers that one person gave to one study at one time.

Its lines fit a narrow pane.
"""
