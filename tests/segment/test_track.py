"""Message ids: golden values, no collisions, one form."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.segment.limits import MAX_MESSAGE_ID_CHARS
from sprig_tui.segment.track import (
    MESSAGE_ID_CHARS,
    derived_message_id,
    message_id,
    withheld_message_id,
)

GROUP = "0f4c1c7e-5f0b-4f0e-9a35-8f6f0d2f7b11"
FORM = re.compile(r"sprig-[0-9a-f]{32}")
ANY_TEXT = st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=20)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("production", GROUP, "How easy was checkout?", "LIKERT"), "sprig-054e7b95cb04e991acaafa5a4bf62316"),
        (("development", GROUP, "How easy was checkout?", "LIKERT"), "sprig-288a80bd0fe3350a02d0a69e137ffefe"),
        (("production", GROUP, "ご意見をどうぞ 🙂", "OPEN"), "sprig-8bcb161d0318b0ae1afecefef1920985"),
        (("", "", "", ""), "sprig-2d616ef6c6f3d5f535e5adfdd8e79bc5"),
    ],
)
def test_golden_message_ids(parts: tuple[str, str, str, str], expected: str) -> None:
    assert message_id(*parts) == expected


def test_golden_derived_ids() -> None:
    assert derived_message_id("sprig-" + "0" * 32, "resend", "1") == "sprig-96a01195d47bb1cc93f21743dbc59bc0"
    assert withheld_message_id("production", b'{"eventType":"TEST"}') == "sprig-daee3d2b602b10ea6c9d53d83c912525"


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_message_ids_have_one_form(environment: str, group: str, question: str, kind: str) -> None:
    made = message_id(environment, group, question, kind)
    assert FORM.fullmatch(made)
    assert FORM.fullmatch(derived_message_id(made, question))
    assert FORM.fullmatch(withheld_message_id(environment, question.encode("utf-8", "surrogatepass")))
    assert len(made) == MESSAGE_ID_CHARS <= MAX_MESSAGE_ID_CHARS


@given(st.tuples(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT), st.tuples(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT))
def test_different_parts_give_different_message_ids(
    one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    assert (message_id(*one) == message_id(*other)) == (one == other)


def test_moving_text_between_parts_changes_the_message_id() -> None:
    assert message_id("production", "ab", "c", "OPEN") != message_id("production", "a", "bc", "OPEN")
    assert message_id("production", "1:a", "", "OPEN") != message_id("production", "", "1:a", "OPEN")
    assert derived_message_id("x", "a", "b") != derived_message_id("x", "ab")
    assert derived_message_id("x", "a", "") != derived_message_id("x", "a")


def test_environment_named_derived_does_not_collide() -> None:
    assert message_id("derived", "a", "b", "c") != derived_message_id("a", "b", "c")
