"""Replay texts: questions, results and progress."""

import pytest

from sprig_tui.console.deliveries.replay_text import (
    ALL_DELIVERIES_TEXT,
    ReplayRequest,
    confirm_label,
    job_end_text,
    job_text,
    replay_explanation,
    replay_outcome,
    replay_question,
    replay_request,
)
from sprig_tui.journal.records import AddResult, ReplayJob, State

NOW = 1_790_000_000_000


def test_failed_delivery_needs_no_confirmation(delivery):
    wish = replay_request([delivery(state=State.FAILED)], NOW, as_new=False)
    assert not wish.needs_confirmation


def test_repaired_delivery_is_replayed_after_a_question_alone(delivery):
    request = replay_request([delivery(state=State.FAILED, repaired_by=57)], NOW, as_new=False)
    assert request.needs_confirmation
    assert "1 is repaired: another delivery was sent instead, and Segment counts both" in replay_explanation(request)


def test_explanation_names_the_end_of_the_dedup_window(delivery):
    wish = replay_request([delivery()], NOW, as_new=False)
    assert wish.needs_confirmation
    assert replay_question(wish) == "Replay this delivery?"
    assert replay_explanation(wish) == "it was delivered: Segment will ignore this until tomorrow 13:56"


def test_old_delivered_one_needs_no_confirmation(delivery):
    assert not replay_request([delivery(settled_at=NOW - 90_000_000)], NOW, as_new=False).needs_confirmation


def test_send_as_new_warns_of_double_counting(delivery):
    wish = replay_request([delivery(state=State.FAILED)], NOW, as_new=True)
    assert wish.needs_confirmation
    assert replay_question(wish) == "Send this delivery again as new?"
    assert "may count twice downstream" in replay_explanation(wish)


def test_explanation_counts_by_environment(delivery):
    rows = [delivery(), delivery(environment="development", state=State.FAILED), delivery(state=State.FAILED)]
    wish = replay_request(rows, NOW, as_new=False)
    assert wish.needs_confirmation
    assert replay_question(wish) == "Replay 3 deliveries?"
    assert replay_explanation(wish).splitlines()[:2] == ["1 of them delivered already", "production 2 · development 1"]
    assert confirm_label(wish) == "Replay 3"


def test_explanation_names_the_filter():
    wish = ReplayRequest(by_environment={"production": 1_204}, filter="status:failed", as_new=True)
    assert replay_question(wish) == "Send 1,204 deliveries again as new?"
    assert replay_explanation(wish).startswith("everything that matches status:failed\nproduction 1,204\n")
    assert confirm_label(wish) == "Send 1,204 as new"


@pytest.mark.parametrize(
    ("outcomes", "text"),
    [
        (["new"], "1 queued again"),
        (["new", "known", "new"], "2 queued again, 1 left as before (still queued, or nothing to send)"),
        (["known"], "nothing was queued: it is queued already"),
        (["known", "known"], "nothing was queued: they are queued already"),
    ],
)
def test_replay_outcomes(outcomes, text):
    assert replay_outcome([AddResult(1, one, State.QUEUED) for one in outcomes]) == text


@pytest.mark.parametrize(
    ("left", "text"),
    [
        ([(State.WITHHELD, "not-an-answer")], "it is withheld (not-an-answer), with nothing that can be sent"),
        (
            [(State.WITHHELD, "invalid"), (State.WITHHELD, "anonymous")],
            "they are withheld (anonymous, invalid), with nothing that can be sent",
        ),
        ([(State.WITHHELD, "invalid"), (State.QUEUED, "")], "they are queued already, or nothing can be sent"),
    ],
)
def test_outcome_without_replays_names_the_state(left, text):
    assert (
        replay_outcome([AddResult(1, "known", state, reason) for state, reason in left])
        == f"nothing was queued: {text}"
    )


def job(**fields):
    default = {
        "id": 1, "filter": "status:failed", "as_new": False, "state": "running", "created_at": NOW, "cursor": 0,
        "last_id": 9, "total": 200, "queued": 90, "skipped": 10,
    }  # fmt: skip
    return ReplayJob(**{**default, **fields})


@pytest.mark.parametrize(
    ("fields", "others", "stalled", "parts"),
    [
        (
            {},
            0,
            False,
            ["replay  ━━━━━━━━━━──────────  90 of 200 queued  P pauses, x cancels  10 skipped  status:failed"],
        ),
        ({"state": "paused", "skipped": 0}, 0, False, ["90 of 200 queued  paused: P resumes"]),
        ({"as_new": True, "filter": ""}, 2, False, ["sending as new  ━", "and 2 more  everything"]),
        ({}, 0, True, ["no engine is running"]),
        ({"total": 0, "queued": 0, "skipped": 0}, 0, False, ["0 of 0 queued"]),
        ({"queued": 500}, 0, False, ["━" * 20]),
    ],
)
def test_replay_job_progress(fields, others, stalled, parts):
    line = job_text(job(**fields), others, stalled=stalled, width=120)
    assert all(part in line for part in parts), line


@pytest.mark.parametrize("state", ["running", "paused"])
def test_narrow_progress_line_shows_the_keys(state):
    line = job_text(
        job(state=state, queued=9_000, total=160_000, filter="survey:" + "x" * 60), 3, stalled=False, width=80
    )
    assert "x cancels" in line[:78]


def test_replay_job_end():
    assert job_end_text(job(state="done")) == (
        "the replay of status:failed is done: 90 queued again, 10 skipped (still queued, or nothing to send)"
    )
    assert (
        job_end_text(job(state="cancelled", skipped=0)) == "the replay of status:failed was cancelled: 90 queued again"
    )
    assert job_end_text(job(state="cancelled", skipped=0, as_new=True)).endswith("was cancelled: 90 queued as new")


def test_empty_filter_is_everything():
    wish = ReplayRequest(by_environment={"production": 3}, filter=ALL_DELIVERIES_TEXT)
    assert replay_explanation(wish).startswith("everything in the journal\nproduction 3\n")


def test_explanation_names_a_changed_endpoint(delivery):
    endpoints = {"production": "https://api.segment.io"}
    trial = delivery(endpoint="http://127.0.0.1:8080")
    wish = replay_request([trial], NOW, as_new=False, endpoints=endpoints)
    assert wish.needs_confirmation
    assert "it went to http://127.0.0.1:8080; a replay goes to https://api.segment.io" in replay_explanation(wish)
    assert "ignore" not in replay_explanation(wish), "the endpoint it goes to never saw its id"
    many = replay_request(
        [trial, trial, delivery(endpoint="https://api.segment.io")], NOW, as_new=False, endpoints=endpoints
    )
    assert "2 went to http://127.0.0.1:8080; a replay goes to https://api.segment.io" in replay_explanation(many)
    same = replay_request([delivery(endpoint="https://api.segment.io")], NOW, as_new=False, endpoints=endpoints)
    assert "went to" not in replay_explanation(same)
