"""Splitting a refused batch in halves until the events that poison it stand alone; pure.

One poison event among n costs about 2 log2 n requests, k of them at most 2n - 1 in all: a binary tree over n leaves
has no more nodes.
"""

from __future__ import annotations

from itertools import accumulate

from msgspec import Struct

from sprig_tui.journal.records import Claim


class BatchSlice(Struct, frozen=True, gc=False):
    """Neighbours in a claim that are sent as one request: positions `start` to `stop`, exclusive."""

    start: int
    stop: int
    splits: int = 0
    """Requests that carried these before and were refused."""

    def __len__(self) -> int:
        return self.stop - self.start


def split_in_halves(batch_slice: BatchSlice) -> tuple[BatchSlice, BatchSlice]:
    """The two halves, older first; `stretch` holds at least two events."""
    middle = (batch_slice.start + batch_slice.stop + 1) // 2
    return (
        BatchSlice(batch_slice.start, middle, batch_slice.splits + 1),
        BatchSlice(middle, batch_slice.stop, batch_slice.splits + 1),
    )


class PayloadSlicer:
    """Cuts stretches out of a claim's payload without parsing it."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._starts: list[int] = []

    def payload(self, batch_slice: BatchSlice) -> bytes:
        """The bodies of a stretch, joined by commas; the whole payload is not copied."""
        if len(batch_slice) == len(self._claim.sizes):
            return self._claim.payload
        if not self._starts:
            # each body is followed by one comma, but for the last
            self._starts = list(accumulate((size + 1 for size in self._claim.sizes), initial=0))
        return self._claim.payload[self._starts[batch_slice.start] : self._starts[batch_slice.stop] - 1]
