"""The tracking plan in the payload pane: fields that break it have a note, and nothing is fetched."""

from __future__ import annotations

import json

from sprig_tui.config.environment import WriteKey
from sprig_tui.config.tracking_plans import StoredPlan, key_digest, save_plan
from sprig_tui.mapping.records import Rules
from sprig_tui.segment.source_settings import SourceSettings, TrackingPlanRule
from sprig_tui.segment.tracking_plan import TrackingPlan

from .conftest import flat

KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
SCHEMA = {"properties": {"properties": {"required": ["plan"], "properties": {"surveyName": {"type": "integer"}}}}}


def store_plan(console) -> None:
    event = Rules().event
    rule = TrackingPlanRule(type="TRACK", key=event, json_schema=SCHEMA)
    settings = SourceSettings(allow_event_on_violations=False)
    plan = TrackingPlan(plan_id="tp1", event=event, rules=(rule,), settings=settings)
    digest = key_digest(WriteKey(KEY))
    save_plan(console.paths, "production", StoredPlan(plan=plan, source_id="src1", key_digest=digest, fetched_at=1_000))


async def test_fields_that_break_the_plan_have_a_note(console, tmp_path):
    # the port of the API is closed: whoever asked it would wait
    console.write(
        f'[environments.production]\nwrite_key = "{KEY}"\n'
        f'[segment]\npublic_api_token = "sgp_{"t" * 48}"\nregion = "http://127.0.0.1:9"\n'
    )
    store_plan(console)
    file = tmp_path / "answers.jsonl"
    file.write_text(json.dumps(flat(1)) + "\n")
    async with console.running(files=(str(file),), size=(160, 48)) as pilot:
        await console.until(lambda: "1 of 1" in console.text())
        row = next(line for line in console.text().splitlines() if "tracking plan: not an integer" in line)
        assert "surveyName" in row
        inspection = pilot.app.main.payload.inspection
        assert [lint.path for lint in inspection.lints if lint.code == "schema_violation"] == [
            "properties.plan",
            "properties.surveyName",
        ]
        [added] = [field for field in inspection.fields if field.path == "properties.plan"]
        assert (added.level, added.note) == ("error", "tracking plan: missing; the plan requires it")
        assert "2 errors" in console.text()
        below = "properties.plan: tracking plan: missing; the plan requires it; properties.surveyName: tracking plan"
        assert below[:90] in console.text()
