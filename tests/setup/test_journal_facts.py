"""Journal facts of the set-up on both journals: what is not among the newest deliveries is searched for, once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from support.accepted_deliveries import deliver_at
from support.clocks import NOW_MS, ManualClock
from support.records import make_entry

from sprig_tui.journal.base import Journal
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.notes import BackupNote, MetricsNote, Notes, load_notes, save_note
from sprig_tui.journal.open import open_journal
from sprig_tui.journal.records import Attempt, Settlement, State
from sprig_tui.reasons import Reason
from sprig_tui.setup import journal_facts
from sprig_tui.setup.journal_facts import ANSWER, PULLED, WEBHOOK, JournalFacts, gather_journal


@pytest.fixture
async def journal(journal_place: str) -> AsyncIterator[Journal]:
    async with open_journal(journal_place, clock=ManualClock()) as opened:
        yield opened


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_facts, "WINDOW_ROWS", 3)
    monkeypatch.setattr(journal_facts, "MIN_PAGE_ROWS", 2)


async def look(journal: Journal, *wanted: str, before: JournalFacts | None = None) -> JournalFacts:
    found = await gather_journal(journal, "production", wanted=wanted, before=before)
    assert found is not None
    return found


async def test_an_old_webhook_and_an_old_delivery_are_found_behind_many_that_are_withheld(journal: Journal) -> None:
    await deliver_at(journal, NOW_MS, 1)
    await journal.add([make_entry(9_001, source="webhook", survey_name="webhook survey")])
    anonymous = {"reason": Reason.ANONYMOUS, "user_id": "", "source": "the api.jsonl"}
    await journal.add([make_entry(9_100 + n, **anonymous) for n in range(8)])
    found = await look(journal, WEBHOOK, PULLED)
    assert (found.seen, found.anonymous, found.more) == (3, 3, True)
    assert found.webhook is not None
    assert found.answer_webhook == found.webhook
    assert found.delivered is not None
    assert found.delivered.state is State.DELIVERED
    assert found.answer is not None
    assert found.pulled is None
    assert not found.may_have(PULLED)
    # the next look takes over what is known, also that nothing was pulled
    await journal.add([make_entry(9_200, **anonymous)])
    later = await look(journal, WEBHOOK, PULLED, before=found)
    assert (later.webhook, later.delivered, later.absent) == (found.webhook, found.delivered, found.absent)
    assert later.newest_id > found.newest_id


async def test_an_answer_that_is_nowhere_is_known_to_be_missing(journal: Journal) -> None:
    await journal.add([make_entry(9_300 + n, reason=Reason.ANONYMOUS, user_id="") for n in range(5)])
    found = await look(journal)
    assert (found.answer, found.may_have(ANSWER)) == (None, False)
    # an environment without a delivery is not searched
    nothing = await gather_journal(journal, "staging")
    assert nothing is not None
    assert (nothing.more, nothing.newest_id) == (False, 0)


async def test_what_became_of_an_old_delivery_is_seen_although_it_is_no_longer_among_the_newest(
    journal: Journal,
) -> None:
    await journal.add([make_entry(9_400)])
    before = await look(journal)
    assert before.newest is not None
    await journal.withdraw([before.newest.id])
    await journal.add([make_entry(9_500 + n, reason=Reason.ANONYMOUS, user_id="") for n in range(5)])
    assert (await look(journal, before=before)).newest is None


async def test_a_search_that_ends_before_all_was_searched_leaves_it_open(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_facts, "MAX_READS", 2)
    await journal.add([make_entry(9_600, source="webhook")])
    await journal.add([make_entry(9_700 + n, survey_name="a webhook survey") for n in range(9)])
    found = await look(journal, WEBHOOK)
    assert (found.webhook, found.may_have(WEBHOOK)) == (None, True)


async def test_notes_are_kept_and_unreadable_ones_count_as_none(journal: Journal) -> None:
    assert await load_notes(journal) == Notes()
    backup, metrics = BackupNote(at=1, file="/b"), MetricsNote(at=2, reader="Prometheus/2.53.1")
    await save_note(journal, backup)
    await save_note(journal, metrics)
    assert await load_notes(journal) == Notes(backup=backup, metrics=metrics)
    await journal.save_positions("note", {"backup": b"\xff", "metrics": b'{"at":"x"}'})
    assert await load_notes(journal) == Notes()


async def test_what_a_run_with_another_endpoint_sent_is_an_answer_that_was_read_but_none_that_segment_took(
    journal: Journal,
) -> None:
    elsewhere = "http://127.0.0.1:9"
    await journal.add([make_entry(9_800, endpoint=elsewhere)])
    request = ClaimRequest("production", events=9, payload_bytes=10_000, lease_ms=60_000, endpoint=elsewhere)
    claim = await journal.claim(request)
    attempt = Attempt(started_at=NOW_MS, status=200, outcome="delivered", events=1, endpoint=elsewhere)
    await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED, attempt=attempt)])
    for rows in (0, 5):
        await journal.add([make_entry(9_900 + n, reason=Reason.ANONYMOUS, user_id="") for n in range(rows)])
        found = await look(journal)
        assert found.answer is not None
        assert found.answer.state is State.DELIVERED
        assert (found.delivered, found.newest, found.taken_at, found.taken) == (None, None, (), ())
