"""Periods of statistics: hours and days of any time zone, and the words that the log finds them by."""

from __future__ import annotations

import time
from datetime import datetime
from itertools import pairwise

import pytest

from sprig_tui.journal.block_counts import SLOT_MS
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.moments import parse_range
from sprig_tui.journal.query import Term
from sprig_tui.journal.statistics import bucket_edges, buckets_between
from sprig_tui.journal.statistics_filters import endpoint_word, field_word, period_words

ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns")
CHANGES = ("2026-03-29T12:00", "2026-10-25T12:00", "2026-04-05T12:00", "2026-11-23T14:20", "2026-11-01T12:00")
"""Days on which the clock is changed somewhere, and one without."""


@pytest.mark.parametrize("zone", ZONES)
def test_buckets_have_no_gap_and_the_log_finds_each_by_its_words(zone, monkeypatch):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for text in CHANGES:
            until = int(datetime.fromisoformat(text).timestamp() * 1000)
            for unit in ("hour", "day"):
                edges = bucket_edges(unit, 30, until)
                assert edges[-2] <= until < edges[-1]
                for since, end in pairwise(edges):
                    assert since < end
                    assert since % SLOT_MS == end % SLOT_MS == 0
                    words = period_words("arrived", since, end)
                    assert parse_range(words.partition(":")[2], until) == (since, end), words
                assert buckets_between(unit, edges[3], edges[-1]) == 27
                assert parse_range(period_words("sent", edges[0], edges[-1])[5:], until) == (edges[0], edges[-1])
    finally:
        monkeypatch.undo()
        time.tzset()


def test_words_are_as_short_as_can_be(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        hour, day, days = (
            bucket_edges(unit, number, int(datetime.fromisoformat("2026-11-23T14:20").timestamp() * 1000))
            for unit, number in (("hour", 1), ("day", 1), ("day", 7))
        )
        assert period_words("arrived", *hour) == "arrived:2026-11-23T14:00..2026-11-23T15:00"
        assert period_words("arrived", *day) == "arrived:2026-11-23"
        assert period_words("arrived", days[0], days[-1]) == "arrived:2026-11-17..2026-11-23"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("42", "survey-id:42"),
        ("two words", 'survey-id:"two words"'),
        ("a(b", 'survey-id:"a(b"'),
        ('a"b', ""),
        ("*", 'survey-id:"*"'),
        (" a", ""),
        ("a,b", 'survey-id:"a,b"'),
    ],
)
def test_values_that_cannot_be_written_have_no_filter(value, word):
    assert field_word("survey-id", value) == word


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://127.0.0.1:80", "endpoint:=http://127.0.0.1:80"),
        ("http://[::1]:80", 'endpoint:="http://[::1]:80"'),
        ("https://a.example/(x) OR y", 'endpoint:="https://a.example/(x) OR y"'),
        ('https://a.example/"', ""),
        ("a.example", ""),
        ("", ""),
    ],
)
def test_a_whole_url_is_found_by_its_words(url, word):
    assert endpoint_word(url) == word
    if word:
        assert parse_filter(word, now_ms=0).terms == (Term("endpoint", f"={url}"),)
