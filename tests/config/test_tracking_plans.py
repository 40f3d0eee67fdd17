"""Stored tracking plans: used only with a token and the key that they belong to, and never trusted."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sprig_tui.config.environment import WriteKey
from sprig_tui.config.paths import Paths, paths_in_folder
from sprig_tui.config.settings import Settings, load_settings
from sprig_tui.config.tracking_plans import (
    PlanCache,
    StoredPlan,
    key_digest,
    load_plan_lints,
    plans_file,
    read_plans,
    save_plan,
)
from sprig_tui.errors import ConfigError
from sprig_tui.segment.source_settings import SourceSettings, TrackingPlanRule
from sprig_tui.segment.tracking_plan import PlanChecker, TrackingPlan, plan_of_event

KEY, OTHER = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx", "k2bbbbbbCCCCdddd2222EEEEffff2Sky"
EVENT = "Survey Answered"
SCHEMA = {"properties": {"properties": {"required": ["email"], "properties": {"score": {"type": "integer"}}}}}
BODY = msgspec.json.encode({"event": EVENT, "properties": {"score": "4"}})


def rule(kind: str = "TRACK", key: str = EVENT, version: int = 1, schema: Any = SCHEMA) -> TrackingPlanRule:
    return TrackingPlanRule(type=kind, key=key, version=version, json_schema=schema)


def stored(*rules: TrackingPlanRule, key: str = KEY, **settings: Any) -> StoredPlan:
    plan = TrackingPlan(plan_id="tp1", event=EVENT, rules=rules, settings=SourceSettings(**settings))
    return StoredPlan(plan=plan, source_id="src1", key_digest=key_digest(WriteKey(key)), fetched_at=5)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = paths_in_folder(str(tmp_path / "home"))
    found.config_file.parent.mkdir()
    return found


def settings_of(paths: Paths, *, key: str = KEY, token: str = "sgp_" + "t" * 48) -> Settings:
    token_line = f'[segment]\npublic_api_token = "{token}"\n' if token else ""
    paths.config_file.write_text(f'[environments.production]\nwrite_key = "{key}"\n{token_line}')
    return load_settings(paths, {})


def test_a_stored_plan_names_the_fields_that_break_it(paths: Paths) -> None:
    save_plan(paths, "production", stored(rule(), allow_event_on_violations=False))
    finding = load_plan_lints(settings_of(paths), paths).check("production", BODY)
    assert finding is not None
    assert [(lint.code, lint.path, lint.message, lint.level) for lint in finding.lints] == [
        ("schema_violation", "properties.email", "tracking plan: missing; the plan requires it", "error"),
        ("schema_violation", "properties.score", "tracking plan: not an integer", "error"),
    ]
    assert finding.outcome == "the source would drop the call"
    assert stat.S_IMODE(plans_file(paths).stat().st_mode) == 0o600
    assert KEY not in plans_file(paths).read_text()


@pytest.mark.parametrize(
    ("allowed", "level", "outcome"),
    [(True, "warning", "the source would only mark the call"), (None, "warning", "the source may drop the call")],
)
def test_a_violation_that_is_not_surely_dropped_is_a_warning(
    paths: Paths, allowed: bool | None, level: str, outcome: str
) -> None:
    save_plan(paths, "production", stored(rule(), allow_event_on_violations=allowed))
    finding = load_plan_lints(settings_of(paths), paths).check("production", BODY)
    assert finding is not None
    assert {lint.level for lint in finding.lints} == {level}
    assert finding.outcome == outcome


def test_a_plan_is_off_without_a_token_with_another_key_and_for_another_event(paths: Paths) -> None:
    save_plan(paths, "production", stored(rule()))
    assert load_plan_lints(settings_of(paths), paths)
    assert not load_plan_lints(settings_of(paths, token=""), paths)
    assert not load_plan_lints(settings_of(paths, key=OTHER), paths)
    lints = load_plan_lints(settings_of(paths), paths)
    assert lints.check("production", b'{"event": "Another"}') is None
    assert lints.check("staging", BODY) is None
    for body in (b"", b"[]", b"{", b"\xff", b"[" * 5_000):
        assert lints.check("production", body) is None


def test_a_source_without_a_plan_is_remembered_and_checks_nothing(paths: Paths) -> None:
    none = msgspec.structs.replace(stored(), plan=None)
    save_plan(paths, "production", none)
    assert read_plans(paths) == {"production": none}
    assert load_plan_lints(settings_of(paths), paths).check("production", BODY) is None


def test_plans_of_other_environments_stay(paths: Paths) -> None:
    save_plan(paths, "production", stored(rule()))
    save_plan(paths, "development", stored(rule(), key=OTHER))
    assert set(read_plans(paths)) == {"production", "development"}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"plans": 5}', b'{"plans": {"production": {}}}', b"\xff\xfe"])
def test_a_file_that_is_no_plan_is_an_error_with_the_next_step_and_can_be_replaced(
    paths: Paths, content: bytes
) -> None:
    file = plans_file(paths)
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="no tracking plans") as caught:
        read_plans(paths)
    assert "--refresh-plan" in caught.value.hint
    assert PlanCache(settings_of(paths), paths).lints("production", BODY) == ()
    save_plan(paths, "production", stored(rule()))
    assert set(read_plans(paths)) == {"production"}


def test_a_file_of_a_newer_version_is_left_to_that_version(paths: Paths) -> None:
    file = plans_file(paths)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"version": 9, "plans": {}}))
    with pytest.raises(ConfigError, match="newer version"):
        read_plans(paths)


def test_a_console_sees_a_plan_that_was_stored_later(paths: Paths) -> None:
    cache = PlanCache(settings_of(paths), paths)
    assert cache.lints("production", BODY) == ()
    save_plan(paths, "production", stored(rule()))
    assert [lint.path for lint in cache.lints("production", BODY)] == ["properties.email", "properties.score"]
    plans_file(paths).unlink()
    assert cache.lints("production", BODY) == ()


def test_a_schema_that_cannot_be_checked_is_said(paths: Paths) -> None:
    save_plan(paths, "production", stored(rule(schema={"$ref": "#"})))
    finding = load_plan_lints(settings_of(paths), paths).check("production", BODY)
    assert finding is not None
    [lint] = finding.lints
    assert (lint.code, lint.path, lint.level) == ("plan_unchecked", "", "warning")
    assert finding.outcome == "the call could not be checked"


# -- what a plan has for an event -------------------------------------------------------------------------------------


def test_the_newest_version_of_a_rule_and_the_common_rules_hold() -> None:
    rules = [rule(version=1), rule(version=3, schema={}), rule(version=2), rule("COMMON", ""), rule("IDENTIFY", EVENT)]
    plan = plan_of_event("tp1", EVENT, rules, SourceSettings())
    assert [(found.type, found.version) for found in plan.rules] == [("TRACK", 3), ("COMMON", 1)]


@pytest.mark.parametrize(
    ("rules", "settings", "blocked"),
    [
        ([rule(schema={}), rule("COMMON", "")], {"common_event_on_violations": "BLOCK"}, True),
        ([rule(schema={}), rule("COMMON", "")], {"common_event_on_violations": "ALLOW"}, False),
        ([rule(schema={}), rule("COMMON", "")], {}, None),
        ([rule(schema={})], {}, False),
        ([rule(schema=None)], {"allow_event_on_violations": False}, False),
        ([rule(key="Another")], {"allow_unplanned_events": False}, True),
        ([rule(key="Another")], {"allow_unplanned_events": True}, False),
        ([rule(key="Another")], {}, None),
    ],
)
def test_the_settings_of_the_source_decide_what_is_blocked(
    rules: list[TrackingPlanRule], settings: dict[str, Any], blocked: bool | None
) -> None:
    plan = plan_of_event("tp1", EVENT, rules, SourceSettings(**settings))
    assert PlanChecker(plan).check(msgspec.json.decode(BODY)).blocked is blocked
