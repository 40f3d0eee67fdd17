"""Payload codec: packs are unpacked unchanged, or rejected as damaged."""

from __future__ import annotations

import base64
import random
import tracemalloc
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.journal.payload_codec import (
    DamagedPayloadError,
    owner_tag,
    owner_tags,
    pack,
    unpack,
    unpack_every,
    unpack_items,
    unpack_tagged_items,
    zstd,
)

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
    assert owner_tags(["a"], ["x\0"]) == [owner_tag("a", "x\u2400")]


def compress(plain: bytes, *, declared: bool = True) -> bytes:
    """One frame, which declares its size or does not."""
    parameter = zstd.CompressionParameter
    return zstd.compress(plain, options={parameter.compression_level: 1, parameter.content_size_flag: int(declared)})


def declare(frame: bytes, size: int) -> bytes:
    """A frame that says it holds this many bytes, in a field of eight."""
    fields, one_segment = frame[4] >> 6, frame[4] >> 5 & 1
    start = 5 if one_segment else 6
    end = start + (1 if one_segment and not fields else (0, 2, 4, 8)[fields])
    return frame[:4] + bytes((frame[4] | 0b11000000,)) + frame[5:start] + size.to_bytes(8, "little") + frame[end:]


def old(given: list[bytes], *, compressed: bool) -> bytes:
    """A pack as versions before checksums made it."""
    plain = array("I", [len(given), *map(len, given)]).tobytes() + b"".join(given)
    return b"\x01" + compress(plain) if compressed else b"\x00" + plain


CALLS = [
    b'{"messageId":"sprig-%d","userId":"a","event":"x","type":"track","properties":{"a":1},"context":{}}' % at
    for at in range(6)
]


@pytest.mark.parametrize(
    ("blob", "tags"),
    [
        (
            (
                b"TPU?J{bYUt-2?z62nGNE00sa60AUx`3iE;I4TL+k1Rbr018NQvXY`mOV1s)iZDn(FVP|DYWFk5ub8vELXDu)yEFyJtWpZI6EFxugWo~pL"
                b"IwE)?EFyGyaAhJoB6M<LV{0NTB5-nVaAk6IX=QUFI(s5vB04dBEFxoXZggdMbRs%?eSI-9Gc+{_00~fOFkOR*HJGGfI)DuHkWFD<J2_#Pu"
                b"+;"
            ),
            TAGS,
        ),
        (
            (
                b"0VuUE{a|7NeFFeuMim-xYg!ESCjM?B*E9RJ0(t;a@wjH20BUp&35Eh;aIB^7ZE_a|+17F6>Q1SwCSnwAClJ*APSn`#=6jc9<Th%i#kL@j"
                b"D2mcI;*bfZl!_Iea{vJd00~fOFkOR*HJGGfI)DuHU{lD~?hO"
            ),
            None,
        ),
    ],
    ids=["with checksum", "before checksums"],
)
def test_packs_that_python_zstandard_made_are_read(blob, tags):
    assert unpack_every(base64.b85decode(blob), 10) == (CALLS, tags)


MANY = [*LARGE[:5], random.Random(7).randbytes(600_000)]


@pytest.mark.parametrize("given", [LARGE, MANY], ids=["one segment", "window"])
@pytest.mark.parametrize("codec", [b"\x01", b"\x5b"])
def test_frame_that_declares_another_size_is_damaged_and_takes_no_memory(given, codec):
    plain = array("I", [len(given), *([0] if codec == b"\x5b" else []), *map(len, given)]).tobytes() + b"".join(given)
    frame = compress(plain)
    assert unpack_every(codec + declare(frame, len(plain)), 10) == (given, None)
    tracemalloc.start()
    for size in (len(plain) - 1, len(plain) + 1, 0, 2_000_000_000, (1 << 31) + 1, (1 << 64) - 3):
        with pytest.raises(DamagedPayloadError):
            unpack_items(codec + declare(frame, size), list(OWNERS), 10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


@pytest.mark.parametrize("codec", [b"\x01", b"\x5b"])
def test_frames_that_a_pack_never_has_are_damaged(codec):
    plain = array("I", [6, *([0] if codec == b"\x5b" else []), *map(len, LARGE)]).tobytes() + b"".join(LARGE)
    assert unpack_every(codec + compress(plain), 10) == (LARGE, None)
    for bad in (
        compress(plain, declared=False),
        compress(plain) * 2,
        compress(plain[:300]) + compress(plain[300:]),
        compress(b""),
        b"\x50\x2a\x4d\x18\x04\x00\x00\x00none" + compress(plain),  # a skippable frame before it
        b"",
    ):
        with pytest.raises(DamagedPayloadError):
            unpack_items(codec + bad, list(OWNERS), 10)
        with pytest.raises(DamagedPayloadError):
            unpack_every(codec + bad, 10)


@pytest.mark.parametrize("size", [32_767, 32_768, 32_769, 131_072, 1_200_000, 20_000_000])
def test_large_payloads_are_unpacked_unchanged(size):
    given = [random.Random(size).randbytes(size), b"a" * size]
    blob = pack(given, TAGS[:2])
    assert unpack_every(blob, 10) == (given, TAGS[:2])
    with pytest.raises(DamagedPayloadError):
        unpack_every(blob[:-1], 10)
    with pytest.raises(DamagedPayloadError):
        unpack_every(blob[: size // 2], 10)


@pytest.mark.parametrize("compressed", [False, True])
def test_packs_of_older_versions_are_read_and_checked(compressed):
    assert unpack_items(old(SMALL, compressed=compressed), list(OWNERS), 10) == dict(zip(OWNERS, SMALL, strict=True))
    assert list(unpack_items(old(CALLS, compressed=compressed), list(OWNERS), 10, OWNERS).values()) == CALLS
    whole = CALLS[2]
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
            unpack_items(old([*CALLS[:2], bad, *CALLS[3:]], compressed=compressed), list(OWNERS), 10, OWNERS)
        assert raised.value.ids == (12,)
