"""Owner of a key: what the sources that a token sees say, and no more than that."""

from __future__ import annotations

from pathlib import Path

import pytest

from sprig_tui.config.paths import paths_in_folder
from sprig_tui.config.settings import Settings, load_settings
from sprig_tui.segment.public_api_models import Source
from sprig_tui.setup.key_owner import OwnerKind, find_owner, key_to_take

PROD = Source(id="1", name="Web prod", labels=("environment: prod",), enabled=True, write_keys=("prodkey1", "prodkey2"))
DEV = Source(id="2", name="Web dev\x1b[2J", enabled=True, write_keys=("devkey",))
TURNED = Source(id="1", name="Web", enabled=True, write_keys=("prodkey2", "prodkey1"))
WEB = Source(id="4", name="Shop", kind="Javascript", enabled=True, write_keys=("webkey",))
HIDDEN = Source(id="3", name="Secret")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    paths = paths_in_folder(str(tmp_path))
    paths.config_file.write_text(
        '[environments.production]\nwrite_key = "prodkey1"\n[environments.development]\nwrite_key = "devkey"\n'
    )
    return load_settings(paths)


@pytest.mark.parametrize(
    ("key", "sources", "environment", "kind", "text", "warnings"),
    [
        ("prodkey1", [PROD, DEV], "production", OwnerKind.SOURCE, "Web prod (environment: prod), enabled", []),
        ("devkey", [PROD, DEV], "production", OwnerKind.SOURCE, "Web dev", ["its source: its name says 'dev'"]),
        ("prodkey2", [PROD], "staging", OwnerKind.SOURCE, "Web prod", [
            "its source: its name says 'prod'",
            "its source: its label 'environment: prod' says 'prod'",
            "its source: the key of production belongs to it too",
        ]),
        ("webkey", [WEB], "production", OwnerKind.SOURCE, "Shop (Javascript", ["its source: it is of the kind"]),
        ("other", [PROD, DEV], "production", OwnerKind.NO_SOURCE, "no source of the workspace", ["it belongs to no"]),
        ("other", [PROD, HIDDEN], "production", OwnerKind.NOT_SEEN, "no key of 1 of the 2 sources", []),
        ("other", [HIDDEN], "production", OwnerKind.NOT_SEEN, "the token sees no Write Keys", []),
        ("other", [], "production", OwnerKind.NO_SOURCE, "no source of the workspace", ["it belongs to no"]),
    ],
)  # fmt: skip
def test_the_owner_is_told_as_far_as_it_is_seen(
    settings: Settings,
    key: str,
    sources: list[Source],
    environment: str,
    kind: OwnerKind,
    text: str,
    warnings: list[str],
) -> None:
    owner = find_owner(key, sources, settings, environment)
    assert owner.kind is kind
    assert text in owner.text
    assert "\x1b" not in owner.text
    assert len(owner.warnings) == len(warnings)
    assert all(found.startswith(wanted) for found, wanted in zip(owner.warnings, warnings, strict=True))


@pytest.mark.parametrize(
    ("source", "environment", "expected"),
    [
        (PROD, "production", "prodkey1"),
        (TURNED, "production", "prodkey1"),
        (TURNED, "development", "prodkey2"),
        (TURNED, "staging", "prodkey2"),
        (HIDDEN, "production", ""),
    ],
)
def test_an_environment_keeps_its_key_where_the_source_has_several(
    settings: Settings, source: Source, environment: str, expected: str
) -> None:
    assert key_to_take(source, settings, environment) == expected


def test_a_key_that_is_not_read_is_not_compared(tmp_path: Path) -> None:
    paths = paths_in_folder(str(tmp_path))
    paths.config_file.write_text('[environments.production]\nwrite_key_command = ["false"]\n')
    settings = load_settings(paths)
    assert find_owner("prodkey1", [PROD], settings, "staging").source is PROD
    assert key_to_take(PROD, settings, "production") == "prodkey1"
