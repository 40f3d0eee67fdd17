"""Splitting a refused batch in halves until the events that poison it stand alone; pure.

One poison event among n costs about 2 log2 n requests, k of them at most 2n - 1 in all: a binary tree over n leaves
has no more nodes.
"""

from __future__ import annotations

from itertools import accumulate

from msgspec import Struct

from sprig_tui.journal.records import Claim


class Stretch(Struct, frozen=True, gc=False):
    """Neighbours in a claim that are sent as one request: positions `start` to `stop`, exclusive."""

    start: int
    stop: int
    splits: int = 0
    """Requests that carried these before and were refused."""

    def __len__(self) -> int:
        return self.stop - self.start


def halves(stretch: Stretch) -> tuple[Stretch, Stretch]:
    """The two halves, older first; `stretch` holds at least two events."""
    middle = (stretch.start + stretch.stop + 1) // 2
    return (
        Stretch(stretch.start, middle, stretch.splits + 1),
        Stretch(middle, stretch.stop, stretch.splits + 1),
    )


class Cuts:
    """Cuts stretches out of a claim's payload without parsing it."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._starts: list[int] = []

    def payload(self, stretch: Stretch) -> bytes:
        """The bodies of a stretch, joined by commas; the whole payload is not copied."""
        if len(stretch) == len(self._claim.sizes):
            return self._claim.payload
        if not self._starts:
            # each body is followed by one comma, but for the last
            self._starts = list(accumulate((size + 1 for size in self._claim.sizes), initial=0))
        return self._claim.payload[self._starts[stretch.start] : self._starts[stretch.stop] - 1]
