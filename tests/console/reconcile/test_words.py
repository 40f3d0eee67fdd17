"""Words of the reconcile screen: nothing is claimed beyond what was asked and answered."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace

from sprig_tui.console.reconcile.columns import make_columns
from sprig_tui.console.reconcile.words import (
    column_sentences,
    deliveries_filter,
    destination_sentences,
    environment_verdict,
    last_verdict,
    report_sentences,
    span_text,
)
from sprig_tui.journal.filter import parse_filter
from sprig_tui.reconcile.model import Obstacle, Verdict

from .reports import AMPLITUDE, BRAZE, HOSTILE, HOUR_MS, NOW, THIS_HOUR, bucket, day, environment, report


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (environment(), "short by 3: Segment counted 3,598 of 3,601"),
        (environment(buckets=day(short_at=0)), "agrees: Segment counted 3,601 of 3,601"),
        (environment(buckets=(bucket(1, 0),)), "nothing to compare: nothing was delivered"),
        (
            environment(buckets=(bucket(1, 10, 12, verdict=Verdict.MORE),), verdict=Verdict.MORE),
            "more than we sent: Segment counted 12, we delivered 10",
        ),
        (environment(buckets=(), verdict=Verdict.TOO_YOUNG), "too young to say"),
        (
            environment(verdict=Verdict.CANNOT_ASK, obstacle=Obstacle.NOT_IN_WORKSPACE, detail="1 hidden\x1b"),
            "not compared: its Write Key belongs to no source of this workspace (1 hidden␛)",
        ),
    ],
)
def test_environment_verdict(given, text):
    assert environment_verdict(given) == text


def test_span_ends_at_midnight_in_a_word():
    hour = THIS_HOUR  # 14:00
    assert span_text(hour, hour + HOUR_MS, NOW) == "14:00 to 15:00"
    assert span_text(hour + 9 * HOUR_MS, hour + 10 * HOUR_MS, NOW) == "23:00 to midnight"
    assert span_text(hour - 15 * HOUR_MS, hour - 14 * HOUR_MS, NOW).endswith(" 23:00 to midnight")
    assert " to 00:00" not in span_text(hour - 38 * HOUR_MS, hour + 10 * HOUR_MS, NOW)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (environment(buckets=day(short_at=0)), "Segment counted 3,601 of 3,601 at 14:12"),
        (environment(), "3 short at 11:00"),
        (environment(buckets=(bucket(9, 5, short=1), bucket(2, 5, short=2))), "3 short at 05:00 and 1 more"),
        (
            environment(verdict=Verdict.CANNOT_ASK, obstacle=Obstacle.PLAN),
            "not compared: the workspace's plan does not offer this",
        ),
        (environment(verdict=Verdict.TOO_YOUNG), "too young to compare at 14:12"),
        (environment(buckets=(bucket(1, 0),)), "nothing to compare at 14:12"),
        (environment("development"), "not compared"),
    ],
)
def test_last_verdict_has_the_time_that_it_is_of(given, text):
    assert last_verdict(report(given), "production", NOW)[0] == text


def test_last_verdict_of_another_day_is_dated():
    before = report(environment(buckets=day(short_at=0)), asked_at=NOW - 30 * HOUR_MS)
    assert last_verdict(before, "production", NOW)[0].endswith("at 20 Sep 08:13")


def test_figures_name_repeats_and_what_is_unknown():
    given = bucket(2, 10, 11, sends=13, repeats=3, failed_on_ingest=2, filtered_at_source=None)
    (heading, figures) = column_sentences(*make_columns([given], 80), NOW)
    assert heading.text == "✓ 12:00 to 13:00: agrees"
    assert figures.text == (
        "we delivered 10 (13 sends, 3 of them repeats of ids sent before, which Segment may count or not);"
        " Segment counted 11; 2 failed on ingest"
    )
    given = replace(given, received=None, verdict=Verdict.CANNOT_ASK, obstacle=Obstacle.PERMISSION)
    said = [one.text for one in column_sentences(*make_columns([given], 80), NOW)]
    assert "Segment did not say what it counted" in said[1]
    assert said[-1] == "the token may not read this: Segment answered 401 or 403"


def test_short_span_of_two_hours_is_named_as_a_whole():
    span = {"span_start": THIS_HOUR - 2 * HOUR_MS, "span_end": THIS_HOUR, "short": 1}
    said = [one.text for one in column_sentences(make_columns([bucket(2, 10, **span)], 80)[0], NOW)]
    assert "at least 1 missing somewhere from 12:00 to 14:00" in said


def test_destination_counts_are_said_as_far_as_they_are_known():
    said = [one.text for one in destination_sentences(AMPLITUDE)]
    assert said[0] == "! Amplitude (Actions): 3,610 delivered (41 after a retry), 12 filtered, 5 failed"
    assert said[1].startswith("12 filtered: FILTERED_BY_RULES; a filter of the destination matched")
    assert said[2].startswith("5 failed: MESSAGE_REJECTED; ")
    sound = next(destination_sentences(replace(AMPLITUDE, failed=0)))
    assert (sound.text[0], sound.style) == ("✓", "good")
    assert next(destination_sentences(AMPLITUDE)).style == "warning"
    (only,) = destination_sentences(BRAZE)
    assert only.text == "? Braze, disabled: not compared: the token may not read this: Segment answered 401 or 403"


def test_only_sources_with_a_foreign_key_are_strays():
    given = report()
    own = replace(given.strays[0], environment="production", source_name="Sprig web")
    said = [one.text for one in report_sentences(replace(given, strays=(own, *given.strays), complete=False))]
    assert said[0] == "the source Legacy iOS got 41 of 'SDK - Submitted' too, by a key that no environment here has"
    assert "not whole" in said[1]
    assert said[2].startswith("Segment counts 'SDK - Submitted' by time, never by message id")
    assert len(said) == 3


def test_hostile_names_are_made_visible():
    given = replace(AMPLITUDE, name=HOSTILE, kind="", discards=(replace(AMPLITUDE.discards[0], reason="\x9b31m"),))
    for sentence in destination_sentences(given):
        assert sentence.text.isprintable()
    assert all(one.text.isprintable() for one in report_sentences(report(event=HOSTILE)))


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Europe/Berlin", "America/St_Johns"])
@pytest.mark.parametrize("start", [THIS_HOUR, 1_792_886_400_000, 1_792_890_000_000, 1_793_500_000_500])
def test_filter_of_a_time_means_that_time_also_where_the_clock_is_set_back(monkeypatch, zone, start):
    """The second and third are the hour in Berlin that the end of summer time repeats: 2026-10-25, 00:00 UTC on."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    text = deliveries_filter("production", start, start + HOUR_MS)
    terms = {term.field: term.value for term in parse_filter(text, now_ms=NOW).terms}
    assert terms == {
        "env": "production",
        "status": "delivered",
        "sent-since": str(start),
        "sent-until": str(start + HOUR_MS),
    }
