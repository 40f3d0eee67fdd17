"""Verification report and the check of one pack, shared by both stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from sprig_tui.journal.payload_codec import DamagedPayloadError, unpack_items

MAX_PROBLEMS = 200
"""Maximum number of problems in a report."""


class VerifyReport(Struct, frozen=True, kw_only=True):
    """What was checked, and the problems found."""

    deliveries: int = 0
    packs: int = 0
    problems: tuple[str, ...] = ()
    """Sentences that name the deliveries concerned; at most MAX_PROBLEMS."""
    complete: bool = True
    """Whether everything was checked; False if the time ran out."""


def check_pack(first: int, raws: bytes, bodies: bytes, owners: Mapping[int, tuple[str, str]]) -> list[str]:
    """Problems of a pack; `owners` are environment and message id of its remaining deliveries, by id."""
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
    for delivery_id in sorted(ids):
        if runs and delivery_id == runs[-1][1] + 1:
            runs[-1][1] = delivery_id
        else:
            runs.append([delivery_id, delivery_id])
    listed = [f"{low:,}" if low == high else f"{low:,} to {high:,}" for low, high in runs[:20]]
    more = sum(high - low + 1 for low, high in runs[20:])
    tail = f" and {more:,} more" if more else ""
    return ", ".join(listed) + tail
