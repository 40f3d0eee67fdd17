"""Content of deliveries: what the journal has no longer, or never had, of a record and its call."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from sprig_tui.journal.payload_codec import owner_tag, pack, unpack_every
from sprig_tui.journal.records import DeliveryDetail

CONTENT_DROPPED_TEXT = "its content was removed (journal.keep_content): only this row is left"
"""Why it has no record, no call and no answer."""
FORGOTTEN_TEXT = "its person was forgotten: only this row is left"
CONTENT_DROPPED_LABEL = "removed"
"""The same in a list, in place of the answer."""


def dropped_text(number: int) -> str:
    """Why so many deliveries cannot be replayed; empty for none."""
    if not number:
        return ""
    have = "1 has no content any more" if number == 1 else f"{number:,} have no content any more"
    return f"{have} (journal.keep_content), and cannot be sent again"


RECORD_NOT_KEPT = "the journal has no record of it (journal.store_raw)"
"""Why it cannot be mapped again, edited, or looked at as it came in."""


def record_absence(detail: DeliveryDetail) -> str:
    """Why there is no record as it came in; empty where there is one."""
    if detail.delivery.is_forgotten:
        return FORGOTTEN_TEXT
    if detail.delivery.content_dropped:
        return CONTENT_DROPPED_TEXT
    return "" if detail.raw else RECORD_NOT_KEPT


def without_items(
    raws: bytes, bodies: bytes, first: int, gone: AbstractSet[int], owners: Mapping[int, tuple[str, str]]
) -> tuple[bytes, bytes]:
    """The blobs of a pack with empty payloads for these deliveries, and for all that have no row any more.

    `owners` are environment and message id of those that have one; the others' payloads stay the same bytes. Raises
    DamagedPayloadError.
    """
    kept_raws, _ = unpack_every(raws, first)
    kept_bodies, tags = unpack_every(bodies, first)

    def is_kept(position: int) -> bool:
        return first + position in owners and first + position not in gone

    return (
        pack([item if is_kept(at) else b"" for at, item in enumerate(kept_raws)]),
        pack(
            [item if is_kept(at) else b"" for at, item in enumerate(kept_bodies)],
            [
                tags[at] if tags is not None and is_kept(at) else owner_tag(*owners.get(first + at, ("", "")))
                for at in range(len(kept_bodies))
            ],
        ),
    )
