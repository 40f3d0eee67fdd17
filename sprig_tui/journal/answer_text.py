"""Answer text: the answer of a delivery as every list of deliveries shows it."""

from __future__ import annotations

from sprig_tui.journal.records import Delivery

OPEN_QUESTION_TYPE = "OPEN"
"""The question type whose answers are a person's own words (facts/sprig.md); all others are a choice or a number."""


def answer_text(delivery: Delivery) -> str:
    """The answer, a person's own words in quotes; empty where there is none. Not yet fit for a terminal."""
    answer = delivery.answer
    return f'"{answer}"' if answer and delivery.question_type == OPEN_QUESTION_TYPE else answer
