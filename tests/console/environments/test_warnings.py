"""Warning for a payload of another environment."""

from __future__ import annotations

import pytest

from sprig_tui.config.environment import Environment
from sprig_tui.console.environments.warnings import environment_mismatch


def environments(**given) -> dict[str, Environment]:
    return {name: Environment(name=name, **fields) for name, fields in given.items()}


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
def test_payload_of_another_environment_is_warned_of(selected, named, sprig_id, said):
    known = environments(
        production={"sprig_environment_id": "prod1"}, development={"sprig_environment_id": "dev1"}, staging={}
    )
    found = environment_mismatch(known, selected, named, sprig_id)
    assert said in found
    assert bool(said) == bool(found)
