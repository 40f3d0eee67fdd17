"""Verification: what a journal's own checks say of it, for every store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from sprig_tui.journal.payload_codec import DamagedPayloadError, unpack_items

MAX_PROBLEMS = 200
"""Told at most; a file that is damaged all over has more than anybody reads."""


class VerifyReport(Struct, frozen=True, kw_only=True):
    """What was looked at, and what is wrong with it."""

    deliveries: int = 0
    packs: int = 0
    problems: tuple[str, ...] = ()
    """In words, each with the deliveries that it concerns; at most MAX_PROBLEMS."""
    complete: bool = True
    """Whether everything was looked at; False where the time ran out."""


def check_pack(first: int, raws: bytes, bodies: bytes, owners: Mapping[int, tuple[str, str]]) -> list[str]:
    """What is wrong with a pack; `owners` are environment and message id of the deliveries left of it, by id."""
    ids = sorted(owners)
    problems = []
    for name, blob, whose in (("record", raws, None), ("call", bodies, owners)):
        try:
            unpack_items(blob, ids, first, whose)
        except DamagedPayloadError as error:
            problems.append(f"the stored {name} of {format_id_ranges(error.ids)} is damaged")
    return problems


def format_id_ranges(ids: Sequence[int]) -> str:
    """Such as `deliveries 3, 7 to 12 and 4 more`."""
    return f"{'delivery' if len(ids) == 1 else 'deliveries'} {numbers_in_words(ids)}"


def numbers_in_words(ids: Sequence[int]) -> str:
    """Such as `3, 7 to 12 and 4 more`."""
    runs: list[list[int]] = []
    for one in sorted(ids):
        if runs and one == runs[-1][1] + 1:
            runs[-1][1] = one
        else:
            runs.append([one, one])
    told = [f"{low:,}" if low == high else f"{low:,} to {high:,}" for low, high in runs[:20]]
    more = sum(high - low + 1 for low, high in runs[20:])
    tail = f" and {more:,} more" if more else ""
    return ", ".join(told) + tail
