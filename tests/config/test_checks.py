"""Checks of keys and ids across environments."""

from __future__ import annotations

from sprig_tui.config.checks import check_environment_ids, check_shared_keys
from sprig_tui.config.environment import Environment, SprigApiKey, WriteKey

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"


def environments(**fields: dict) -> dict[str, Environment]:
    return {name: Environment(name=name, **values) for name, values in fields.items()}


def test_shared_write_key_is_reported_without_the_key() -> None:
    (problem,) = check_shared_keys(
        environments(
            production={"write_key": WriteKey(KEY)},
            development={"write_key": WriteKey(KEY, "SOME_VARIABLE")},
            staging={"write_key": WriteKey("A" * 32)},
        )
    )
    assert problem.message.startswith("the same key in production and development:")
    assert KEY not in problem.message


def test_shared_sprig_api_key_of_three_environments_is_reported_once() -> None:
    key = {"sprig_api_key": SprigApiKey(KEY)}
    (problem,) = check_shared_keys(environments(a=key, b=key, c=key))
    assert problem.message.startswith("the same key of Sprig's API in a, b and c:")


def test_different_keys_and_missing_keys_are_no_problem() -> None:
    different = environments(a={"write_key": WriteKey("A" * 32)}, b={"write_key": WriteKey("B" * 32)}, c={}, d={})
    assert check_shared_keys(different) == ()


def test_shared_sprig_environment_id_is_a_fault() -> None:
    (problem,) = check_environment_ids(
        environments(a={"sprig_environment_id": "x1"}, b={"sprig_environment_id": "x1"}, c={}, d={})
    )
    assert (problem.level, problem.message) == ("fault", "a and b have the same sprig_environment_id")
