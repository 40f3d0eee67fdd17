"""Digest of an answer: equal for equal values, for any bytes, in every version."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.mapping.digest import DIGEST_BYTES, _canonical_json, digest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"4", "0000000000000034"),
        (b"null", "000000006e756c6c"),
        (b'"Too slow, and I could not find the card"', "3bdcb3f53ce7a7cd"),
        (b'["Shipping form","Card errors"]', "3ea8976ac21bedbd"),
        (b'{"Speed":"Good","Price":null}', "bfca928f8b75435f"),
        (b'{"a":1e400}', "a0d01f37753b6ab4"),
    ],
)
def test_golden_digests(answer: bytes, expected: str) -> None:
    assert digest(answer).hex() == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":1}', b'{ "a" : 1 }'),
        (b'{"a":1,"b":{"c":2,"d":3}}', b'{"b":{"d":3,"c":2},"a":1}'),
        (b'"a"', b'"\\u0061"'),
        ('"é"'.encode(), b'"\\u00e9"'),
        (b'"/"', b'"\\/"'),
        (b'"\\n"', b'"\\u000a"'),
        (b"4", b" 4\n"),
        (b"[1,2]", b"[ 1, 2 ]"),
        (b'{"a":1e400,"b":2}', b'{"b":2, "a":1e400}'),
        (b'{"a":"\\ud800","b":2}', b'{"b":2, "a":"\\uD800"}'),
        (b'["[not] a list"]', b'[ "[not] a list" ]'),
    ],
)
def test_spelling_does_not_change_the_digest(one: bytes, other: bytes) -> None:
    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"4", b"4.0"),
        (b"4", b'"4"'),
        (b"null", b'"null"'),
        (b"[]", b"{}"),
        (b"[1,2]", b"[2,1]"),
        (b"123456789012345678901234567890", b"123456789012345678901234567891"),
        (b"[123456789012345678901234567890]", b"[123456789012345678901234567891]"),
        (b"1e400", b"2e400"),
        (b"[1e400]", b"[2e400]"),
        (b"[" + b"9" * 6_000 + b"]", b"[" + b"9" * 6_001 + b"]"),
    ],
)
def test_other_values_change_the_digest(one: bytes, other: bytes) -> None:
    assert digest(one) != digest(other)


@given(JSON, JSON)
def test_digests_are_equal_exactly_for_equal_values(one: Any, other: Any) -> None:
    plain = [json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() for value in (one, other)]
    spaced = [json.dumps(value, indent=1, sort_keys=True).encode() for value in (one, other)]
    assert digest(plain[0]) == digest(spaced[0])
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest(plain[0]) == digest(spaced[1])) == same


@given(st.binary(max_size=60))
def test_digest_of_any_bytes(answer: bytes) -> None:
    assert len(digest(answer)) == DIGEST_BYTES


@pytest.mark.parametrize(
    "answer", [b"", b"[" * 200_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 5_000, b"\xff[", b"NaN"]
)
def test_digest_of_hostile_answers(answer: bytes) -> None:
    assert len(digest(answer)) == DIGEST_BYTES


@given(JSON, st.booleans(), st.sampled_from(["", " ", "\n\t"]))
def test_values_that_are_not_canonicalized_are_canonical(value: Any, escaped: bool, space: str) -> None:
    """Numbers and plain texts are hashed as they are written: it must be what the canonical form says."""
    answer = (space + json.dumps(value, ensure_ascii=escaped) + space).encode("utf-8", "surrogatepass")
    canonical = _canonical_json(answer.strip())
    if isinstance(value, float):
        canonical = answer.strip()  # a number outside of lists and objects keeps its own writing
    assert digest(answer) == digest_of(canonical)


def digest_of(canonical: bytes) -> bytes:
    return (
        canonical.rjust(DIGEST_BYTES, b"\0")
        if len(canonical) < DIGEST_BYTES
        else blake2b(canonical, digest_size=DIGEST_BYTES).digest()
    )
