"""Response of a token server: what is a token, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.segment.oauth.token_response import (
    MAX_ERROR_CHARS,
    AccessToken,
    TokenFailure,
    TokenFailureKind,
    read_token_response,
)

NOW = 1_793_620_800_000


def read(body: bytes, status: int = 200, *, complete: bool = True, **headers: str) -> AccessToken | TokenFailure:
    return read_token_response(status, headers, body, complete=complete, now_ms=NOW)


def token_body(**fields: Any) -> bytes:
    return json.dumps(
        {"access_token": "abc.DEF-1_2~3+4/5==", "token_type": "Bearer", "expires_in": 86_400} | fields
    ).encode()


@pytest.mark.parametrize(
    ("expires_in", "renewed_after_s"),
    [
        (86_400, 86_100.0),
        (600, 540.0),
        (1, 0.9),
        (1.5, 1.35),
        ("3600", 3_300.0),
        (10**12, 31 * 86_400 - 300.0),
        # what is no life becomes a minute
        *((bad, 54.0) for bad in (0, -5, True, None, "soon", "-3", [], 1e-400)),
    ],
)
def test_token_is_renewed_before_the_end_of_its_life(expires_in: Any, renewed_after_s: float) -> None:
    token = read(token_body(expires_in=expires_in))
    assert isinstance(token, AccessToken)
    assert token.renew_at - NOW == int(renewed_after_s * 1000)
    assert "abc" not in repr(token)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "no JSON object"),
        (b"<html>", "no JSON object"),
        (b"[" * 100_000, "no JSON object"),
        (b"\xff", "no JSON object"),
        (b"[]", "no JSON object"),
        (b"{}", "no access_token"),
        (token_body(access_token=""), "no access_token"),
        (token_body(access_token=7), "no access_token"),
        (token_body(access_token="a\nX-Evil: 1"), "characters that no token has"),
        (token_body(access_token="a b"), "characters that no token has"),
        (token_body(access_token="ä"), "characters that no token has"),
        (token_body(access_token="a\n"), "characters that no token has"),
        (token_body(access_token="a" * 20_000), "too many"),
    ],
)
def test_answer_without_a_usable_token_is_none(body: bytes, error: str) -> None:
    failure = read(body)
    assert isinstance(failure, TokenFailure)
    assert (failure.kind, failure.is_final) == (TokenFailureKind.UNUSABLE, False)
    assert error in failure.error


def test_answer_that_is_cut_is_none() -> None:
    failure = read(token_body(), complete=False)
    assert isinstance(failure, TokenFailure)
    assert failure.error == "its answer is too long"


@given(st.integers(201, 599) | st.integers(100, 199), st.binary(max_size=200), st.text(max_size=20))
def test_other_statuses_are_failures_with_a_short_printable_error(status: int, body: bytes, wait: str) -> None:
    failure = read_token_response(status, {"retry-after": wait}, body, complete=True, now_ms=NOW)
    assert isinstance(failure, TokenFailure)
    assert failure.is_final is (status in (400, 401, 415))
    assert 0 < len(failure.error) <= MAX_ERROR_CHARS
    assert 0 <= failure.retry_after_s <= 300
    assert (failure.retry_after_s > 0) or status != 429


@given(st.text(max_size=60), st.text(max_size=300))
def test_error_holds_no_controls_and_no_long_runs(code: str, description: str) -> None:
    failure = read(json.dumps({"error": code, "error_description": description}).encode(), 401)
    assert isinstance(failure, TokenFailure)
    assert not any(ord(character) < 32 for character in failure.error)
    assert len(failure.error) <= MAX_ERROR_CHARS
