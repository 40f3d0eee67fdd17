"""Content of deliveries: what the journal has no longer, or never had, of a record and its call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from msgspec import Struct

from sprig_tui.journal.dedup import seal_digest
from sprig_tui.journal.payload_codec import owner_tag, pack, unpack_every
from sprig_tui.journal.quotes import REMOVED_WITH_CONTENT, is_harmless_error
from sprig_tui.journal.records import DeliveryDetail, State
from sprig_tui.journal.rows import STATES_BY_CODE
from sprig_tui.reasons import Reason

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


_REASONS_WITHOUT_QUOTES = frozenset(
    {Reason.NEWER_REVISION, Reason.POSSIBLE_DUPLICATE, Reason.WITHDRAWN, Reason.SUPPRESSED}
)
"""Reasons whose detail is a text of this program; others may quote the record."""
DROPPED_COLUMNS = "d.id, d.state, d.message_id, d.digest, d.reason, d.detail, d.error, coalesce(a.status, 0)"
"""Columns of a DroppedContent, from `deliveries d LEFT JOIN attempts a`."""


class DroppedContent(Struct, frozen=True):
    """What is left in the row of a delivery whose content is dropped."""

    id: int
    state: State
    digest: bytes
    detail: str
    error: str


def dropped_content(row: Sequence[Any]) -> DroppedContent:
    """Of a row of DROPPED_COLUMNS: the digest does not show the answer any more, and no text quotes it."""
    delivery_id, state, message_id, digest, reason, detail, error, status = row
    return DroppedContent(
        delivery_id,
        STATES_BY_CODE[state],
        seal_digest(message_id, bytes(digest)),
        detail if reason in _REASONS_WITHOUT_QUOTES else "",
        error if is_harmless_error(status, error) else REMOVED_WITH_CONTENT,
    )


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
