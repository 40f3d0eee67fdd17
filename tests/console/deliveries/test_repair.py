"""Repair of a withheld delivery, with the keys that its detail names."""

from __future__ import annotations

import json

import pytest

from sprig_tui.console.deliveries.detail import DetailScreen
from sprig_tui.console.deliveries.repair import repair_refusal, repair_text
from sprig_tui.console.screens.explain import ExplainScreen
from sprig_tui.journal.query import MATCH_ALL
from sprig_tui.journal.records import State
from sprig_tui.reasons import Reason

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
ANONYMOUS = {
    "responseGroupUid": "group-1",
    "question": "How easy was it?",
    "questionType": "LIKERT",
    "response": 4,
    "createdAt": "2026-09-01T10:00:00.000Z",
}


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        ({"state": State.WITHHELD, "reason": Reason.ANONYMOUS}, ("F sets userId", "e edits it", "s sends")),
        ({"state": State.WITHHELD, "reason": Reason.INVALID}, ("m shows", "F edits one field", "e all")),
        ({"state": State.WITHHELD, "reason": Reason.ENVIRONMENT_UNKNOWN}, ("m shows", "1 picks an environment")),
        ({"state": State.WITHHELD, "reason": Reason.WITHDRAWN}, ("r sends it again as it is, m shows",)),
        ({"state": State.FAILED}, ("r sends it again as it is, m shows",)),
        ({"state": State.WITHHELD, "reason": Reason.NOT_AN_ANSWER}, ()),
        ({"state": State.WITHHELD, "reason": Reason.INVALID, "content_dropped": True}, ()),
        ({"state": State.DELIVERED}, ()),
    ],
)
def test_keys_of_a_repair_are_those_of_the_reason(delivery, fields, keys):
    one = delivery(**fields)
    assert all(key in repair_text(one) for key in keys)
    assert bool(repair_text(one)) == bool(keys)
    assert bool(repair_refusal(one)) == (not keys)


async def test_an_anonymous_answer_is_repaired_by_the_keys_that_its_detail_names(console, sink, tmp_path):
    console.keys(development=KEY, endpoint=sink.url)
    file = tmp_path / "answers.json"
    file.write_text(json.dumps(ANONYMOUS), encoding="utf-8")
    async with console.running(size=(80, 24), files=(str(file),)) as pilot:
        await console.press("1", "j", "2")
        await console.until(lambda: "1 of 1" in console.text())
        await console.press("S")
        await console.until(lambda: "Send all 1 record" in console.text())
        await console.press("y")
        await console.until(lambda: pilot.app.main.deliveries.lines.selected)
        await console.press("3", "enter")
        await console.until(lambda: isinstance(pilot.app.screen, DetailScreen) and pilot.app.screen.detail is not None)
        await console.until(lambda: "repair        m shows" in console.text())
        assert " m repair " in console.text()
        assert "the call, which was not sent" in console.text()
        await console.press("m")
        # a record of a file was shown, and the cursor is on the field that is missing
        await console.until(lambda: "delivery 1, mapped again" in console.text())
        payload = pilot.app.main.payload
        assert payload.view.path_at(payload.lines.cursor) == "userId"
        assert "F edits the field under the cursor" in console.notices()[-1]
        await console.press("F", *"acct_9", "enter")
        await console.until(lambda: "would be sent to Development" in console.text())
        await console.press("s")
        await console.until(lambda: "Send delivery 1 as it is now to development?" in console.text())
        await console.press("y")
        await console.until(lambda: sink.stats.accepted == 1)
        old, new = sorted((await pilot.app.session.journal.page(MATCH_ALL)).deliveries, key=lambda row: row.id)
        assert (old.state, new.origin_id, new.user_id) == (State.WITHHELD, old.id, "acct_9")
        await console.press("3", "g")
        await console.until(lambda: "withheld 1 (1 repaired)" in console.text())
        await console.until(lambda: pilot.app.main.deliveries.lines.selected_row.repaired_by == new.id)
        await console.press("enter")
        await console.until(lambda: isinstance(pilot.app.screen, DetailScreen) and pilot.app.screen.detail is not None)
        facts = [pilot.app.screen.view.line(at) for at in range(16)]
        assert "by delivery 2, which takes its place" in {line[-1].text for line in facts if line}
        await console.press("escape", "E")
        await console.until(lambda: isinstance(pilot.app.screen, ExplainScreen))
        assert "delivery 1" in console.text()
