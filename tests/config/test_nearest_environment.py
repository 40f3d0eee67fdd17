"""Suggestions for mistyped environment names."""

from __future__ import annotations

import pytest

from sprig_tui.config.environment import nearest_environment

KNOWN = ("production", "development", "staging-eu", "team1")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("prod", "production"),
        ("prd", "production"),
        ("prodd", "production"),
        ("pord", "production"),
        ("produ", "production"),
        ("livee", "production"),
        ("live", "production"),
        ("Production", "production"),
        ("prodution", "production"),
        ("productions", "production"),
        ("dev", "development"),
        ("develop", "development"),
        ("developement", "development"),
        ("staging", "staging-eu"),
        ("stagin-eu", "staging-eu"),
        ("stagingeu", "staging-eu"),
        ("staging_eu", "staging-eu"),
    ],
)
def test_typo_or_short_form_suggests_the_environment(typed: str, meant: str) -> None:
    assert nearest_environment(typed, KNOWN) == meant


@pytest.mark.parametrize(
    "typed", ["staging-us", "production-eu", "qa", "test", "team2", "acme", "eu", "d", "local-1", "olive", "preprod"]
)
def test_no_suggestion_across_regions_numbers_or_stages(typed: str) -> None:
    assert nearest_environment(typed, KNOWN) == ""


def test_short_form_of_a_missing_environment_has_no_suggestion() -> None:
    assert nearest_environment("prod", ["development"]) == ""
