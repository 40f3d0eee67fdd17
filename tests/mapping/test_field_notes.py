"""Notes on question types: documented shapes have none, unusual ones have one."""

from __future__ import annotations

import pytest
from msgspec import Raw

from sprig_tui.mapping.field_notes import is_documented, shape_note


@pytest.mark.parametrize(
    ("question_type", "answer"),
    [
        ("LIKERT", b"4"),
        ("NPS", b"10"),
        ("OPEN", b'"Slow"'),
        ("OPEN", b'""'),
        ("MULTIPLECHOICE", b'"Card"'),
        ("MULTIPLESELECT", b'["Card","Form"]'),
        ("MULTIPLESELECT", b'"Card"'),
        ("MATRIX", b'{"Speed":"Good","Price":null}'),
        ("RANKORDER", b'{"Speed":1,"Price":2}'),
        ("MAXDIFF", b'[[{"id":1,"option":"Speed","selected":"left"}]]'),
        ("CONSENTLEGAL", b'{"submitted":true}'),
        ("TEXTURLPROMPT", b"null"),
        ("TEXTURLPROMPT", b'{"skipped":true}'),
        ("VIDEOVOICE", b'{"mediaType":"video"}'),
        ("RECORDEDTASK", b'{"taskStatus":"completed"}'),
        ("LIKERT", b"null"),
        ("MATRIX", b" null"),
    ],
)
def test_documented_shapes_have_no_note(question_type: str, answer: bytes) -> None:
    assert is_documented(question_type)
    assert shape_note(question_type, Raw(answer)) == ""


@pytest.mark.parametrize(
    ("question_type", "answer", "note"),
    [
        ("NPS", b'"9"', "a text, where NPS has a number"),
        ("OPEN", b"-4", "a number, where OPEN has a text"),
        ("MULTIPLESELECT", b"{}", "an object, where MULTIPLESELECT has a list or a text"),
        ("MAXDIFF", b"true", "true or false, where MAXDIFF has a list"),
        ("CONJOINT", b"true", ""),
    ],
)
def test_unusual_shapes_have_a_note(question_type: str, answer: bytes, note: str) -> None:
    assert shape_note(question_type, Raw(answer)) == note


def test_unknown_question_types_are_not_documented() -> None:
    assert not is_documented("CONJOINT")
    assert not is_documented("likert")
