"""A workspace's sources and destinations as Segment's Public API lists them, and finding one by what was typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct


class Source(Struct, frozen=True, kw_only=True):
    """A source: what sends into the workspace under Write Keys of its own."""

    id: str
    name: str
    slug: str = ""
    kind: str = ""
    """Such as `HTTP API`."""
    enabled: bool = True
    """Segment drops what comes for one that is not."""
    labels: tuple[str, ...] = ()
    """Such as `environment: prod`."""
    write_keys: tuple[str, ...] = ()
    """Empty where the token may not see them, which takes the role of a source admin."""

    def __repr__(self) -> str:
        # A key must not reach a log by way of a record.
        return f"Source({self.name!r}, {len(self.write_keys)} write keys)"


class Destination(Struct, frozen=True, kw_only=True):
    """A destination that is connected to a source."""

    id: str
    name: str
    kind: str = ""
    """Such as `Amplitude`."""
    enabled: bool = True


class SourceMatch(NamedTuple):
    """The source that was meant, or why it cannot be told."""

    source: Source | None
    fault: str = ""
    hint: str = ""


def mask_key(key: str) -> str:
    """First and last four characters; one too short for that shows none."""
    return f"{key[:4]}…{key[-4:]}" if len(key) >= 16 else "…"


def source_of_key(key: str, sources: Sequence[Source]) -> Source | None:
    """The source that a Write Key belongs to."""
    return next((source for source in sources if key in source.write_keys), None)


def find_source(text: str, sources: Sequence[Source]) -> SourceMatch:
    """The source of this name, slug or id; of capitals only where nothing else tells two apart."""
    wanted = text.strip()
    if not wanted:
        return SourceMatch(None, "no source is named")
    for same in (lambda one: one == wanted, lambda one: one.casefold() == wanted.casefold()):
        found = [source for source in sources if any(map(same, (source.name, source.slug, source.id)))]
        if len(found) == 1:
            return SourceMatch(found[0])
        if found:
            ids = ", ".join(source.slug or source.id for source in found[:10])
            return SourceMatch(None, f"{len(found)} sources are called {wanted[:80]!r}", f"name it by its slug: {ids}")
    return SourceMatch(None, f"no source is called {wanted[:80]!r}", _nearest_hint(wanted, sources))


def _nearest_hint(wanted: str, sources: Sequence[Source]) -> str:
    import difflib

    names = {source.name.casefold(): source.name for source in sources}
    close = difflib.get_close_matches(wanted.casefold(), names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {names[close[0]]!r}?"
    return f"there are: {', '.join(list(names.values())[:10])}" if names else "the workspace has no source"
