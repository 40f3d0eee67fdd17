import json

from hypothesis import given, settings
from hypothesis import strategies as st

from sprig_tui.console.payload.call_diff import (
    MAX_SHOWN_CHANGES,
    NOT_IN_CALL,
    FieldChange,
    call_diff,
    diff_content,
    diff_text,
)

from .test_untrusted import NASTY, values


def call(**changes):
    return json.dumps({"messageId": "sprig-1", "userId": "acct_1", "properties": {"a": 1, "b": {"c": [1]}}} | changes)


def test_fields_that_differ():
    before = call()
    after = call(messageId="sprig-2", userId="acct_2", properties={"b": {"c": [2]}, "d": {}}, sentAt="now")
    changes = call_diff(before.encode(), after.encode())
    assert changes == (
        FieldChange("userId", b'"acct_1"', b'"acct_2"'),
        FieldChange("properties.b.c", b"[1]", b"[2]"),
        FieldChange("properties.d", None, b"{}"),
        FieldChange("properties.a", b"1", None),
    )
    assert diff_text(changes[:1]) == 'userId\n- "acct_1"\n+ "acct_2"'
    assert diff_text(changes[2:]).count(NOT_IN_CALL) == 2
    assert diff_text(call_diff(before.encode(), call(messageId="sprig-2").encode())) == "No field of the call differs."


def test_many_changes_are_cut():
    many = {str(number): number for number in range(MAX_SHOWN_CHANGES + 5)}
    text = diff_text(call_diff(call(properties=many).encode(), call(properties={}).encode()))
    assert text.endswith("and 6 more")


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.sampled_from(NASTY), values, max_size=4), st.dictionaries(st.text(), values, max_size=4))
def test_any_two_calls_are_compared_harmlessly(before, after):
    bodies = [json.dumps(call).encode("utf-8", "surrogatepass") for call in (before, after)]
    assert call_diff(bodies[0], bodies[0]) == ()
    plain = diff_content(call_diff(*bodies)).plain
    assert all(line.isprintable() or "\u3000" in line for line in plain.split("\n"))
    call_diff(b"[" * 100_000, b'{"a":' * 100_000)
