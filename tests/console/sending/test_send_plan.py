"""Counts before a send, and the texts around it."""

from __future__ import annotations

from collections import Counter

import pytest

from sprig_tui.config.environment import Environment
from sprig_tui.config.paths import samples_folder
from sprig_tui.console.sending.plan import (
    CHECK_EVERY_RECORDS,
    SendPlan,
    consent_label,
    count_records,
    estimate_plan,
    name_to_type,
    plan_text,
    send_question,
)
from sprig_tui.console.sending.results import ingest_end_text, ingest_text
from sprig_tui.ingest import EntryBuilder
from sprig_tui.ingest.ingest import IngestResult
from sprig_tui.journal.records import State
from sprig_tui.mapping.records import Rules
from sprig_tui.sprig.reader import read_responses

ENVIRONMENTS = {name: Environment(name=name) for name in ("production", "development")}


def test_plan_counts_every_sample_once():
    intake = EntryBuilder(Rules(), ENVIRONMENTS, "production")
    plan = count_records(read_responses([samples_folder()]), intake, should_stop=lambda: False)
    assert plan.total == sum(plan.by_environment.values()) + plan.unsendable + plan.anonymous
    assert plan.complete
    assert plan.anonymous
    assert plan.by_environment["production"] > 50


def test_incomplete_count_is_estimated():
    record = next(iter(read_responses([samples_folder()])))
    looks: list[int] = []
    plan = count_records(
        iter(lambda: record, None),
        EntryBuilder(Rules(), ENVIRONMENTS, "development"),
        should_stop=lambda: looks.append(1) or len(looks) == 3,
    )
    assert (plan.total, plan.complete) == (3 * CHECK_EVERY_RECORDS, False)
    about = estimate_plan(plan, bytes_read=1_000, bytes_total=4_167_000)
    assert about.records == 200_000
    assert send_question(about, "a.jsonl") == "Send all of a.jsonl, about 200,000 records?"
    assert plan_text(about, []).startswith(
        f"Of the first {3 * CHECK_EVERY_RECORDS}, the rest is counted while it is sent:"
    )
    assert consent_label(about) == "Send all"
    assert estimate_plan(plan, bytes_read=1, bytes_total=9, counted=7_123).records == 7_123


def test_plan_text_of_one_record():
    text = plan_text(SendPlan(2, {"": 1}, 1), [])
    assert "1 is withheld: its environment is unknown" in text
    assert "1 is withheld: no answer, or it cannot be read" in text


def test_plan_text_names_environments_and_withheld_records():
    plan = SendPlan(1_213, {"production": 1_200, "": 3}, 7, 3)
    text = plan_text(plan, ["production"], edited=1)
    assert "1,200 to production, which is protected" in text
    assert "3 are withheld: their environment is unknown" in text
    assert "7 are withheld: no answers, or they cannot be read" in text
    assert "3 are withheld (no User ID) and can be sent only after a repair." in text
    assert "1 was edited here: the file is sent as it is on disk" in text
    assert "Some may be withheld yet" in text, "calls are made after the question"
    assert "Some may" not in plan_text(SendPlan(3, {"": 1}, 2), []), "where nothing is to be sent"


@pytest.mark.parametrize(("listed", "text"), [(5, "shows 5 of them"), (0, "shows none of them")])
def test_plan_text_says_that_the_filter_of_the_list_narrows_nothing(listed, text):
    assert f"The list {text}, but the whole file is sent" in plan_text(
        SendPlan(7, {"production": 7}), [], listed=listed
    )
    assert "The list" not in plan_text(SendPlan(7, {"production": 7}), [])


def test_plan_text_names_environments_without_a_key():
    text = plan_text(SendPlan(7, {"production": 4, "development": 3}), ["production"], ["production", "development"])
    assert text.splitlines()[:2] == [
        "3 to development, which has no write key yet: they wait for one",
        "4 to production, which is protected and has no write key yet: they wait for one",
    ]


def test_button_counts_the_sendable_records():
    assert consent_label(SendPlan(1_210, {"development": 1_200, "": 3}, 7)) == "Send 1,200"
    assert consent_label(SendPlan(10, {"": 3}, 7)) == "Keep 10"


@pytest.mark.parametrize(
    ("routes", "protected", "name"),
    [
        ({"production": 5}, ["production"], "production"),
        ({"development": 5}, ["production"], ""),
        ({"a": 5, "b": 9}, ["a", "b"], "b"),
        ({}, ["production"], ""),
    ],
)
def test_protected_name_to_type(routes, protected, name):
    assert name_to_type(SendPlan(5, routes), protected) == name


def test_ingest_text():
    fed = IngestResult()
    fed.records = 14
    fed.new_states = Counter({(State.QUEUED, ""): 8, (State.WITHHELD, "anonymous"): 3, (State.WITHHELD, "invalid"): 1})
    fed.outcomes.update({"known": 2, "new": 12})
    assert ingest_text(fed) == "14 records, 2 known from before, 8 queued, 4 withheld (anonymous 3, invalid 1)"
    assert ingest_end_text(fed).endswith("\n3 are withheld (no User ID) and can be sent only after a repair.")
    fed.new_states.update({(State.WITHHELD, "too-large"): 1, (State.WITHHELD, "forgotten"): 2})
    assert ", 7 withheld (anonymous 3, forgotten 2, invalid 1, others 1)" in ingest_text(fed), "they add up"
