"""What the list of a workspace's sources says of each, for one environment; pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct

from sprig_tui.segment.source_fit import source_mismatches
from sprig_tui.segment.sources import Source, mask_key

ABOUT_CELLS, STATE_CELLS, KEY_CELLS = 22, 9, 11
"""Cells of the columns; the name has the rest."""


class SourceRow(Struct, frozen=True):
    """One source, and what speaks against it."""

    source: Source
    mismatches: tuple[str, ...]

    @property
    def about(self) -> str:
        """Labels, or what kind it is."""
        return ", ".join(self.source.labels) or self.source.kind

    @property
    def state(self) -> str:
        """Whether Segment takes what comes for it."""
        return "enabled" if self.source.enabled else "disabled"

    @property
    def key(self) -> str:
        """The key that would be taken, masked."""
        return mask_key(self.source.write_keys[0]) if self.source.write_keys else "not visible"

    @property
    def detail(self) -> str:
        """Everything in a sentence, for the row that is chosen."""
        source = self.source
        if not source.write_keys:
            return "the token sees no write key of it: that takes the role of a source admin or workspace owner"
        if self.mismatches:
            return f"! {'; '.join(self.mismatches)}"
        more = f", the first of {len(source.write_keys)} keys" if len(source.write_keys) > 1 else ""
        return f"{', '.join(filter(None, (source.kind, source.slug)))}; key {self.key}{more}"


def source_rows(sources: Sequence[Source], environment: str, environments: Collection[str]) -> tuple[SourceRow, ...]:
    """Rows in the order of the workspace, those that nothing speaks against first."""
    rows = [SourceRow(source, source_mismatches(source, environment, environments)) for source in sources]
    return tuple(sorted(rows, key=lambda row: bool(row.mismatches)))


def filter_rows(rows: Sequence[SourceRow], text: str) -> tuple[SourceRow, ...]:
    """Those whose name, slug, kind or labels hold every word of the text."""
    words = text.casefold().split()
    return tuple(row for row in rows if all(word in _search_text(row) for word in words))


def _search_text(row: SourceRow) -> str:
    source = row.source
    return " ".join((source.name, source.slug, source.kind, *source.labels)).casefold()
