"""Status sentence of every lane state."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sprig_tui.console.environments.status import StatusInputs, status_of
from sprig_tui.delivery.hold import Hold
from sprig_tui.journal.pause_reasons import PauseReason, reason_of
from sprig_tui.journal.records import Lane

NOW = 1_790_000_000_000


def facts(lane: Lane | None = None, **fields) -> StatusInputs:
    given = {"has_key": True, "queued": 0, "in_flight": 0, "rate": 0, "engine": True, **fields}
    return StatusInputs(lane=lane or Lane(environment="production"), **given)


def paused(cause: str, state: str = "paused", **fields) -> Lane:
    reason, detail = reason_of(cause, state)
    return Lane(environment="p", state=state, reason=reason, detail=detail, **fields)


def waiting(cause: str, **fields) -> Lane:
    reason, detail = reason_of(cause, "waiting")
    return Lane(
        environment="production",
        state="waiting",
        until=NOW + 40_000,
        reason=reason,
        detail=detail,
        failures=3,
        since=NOW - 600_000,
        **fields,
    )


HELD = Lane(environment="p", state="paused", reason=PauseReason.MANUAL)
HOLD = Hold(
    environment="p", by="anna@build", since=NOW - 60_000, why="look", waiting=1_204, sending=5, oldest_at=NOW - 180_000
)
FULL_HOLD = (
    "1,204 held, the oldest for 3 m, 5 still being sent;"
    " w shows them, p sends them; held by anna@build since 14:12: look"
)
EMPTY_HOLD = "held, nothing waits; p resumes it; by anna@build since 14:12"


@pytest.mark.parametrize(
    ("given", "text", "level"),
    [
        (facts(has_key=False), "no key: press a to add one", "muted"),
        (facts(has_key=False, queued=1_204), "no key, 1,204 queued: press a to add one", "warning"),
        (facts(), "nothing queued", "muted"),
        (facts(queued=12), "12 queued", ""),
        (facts(queued=12, rate=212), "delivering 212/s", "good"),
        (facts(queued=12, in_flight=3), "delivering 0/s", "good"),
        (
            facts(queued=12, in_flight=3, orphaned=("3 claimed by a worker that is gone", "until 14:15")),
            "3 claimed by a worker that is gone, until 14:15",
            "warning",
        ),
        (
            facts(queued=12, rate=9, orphaned=("3 claimed by a worker that is gone", "until 14:15")),
            "delivering 9/s",
            "good",
        ),
        (facts(queued=12, engine=False), "12 queued, not delivered from here (--no-engine)", "warning"),
        (facts(queued=12, engine=False, read_only=True), "12 queued, not delivered from here (read-only)", "warning"),
        (facts(waiting("429, Segment asked for 40 s")), "waiting 40 s (Segment asked, 429)", "warning"),
        (facts(waiting("503")), "failing since 14:03: 503; next try in 40 s", "warning"),
        (
            facts(waiting("connection refused")),
            "unreachable since 14:03: connection refused; next try in 40 s",
            "bad",
        ),
        (
            facts(paused("503", "probing", until=NOW + 9_000)),
            "trying one batch: 503",
            "warning",
        ),
        (
            facts(paused("write key Zq8T…e1Rk refused (401)")),
            "paused, Segment rejects the key: write key Zq8T…e1Rk refused (401); a replaces it, p tries again",
            "bad",
        ),
        (
            facts(paused("check the endpoint https://x: it answers 404")),
            "paused, check the endpoint https://x: it answers 404; e changes it, p tries again",
            "bad",
        ),
        (
            facts(HELD, hold=HOLD),
            FULL_HOLD,
            "warning",
        ),
        (facts(HELD, hold=replace(HOLD, waiting=0, sending=0, why="")), EMPTY_HOLD, "warning"),
        (
            facts(paused("maintenance")),
            "paused (maintenance); p resumes",
            "warning",
        ),
        (
            facts(trouble="cannot note answers in the journal: disk full"),
            "cannot note answers in the journal: disk full",
            "bad",
        ),
    ],
)
def test_status_sentences(given, text, level):
    standing = status_of(given, NOW)
    assert (standing.text, standing.level) == (text, level)


@pytest.mark.parametrize(
    ("given", "brief"),
    [
        (facts(waiting("connection refused")), "unreachable"),
        (facts(waiting("503")), "failing"),
        (facts(waiting("429, Segment asked for 40 s")), "waiting 40 s"),
        (facts(paused("write key Zq8T…e1Rk refused (401)")), "paused"),
        (facts(HELD, hold=HOLD), "1,204 held, the oldest for 3 m, 5 still being sent"),
        (facts(has_key=False, queued=1_204), "no key"),
        (facts(queued=1_204, engine=False), "1,204 queued"),
        (
            facts(queued=3, orphaned=("3 claimed by a worker that is gone", "until 14:15")),
            "3 claimed by a worker that is gone",
        ),
    ],
)
def test_brief_status(given, brief):
    standing = status_of(given, NOW)
    assert standing.brief == brief
    assert standing.text.startswith(brief)


def test_expired_wait_shows_no_negative_time():
    lane = waiting("503")
    said = status_of(facts(lane, queued=2), NOW + 50_000)
    assert said.text == "next try is due: 503"
    assert status_of(facts(lane), NOW + 50_000).text == "nothing queued"


@pytest.mark.parametrize(
    ("lane", "last"),
    [
        (Lane(environment="p"), "never used"),
        (Lane(environment="p", last_status=200, last_at=NOW - 2_000), "last answer 200, 2 s ago"),
        (Lane(environment="p", last_status=503, last_at=NOW - 60_000), "last answer 503, 1 min ago"),
        (waiting("connection refused"), ""),
    ],
)
def test_last_response(lane, last):
    assert status_of(facts(lane), NOW).last == last


def test_no_status_claims_that_a_key_is_right():
    for status in (200, 400, 503):
        said = status_of(facts(Lane(environment="p", last_status=status, last_at=NOW)), NOW)
        assert not {"verified", "valid", "correct", "ok"} & set(f"{said.text} {said.last}".lower().split())
