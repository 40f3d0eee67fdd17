"""What looks wrong with the environments as a whole."""

from __future__ import annotations

import pytest

from sprig_tui.config.environment import Environment, WriteKey
from sprig_tui.console.environments.warnings import environment_mismatch, shared_ids, shared_keys

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"


def environments(**given) -> dict[str, Environment]:
    return {name: Environment(name=name, **fields) for name, fields in given.items()}


def test_one_key_in_two_environments_is_named_without_the_key():
    (said,) = shared_keys(
        environments(
            production={"write_key": WriteKey(KEY)},
            development={"write_key": WriteKey(KEY, "SOME_VARIABLE")},
            staging={"write_key": WriteKey("A" * 32)},
        )
    )
    assert said.startswith("same key in production and development")
    assert KEY not in said


def test_different_keys_and_no_keys_are_fine():
    assert (
        shared_keys(environments(a={"write_key": WriteKey("A" * 32)}, b={"write_key": WriteKey("B" * 32)}, c={})) == []
    )


def test_one_sprig_id_in_two_environments():
    (said,) = shared_ids(environments(a={"sprig_environment_id": "x1"}, b={"sprig_environment_id": "x1"}, c={}))
    assert "a and b" in said


@pytest.mark.parametrize(
    ("selected", "named", "sprig_id", "said"),
    [
        ("production", None, None, ""),
        ("production", "production", None, ""),
        ("production", "Development ", None, "belongs to development"),
        ("production", None, "dev1", "belongs to development"),
        ("development", None, "dev1", ""),
        ("production", None, "unknown1", "is not that of production"),
        ("staging", None, "unknown1", ""),
        ("staging", None, "", ""),
    ],
)
def test_a_payload_of_another_environment(selected, named, sprig_id, said):
    known = environments(
        production={"sprig_environment_id": "prod1"}, development={"sprig_environment_id": "dev1"}, staging={}
    )
    found = environment_mismatch(known, selected, named, sprig_id)
    assert said in found
    assert bool(said) == bool(found)
