"""Contract of `settle` for what is queued again without an attempt, since nothing was sent, on both journals."""

from __future__ import annotations

from sprig_tui.journal.pause_reasons import PauseDetail, PauseReason
from sprig_tui.journal.records import LaneChange, Settlement, State


async def test_queued_again_without_an_attempt_uses_nothing_up_and_the_lane_says_why(journal, entry, claim, clock):
    await journal.add([entry(), entry()])
    taken = await claim()
    detail = PauseDetail(
        client="2Xapp", endpoint="https://oauth2.segment.io/token", status=401, error="invalid_client", credentials="ab"
    )
    change = LaneChange(
        epoch=taken.lane.epoch,
        state="paused",
        until=clock.now() + 60_000,
        reason=PauseReason.OAUTH_CLIENT_REFUSED,
        detail=detail,
    )
    queued = Settlement(ids=taken.ids, state=State.QUEUED, error="no OAuth token: invalid_client")
    assert await journal.settle(taken, [queued], change) == 2
    for number in taken.ids:
        found = await journal.get(number)
        assert (found.delivery.state, found.delivery.attempts, list(found.history)) == (State.QUEUED, 0, [])
        assert found.delivery.error == "no OAuth token: invalid_client"
    lane = (await journal.lanes())["production"]
    assert (lane.state, lane.reason, lane.detail, lane.last_status) == ("paused", change.reason, detail, 0)
    await journal.set_lane("production", "open")
    again = await claim()
    assert (again.ids, again.attempts, again.retries_used, again.first_attempts) == (taken.ids, (0, 0), (0, 0), (0, 0))
