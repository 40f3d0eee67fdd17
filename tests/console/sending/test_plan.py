"""Counting before asking, and what is said afterwards."""

from __future__ import annotations

from collections import Counter

import pytest

from sprig_tui.config.environment import Environment
from sprig_tui.config.samples import samples_folder
from sprig_tui.console.sending.plan import Plan, consent, count_records, fed_text, name_to_type, plan_text
from sprig_tui.delivery.feeding import Fed
from sprig_tui.intake import Intake
from sprig_tui.journal.records import State
from sprig_tui.mapping.records import Rules
from sprig_tui.sprig.reading import read_responses

ENVIRONMENTS = {name: Environment(name=name) for name in ("production", "development")}


def test_every_sample_is_counted_once():
    intake = Intake(Rules(), ENVIRONMENTS, "production")
    plan = count_records(read_responses([samples_folder()]), intake, told=lambda _: None, stopped=lambda: False)
    assert plan.total == sum(plan.by_environment.values()) + plan.unsendable
    assert plan.by_environment["production"] > 50


def test_counting_can_be_stopped():
    record = next(iter(read_responses([samples_folder()])))
    told: list[int] = []
    plan = count_records(
        iter(lambda: record, None), Intake(Rules(), ENVIRONMENTS), told=told.append, stopped=lambda: len(told) >= 2
    )
    assert plan is None
    assert told == [1_000, 2_000]


def test_the_plan_names_environments_and_what_is_kept():
    plan = Plan(1_210, {"production": 1_200, "": 3}, 7)
    text = plan_text(plan, ["production"])
    assert "1,200 to production, which is protected" in text
    assert "3 of an unknown environment: kept, not sent" in text
    assert "7 that are no answers" in text


def test_the_plan_says_where_a_key_is_missing():
    text = plan_text(Plan(7, {"production": 4, "development": 3}), ["production"], ["production", "development"])
    assert text.splitlines()[:2] == [
        "3 to development, which has no write key yet: they wait for one",
        "4 to production, which is protected and has no write key yet: they wait for one",
    ]


def test_the_button_counts_what_is_sent():
    assert consent(Plan(1_210, {"development": 1_200, "": 3}, 7)) == "Send 1,200"
    assert consent(Plan(10, {"": 3}, 7)) == "Keep 10"


@pytest.mark.parametrize(
    ("routes", "protected", "name"),
    [
        ({"production": 5}, ["production"], "production"),
        ({"development": 5}, ["production"], ""),
        ({"a": 5, "b": 9}, ["a", "b"], "b"),
        ({}, ["production"], ""),
    ],
)
def test_the_name_that_has_to_be_typed(routes, protected, name):
    assert name_to_type(Plan(5, routes), protected) == name


def test_what_became_of_the_records():
    fed = Fed()
    fed.records = 14
    fed.new_states = Counter({(State.QUEUED, ""): 8, (State.WITHHELD, "anonymous"): 3, (State.WITHHELD, "invalid"): 1})
    fed.outcomes.update({"known": 2, "new": 12})
    assert fed_text(fed) == "14 records, 2 known from before, 8 queued, 4 withheld (anonymous 3, invalid 1)"
