"""Payload codec: packs are unpacked unchanged, or rejected as damaged."""

from __future__ import annotations

import random
from array import array

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.journal.payload_codec import (
    DamagedPayloadError,
    entry_tags,
    owner_tag,
    pack,
    unpack,
    unpack_items,
    unpack_tagged_items,
)
from sprig_tui.journal.records import NewDelivery

OWNERS = {10 + at: ("production", f"sprig-{at}") for at in range(6)}
TAGS = [owner_tag(*owner) for owner in OWNERS.values()]
SMALL = [b"", b"a", b"{}", b"\x00\xff", b"b" * 20, b"c"]
LARGE = [
    random.Random(at).randbytes(30) + b'{"answer":"the shipping form asked for my address again"}' * at
    for at in range(6)
]


@given(st.lists(st.binary(max_size=400), min_size=1, max_size=20))
def test_packed_calls_are_unpacked_unchanged(given):
    owners = {1 + at: ("production", str(at)) for at in range(len(given))}
    blob = pack(given, [owner_tag(*owner) for owner in owners.values()])
    assert list(unpack_items(blob, list(owners), 1, owners).values()) == given
    assert unpack(pack(given), range(len(given))) == (given, None)


@given(st.sets(st.integers(min_value=10, max_value=15), min_size=1))
def test_unpacking_by_tags_equals_unpacking_by_owners(some):
    blob, ids = pack(LARGE, TAGS), sorted(some)
    tags = [TAGS[one - 10] for one in ids]
    assert unpack_tagged_items(blob, ids, 10, tags) == unpack_items(blob, ids, 10, OWNERS)
    assert unpack_tagged_items(blob, ids, 10, [*tags[:-1], tags[-1] ^ 1]) is None
    with pytest.raises(DamagedPayloadError):
        unpack_tagged_items(blob, [*ids, 16], 10, [*tags, 0])


@pytest.mark.parametrize("given", [SMALL, LARGE])
def test_flipped_bit_in_a_pack_is_detected(given):
    blob, unnoticed = pack(given, TAGS), 0
    for at in range(len(blob)):
        for bit in range(8):
            bad = bytearray(blob)
            bad[at] ^= 1 << bit
            try:
                found = unpack_items(bytes(bad), list(OWNERS), 10, OWNERS)
            except DamagedPayloadError:
                continue
            unnoticed += 1
            assert list(found.values()) == given, "a bit that zstd does not use"
    assert unnoticed < 4


@pytest.mark.parametrize("given", [SMALL, LARGE])
def test_truncated_pack_is_detected(given):
    blob = pack(given, TAGS)
    for end in range(1, len(blob)):
        with pytest.raises(DamagedPayloadError):
            unpack_items(blob[:end], list(OWNERS), 10, OWNERS)
    with pytest.raises(DamagedPayloadError):
        unpack_items(blob + b"\x00", list(OWNERS), 10, OWNERS)


def test_pack_of_another_delivery_is_detected():
    blob = pack(LARGE, TAGS)
    for other in (("development", "sprig-2"), ("production", "sprig-3"), ("production", "")):
        with pytest.raises(DamagedPayloadError) as raised:
            unpack_items(blob, [11, 12, 13], 10, {**OWNERS, 12: other})
        assert raised.value.ids == (12,)
    with pytest.raises(DamagedPayloadError):
        unpack_items(blob, [10, 11], 11, OWNERS)


def test_tag_of_an_odd_message_id_is_that_of_its_stored_form():
    assert owner_tag("a", "x\0\udc80") == owner_tag("a", "x\u2400?")
    entry = NewDelivery(environment="a", message_id="x\0")
    assert entry_tags([entry]) == [owner_tag("a", "x\u2400")]


def old(given: list[bytes], *, compressed: bool) -> bytes:
    """A pack as versions before checksums made it."""
    plain = array("I", [len(given), *map(len, given)]).tobytes() + b"".join(given)
    return b"\x01" + zstandard.ZstdCompressor(level=1).compress(plain) if compressed else b"\x00" + plain


@pytest.mark.parametrize("compressed", [False, True])
def test_packs_of_older_versions_are_read_and_checked(compressed):
    calls = [
        b'{"messageId":"sprig-%d","userId":"a","event":"x","type":"track","properties":{"a":1},"context":{}}' % at
        for at in range(6)
    ]
    assert unpack_items(old(SMALL, compressed=compressed), list(OWNERS), 10) == dict(zip(OWNERS, SMALL, strict=True))
    assert list(unpack_items(old(calls, compressed=compressed), list(OWNERS), 10, OWNERS).values()) == calls
    whole = calls[2]
    for bad in (
        b"\xff",
        whole.replace(b'"x"', b"x"),
        whole.replace(b"sprig-2", b"sprig-3"),
        whole.replace(b"messageId", b"mestageId"),
        whole.replace(b"userId", b"uaerId"),
        whole.replace(b"track", b"trabk"),
        whole.replace(b'"a":1', b'"\xe1":1'),
        whole.replace(b'"x"', b'"\xf8"'),
    ):
        with pytest.raises(DamagedPayloadError) as raised:
            unpack_items(old([*calls[:2], bad, *calls[3:]], compressed=compressed), list(OWNERS), 10, OWNERS)
        assert raised.value.ids == (12,)
