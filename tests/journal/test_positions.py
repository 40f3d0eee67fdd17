"""Contract of the identity and of read positions."""

from __future__ import annotations

from sprig_tui.journal.open import open_journal


async def test_journal_keeps_its_identity(journal, journal_place):
    identity = await journal.identity()
    assert len(identity.uuid) == 32
    assert not identity.older
    async with open_journal(journal_place) as again:
        assert await again.identity() == identity


async def test_positions_are_stored_by_kind_and_key(journal, journal_place):
    await journal.save_positions("pull", {"a": b"1", "b \x00é": b"\x00\xff"})
    await journal.save_positions("sent-file", {"a": b"2"})
    await journal.save_positions("pull", {"a": b"3"}, removed=["b"])
    async with open_journal(journal_place) as again:
        kept = await again.positions("pull")
        assert kept.pop("a") == b"3"
        assert list(kept.values()) == [b"\x00\xff"]
        assert await again.positions("sent-file") == {"a": b"2"}
    await journal.save_positions("pull", {}, removed=["a", "never"])
    assert "a" not in await journal.positions("pull")
