"""Fingerprints and the filter, without a store."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.records import make_entry

from sprig_tui.journal import tombstone_filter
from sprig_tui.journal.dedup import StoredIdentity, classify_duplicate
from sprig_tui.journal.records import REMOVED_ID, State
from sprig_tui.journal.tombstone_filter import Bitmap, TombstoneFilter, bitmap_row, installed_row, joined_row, log_row
from sprig_tui.journal.tombstones import FINGERPRINT_BYTES, Tombstone, end_minute, first_kept_minute, make_fingerprint

QUESTIONS = st.sampled_from(["", "q1", "q2"])
DIGESTS = st.sampled_from([b"", b"\0" * 8, b"\1" * 8])
SECONDS = st.sampled_from([0, 1_760_000_000, 1_760_000_001, 1 << 40])
ENDS = st.sampled_from(
    [
        (State.DELIVERED, ""),
        (State.FAILED, ""),
        (State.WITHHELD, "newer-revision"),
        (State.WITHHELD, "possible-duplicate"),
        (State.WITHHELD, "withdrawn"),
    ]
)


@given(QUESTIONS, QUESTIONS, DIGESTS, DIGESTS, SECONDS, SECONDS, ENDS)
def test_an_answer_relates_to_a_tombstone_as_to_the_delivery_itself(
    question, asked, digest, given_digest, updated, given_updated, end
):
    entry = make_entry(1, question_id=asked, digest=given_digest, updated_at=given_updated * 1000)
    stored = StoredIdentity(7, "production", entry.message_id, digest, question, updated * 1000, *end)
    fingerprint = make_fingerprint(stored)
    assert len(fingerprint) == FINGERPRINT_BYTES
    removed = Tombstone(fingerprint).identity("production", entry.message_id, entry)
    assert (removed.id, removed.state, removed.reason, removed.endpoint) == (REMOVED_ID, *end, "")
    if updated < 1 << 32 or given_updated > updated:
        assert classify_duplicate(removed, entry) == classify_duplicate(stored, entry)


def test_a_tombstone_of_another_identity_does_not_stand_for_this_one():
    entry = make_entry(1)
    stored = StoredIdentity(7, "production", entry.message_id, b"", "", 0, State.DELIVERED, "")
    tombstone = Tombstone(make_fingerprint(stored))
    assert tombstone.identity("production", entry.message_id) is not None
    assert tombstone.identity("development", entry.message_id) is None
    assert tombstone.identity("production", make_entry(2).message_id) is None
    assert make_fingerprint(stored) != make_fingerprint(replace(stored, digest=b"1"))


@given(st.integers(0, 1 << 41), st.integers(0, 1 << 41))
def test_an_end_before_a_time_is_before_its_first_kept_minute(ended_at, before):
    assert (end_minute(ended_at) < first_kept_minute(before)) >= (ended_at < before)


KEYS = st.lists(st.integers(0, (1 << 63) - 1), max_size=30)


@given(st.lists(st.tuples(st.sampled_from(["log", "join", "build", "lose"]), KEYS), max_size=10), st.data())
def test_the_filter_misses_no_key_however_its_rows_were_made(steps, data):
    rows, keys, known = [], set(), [TombstoneFilter(), TombstoneFilter()]
    for step, new in steps:
        last = rows[-1][0] if rows else 0
        if step == "log":
            keys |= set(new)
            rows.append(log_row(last, new))
        elif step == "join" and rows and (row := joined_row(rows)) is not None:
            rows = [row]
        elif step == "build":
            bitmap = Bitmap.for_keys(len(keys))
            bitmap.add(keys)
            since = data.draw(st.sampled_from([last, *(row[0] for row in rows)]))
            later = [row for row in rows if row[0] > since]
            if (row := installed_row(bitmap, len(keys), later, since)) is not None:
                rows = [row]
        elif step == "lose":
            rows.append(tombstone_filter.lost_row(last))
        if data.draw(st.booleans()):
            follow(known[0], rows)
    for one in known:
        follow(one, rows)
        assert keys <= set(one.candidates(sorted(keys)))


def follow(known: TombstoneFilter, rows) -> None:
    since = known.seq
    if not known.follow([row for row in rows if row[0] >= since], since):
        assert known.follow(rows, 0)


@pytest.mark.parametrize("has_bitmap", [False, True])
def test_the_filter_starts_again_on_rows_of_another_history(has_bitmap):
    """Such as after a backup was restored: other keys, and numbers that do not continue."""
    first, other = [log_row(0, [1 << 60])], [log_row(0, [1 << 50]), log_row(1 << 40, [1 << 51])]
    if has_bitmap:
        other = [joined_row([bitmap_row(0, Bitmap.for_keys(2), 0), *other])]
    known = TombstoneFilter()
    follow(known, first)
    assert known.candidates([1 << 60, 1 << 50]) == [1 << 60]
    follow(known, other)
    assert known.candidates([1 << 60, 1 << 50, 1 << 51]) == [1 << 50, 1 << 51]


def test_few_of_the_new_keys_pass():
    bitmap = Bitmap.for_keys(20_000)
    bitmap.add(range(0, 1 << 63, (1 << 63) // 20_000))
    assert bitmap.bits == 18
    assert len(bitmap.candidates(range(12345, 1 << 63, (1 << 63) // 9_973))) < 9_973 / 12 + 300
