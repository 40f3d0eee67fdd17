"""Pause reasons: their texts, storage, and conversion from the sentences of older versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.journal.pause_reasons import (
    NO_DETAIL,
    SENTENCES,
    PauseDetail,
    PauseReason,
    cause_of,
    detail_text,
    pause_text,
    reason_of,
    stored_reason,
)

FULL = PauseDetail(
    status=401, key="Zq8T…e1Rk", endpoint="https://x", asked_ms=40_000, error="connection refused", text="why"
)

statuses = st.integers(100, 999)
words = st.text(st.characters(codec="utf-8"), min_size=1)
ENGINE_PAUSES = st.one_of(
    st.tuples(st.just(PauseReason.KEY_REFUSED), st.builds(PauseDetail, key=words, status=statuses)),
    st.tuples(
        st.just(PauseReason.WRONG_ENDPOINT),
        st.builds(PauseDetail, endpoint=st.from_regex(r"\Ahttps?://[!-~]+\Z"), status=statuses),
    ),
    st.tuples(
        st.just(PauseReason.RETRY_AFTER),
        st.builds(PauseDetail, status=statuses, asked_ms=st.integers(1, 3000).map(lambda tenths: tenths * 100)),
    ),
    st.tuples(st.just(PauseReason.HTTP_ERROR), st.builds(PauseDetail, status=statuses)),
)


@pytest.mark.parametrize("reason", PauseReason)
def test_every_pause_reason_has_a_sentence(reason):
    assert set(SENTENCES) == set(PauseReason)
    assert bool(pause_text(reason, FULL)) is bool(reason)
    assert bool(cause_of(reason, FULL)) is bool(reason), "older programs read one, too"


@given(ENGINE_PAUSES)
def test_older_sentences_are_parsed_to_the_same_reason(pause):
    assert reason_of(cause_of(*pause), "paused") == pause


@given(st.sampled_from(PauseReason), st.builds(PauseDetail, status=statuses, key=words, error=words, text=words))
def test_stored_reason_is_read_back(reason, detail):
    told = stored_reason("waiting", "any other words", 4, reason.value, detail_text(detail), 4)
    assert told == ((reason, detail) if reason else reason_of("any other words", "waiting"))


@pytest.mark.parametrize(
    ("cause", "state", "reason", "detail"),
    [
        ("", "open", PauseReason.NONE, NO_DETAIL),
        ("", "paused", PauseReason.MANUAL, NO_DETAIL),
        ("by hand", "paused", PauseReason.MANUAL, NO_DETAIL),
        ("paused by hand", "paused", PauseReason.MANUAL, NO_DETAIL),
        ("write key none refused (403)", "paused", PauseReason.KEY_REFUSED, PauseDetail(key="none", status=403)),
        (
            "check the endpoint http://[::1]:9/a:b: not found: here",
            "paused",
            PauseReason.WRONG_ENDPOINT,
            PauseDetail(endpoint="http://[::1]:9/a:b", error="not found: here"),
        ),
        (
            "429, Segment asked for 0.5 s",
            "waiting",
            PauseReason.RETRY_AFTER,
            PauseDetail(status=429, asked_ms=500),
        ),
        ("503", "probing", PauseReason.HTTP_ERROR, PauseDetail(status=503)),
        ("connection refused", "waiting", PauseReason.NETWORK_ERROR, PauseDetail(error="connection refused")),
        (
            "http 200 with a web page: check the endpoint",
            "waiting",
            PauseReason.NOT_SEGMENT,
            PauseDetail(error="http 200 with a web page: check the endpoint"),
        ),
        ("maintenance", "paused", PauseReason.OTHER, PauseDetail(text="maintenance")),
    ],
)
def test_sentences_of_older_versions_are_parsed(cause, state, reason, detail):
    assert reason_of(cause, state) == (reason, detail)
    assert stored_reason(state, cause, 7, "", "", 0) == (reason, detail)


@pytest.mark.parametrize(("reason", "detail"), [("of_a_newer_version", "{}"), ("manual", '{"status": "much"}')])
def test_reason_of_a_newer_version_is_shown_as_its_sentence(reason, detail):
    told = stored_reason("paused", "the moon is full", 3, reason, detail, 3)
    assert told == (PauseReason.OTHER, PauseDetail(text="the moon is full"))
    assert pause_text(*told) == "the moon is full"
