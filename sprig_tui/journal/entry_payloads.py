"""Entry payloads: records and calls of new deliveries as the mapping process sends them, packed and joined.

Both are columns of `EntryColumns`: sequences that make single items only where somebody asks for them. A journal stores
the packs as they are, and a claim sends a part of the joined calls.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate, chain, pairwise
from operator import add
from typing import overload

from msgspec import Struct

from sprig_tui.journal.payload_codec import owner_tags, pack, split_into_packs, unpack


class EntryPack(Struct, frozen=True, gc=False, array_like=True):
    """Consecutive entries as a journal stores their payloads."""

    entries: int
    raws: bytes
    bodies: bytes


def make_packs(
    raws: Sequence[bytes], bodies: Sequence[bytes], environments: Sequence[str], message_ids: Sequence[str]
) -> list[EntryPack]:
    """The packs of some entries, in order."""
    tags, sizes = owner_tags(environments, message_ids), [*map(add, map(len, raws), map(len, bodies))]
    return [
        EntryPack(end - start, pack(raws[start:end]), pack(bodies[start:end], tags[start:end]))
        for start, end in split_into_packs(sizes)
    ]


class _LazyItems(Sequence[bytes]):
    """Items that are made at the first use of one."""

    @abstractmethod
    def _make_items(self) -> list[bytes]: ...

    @cached_property
    def _items(self) -> list[bytes]:
        return self._make_items()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._items)

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> list[bytes]: ...
    def __getitem__(self, at: int | slice) -> bytes | list[bytes]:
        return self._items[at]


class PackedRaws(_LazyItems):
    """The records of entries, in packs that hold their calls too."""

    def __init__(self, packs: Sequence[EntryPack]) -> None:
        self.packs = packs

    def __len__(self) -> int:
        return sum(one.entries for one in self.packs)

    def _make_items(self) -> list[bytes]:
        return [*chain.from_iterable(unpack(one.raws)[0] for one in self.packs)]


class JoinedBodies(_LazyItems):
    """The calls of entries, joined by commas as in a request."""

    def __init__(self, joined: bytes, sizes: Sequence[int]) -> None:
        self.joined = joined
        self.sizes = sizes

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def _starts(self) -> list[int]:
        return [*accumulate((size + 1 for size in self.sizes), initial=0)]

    def part(self, start: int, stop: int) -> bytes:
        """Those from `start` to `stop`, exclusive, joined; at least one."""
        return self.joined[self._starts[start] : self._starts[stop] - 1]

    def _make_items(self) -> list[bytes]:
        return [self.joined[start : end - 1] for start, end in pairwise(self._starts)]


def body_sizes(bodies: Sequence[bytes]) -> Sequence[int]:
    """The size of each call."""
    return bodies.sizes if isinstance(bodies, JoinedBodies) else list(map(len, bodies))


def join_bodies(bodies: Sequence[bytes], part: slice) -> bytes:
    """A part of the calls, not empty, joined by commas."""
    if isinstance(bodies, JoinedBodies):
        return bodies.part(part.start, part.stop)
    return b",".join(bodies[part])


def payload_bytes(raws: Sequence[bytes], bodies: Sequence[bytes]) -> int:
    """Bytes that these take in memory."""
    records = (
        sum(len(one.raws) + len(one.bodies) for one in raws.packs)
        if isinstance(raws, PackedRaws)
        else sum(map(len, raws))
    )
    return records + sum(body_sizes(bodies))


def join_payload_columns(parts: Sequence[Sequence[bytes]]) -> Sequence[bytes]:
    """One column of several, in order: packed or joined if all of them are."""
    packed = [part for part in parts if isinstance(part, PackedRaws)]
    if packed and len(packed) == len(parts):
        return PackedRaws([*chain.from_iterable(part.packs for part in packed)])
    joined = [part for part in parts if isinstance(part, JoinedBodies)]
    if joined and len(joined) == len(parts):
        return JoinedBodies(
            b",".join(part.joined for part in joined), [*chain.from_iterable(part.sizes for part in joined)]
        )
    return [*chain.from_iterable(parts)]
