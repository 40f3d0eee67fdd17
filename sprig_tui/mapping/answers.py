"""What Sprig documents of question types and their answers (facts/sprig.md 3); it only ever leads to a note."""

from __future__ import annotations

from msgspec import Raw

_TEXT, _NUMBER, _OBJECT, _LIST, _BOOLEAN = "a text", "a number", "an object", "a list", "true or false"

_SHAPES_BY_TYPE: dict[str, tuple[str, ...]] = {
    "LIKERT": (_NUMBER,),
    "NPS": (_NUMBER,),
    "OPEN": (_TEXT,),
    "MULTIPLECHOICE": (_TEXT,),
    "MULTIPLESELECT": (_LIST, _TEXT),
    "MATRIX": (_OBJECT,),
    "RANKORDER": (_OBJECT,),
    "MAXDIFF": (_LIST,),
    "CONSENTLEGAL": (_OBJECT,),
    "TEXTURLPROMPT": (_OBJECT,),
    "VIDEOVOICE": (_OBJECT,),
    "RECORDEDTASK": (_OBJECT, _TEXT),
}
"""JSON shapes by question type, null aside: it stands for a skipped question of any type."""


def is_documented(question_type: str) -> bool:
    """Whether Sprig's documentation names this type; others are passed through, since the list is open."""
    return question_type in _SHAPES_BY_TYPE


def shape_note(question_type: str, answer: Raw) -> str:
    """What is unusual about the answer's shape for its type; empty when nothing is, or the type is not documented."""
    shape = _json_shape(bytes(answer).lstrip()[:1])
    expected = _SHAPES_BY_TYPE.get(question_type, ())
    if not shape or not expected or shape in expected:
        return ""
    return f"{shape}, where {question_type} has {' or '.join(expected)}"


def _json_shape(first: bytes) -> str:
    """The shape that a JSON value's first byte tells; empty for null."""
    return {b'"': _TEXT, b"{": _OBJECT, b"[": _LIST, b"t": _BOOLEAN, b"f": _BOOLEAN, b"n": ""}.get(first, _NUMBER)
