"""Claims made in the transaction that stores: their limits, pacing and leases."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.journal.sqlite.claim import split_into_claims

TERMS = ClaimRequest("production", 2500, 475_000, 60_000, 0.0, "a worker", 4)


async def test_claims_made_while_adding_fit_their_limits(tmp_path, clock, entry):
    async with SQLiteJournal(tmp_path / "journal.db", clock=clock) as journal:
        entries = [entry(body=b"x" * 100) for _ in range(10)]
        _, claims = await journal.add_and_claim(entries, (replace(TERMS, payload_bytes=302, rate=10.0, claims=2),))
        assert [one.ids for one in claims] == [(1, 2, 3), (4, 5, 6)]
        assert {len(one.payload) for one in claims} == {302}
        assert len({one.lease for one in claims}) == 2
        assert [one.send_at - clock.now() for one in claims] == [0, 100]
        rest = await journal.claim(
            ClaimRequest("production", events=9, payload_bytes=475_000, lease_ms=1000, rate=10.0)
        )
        assert rest.ids == (7, 8, 9, 10)
        assert rest.send_at - clock.now() == 200


async def test_claims_made_while_adding_are_per_environment(tmp_path, clock, entry):
    async with SQLiteJournal(tmp_path / "journal.db", clock=clock) as journal:
        entries = [entry(name) for name in ("production", "development", "production", "staging")]
        wanted = (TERMS, replace(TERMS, environment="development"), replace(TERMS, environment="nobody's"))
        _, claims = await journal.add_and_claim(entries, wanted)
        assert [(one.environment, one.ids) for one in claims] == [("production", (1, 3)), ("development", (2,))]
        assert [one.lane.environment for one in claims] == ["production", "development"]


@settings(deadline=None)
@given(st.lists(st.integers(1, 60)), st.integers(1, 100), st.integers(1, 6))
def test_split_into_claims_is_complete_and_within_the_limits(sizes, payload_bytes, events):
    cut = list(split_into_claims(sizes, replace(TERMS, payload_bytes=payload_bytes, events=events)))
    assert [size for part in cut for size in sizes[part]] == sizes
    for position, part in enumerate(cut):
        held = sizes[part]
        assert 1 <= len(held) <= events
        assert len(held) == 1 or sum(held) + len(held) - 1 <= payload_bytes
        if position + 1 < len(cut) and len(held) < events:
            following = sizes[cut[position + 1]][0]
            assert sum(held) + len(held) + following > payload_bytes
