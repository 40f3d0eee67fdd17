"""Records of Segment's Public API: sources, their destinations and the workspace. Pure.

The shapes are those of docs.segmentapis.com and of Segment's own SDKs: `{"data": {"sources": [...], "pagination":
{"current", "next", "previous", "totalEntries"}}}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from sprig_tui.segment.public_api_json import ListPage, Pagination, decode, next_cursor
from sprig_tui.text import ELLIPSIS

MAX_NAME_CHARS = 120
"""Characters of a name of the workspace that are kept."""


class Source(Struct, frozen=True, kw_only=True):
    """A source: it sends into the workspace with Write Keys of its own."""

    id: str
    name: str
    slug: str = ""
    kind: str = ""
    """Such as `HTTP API`."""
    enabled: bool | None = None
    """Segment discards the events of a disabled source; None if the answer does not say."""
    labels: tuple[str, ...] = ()
    """Such as `environment: prod`."""
    write_keys: tuple[str, ...] = ()
    """Empty if the token may not see them; that requires the role of a source admin."""

    def __repr__(self) -> str:
        # keys must not reach a log through a record
        return f"Source({self.name!r}, {len(self.write_keys)} write keys)"


class Destination(Struct, frozen=True, kw_only=True):
    """A destination that is connected to a source."""

    id: str
    name: str
    kind: str = ""
    """Such as `Amplitude`."""
    enabled: bool | None = None
    """None if the answer does not say."""


class SourceMatch(NamedTuple):
    """The source that was meant, or the reason why it is not clear."""

    source: Source | None
    fault: str = ""
    hint: str = ""


def state_text(enabled: bool | None) -> str:
    """Whether a source or destination is enabled, in a word; unknown if the API did not say."""
    return {True: "enabled", False: "disabled", None: "unknown"}[enabled]


def source_text(source: Source) -> str:
    """Such as `Acme production (HTTP API, environment: prod), enabled`."""
    about = ", ".join(filter(None, (source.kind, *source.labels)))
    state = "state unknown" if source.enabled is None else state_text(source.enabled)
    return f"{source.name}{f' ({about})' if about else ''}, {state}"


def source_of_key(key: str, sources: Sequence[Source]) -> Source | None:
    """The source that a Write Key belongs to."""
    return next((source for source in sources if key in source.write_keys), None)


def find_source(text: str, sources: Sequence[Source]) -> SourceMatch:
    """The source of this name, slug or id; upper and lower case matter only to tell two apart."""
    wanted = text.strip()
    if not wanted:
        return SourceMatch(None, "no source is named")
    for same in (lambda text: text == wanted, lambda text: text.casefold() == wanted.casefold()):
        matches = [source for source in sources if any(map(same, (source.name, source.slug, source.id)))]
        if len(matches) == 1:
            return SourceMatch(matches[0])
        if matches:
            ids = ", ".join(source.slug or source.id for source in matches[:10])
            return SourceMatch(
                None, f"{len(matches)} sources are called {wanted[:80]!r}", f"name it by its slug: {ids}"
            )
    return SourceMatch(None, f"no source is called {wanted[:80]!r}", _nearest_hint(wanted, sources))


def _nearest_hint(wanted: str, sources: Sequence[Source]) -> str:
    import difflib

    names = {source.name.casefold(): source.name for source in sources}
    close = difflib.get_close_matches(wanted.casefold(), names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {names[close[0]]!r}?"
    return f"there are: {', '.join(list(names.values())[:10])}" if names else "the workspace has no source"


class _Label(Struct):
    key: str = ""
    value: str = ""


class _Metadata(Struct):
    name: str | None = None


class _Source(Struct, rename="camel"):
    id: str
    enabled: bool | None = None
    slug: str | None = None
    name: str | None = None
    metadata: _Metadata | None = None
    labels: list[_Label] | None = None
    write_keys: list[str] | None = None


class _Destination(Struct, rename="camel"):
    id: str
    enabled: bool | None = None
    name: str | None = None
    metadata: _Metadata | None = None


class _Sources(Struct):
    sources: list[_Source]
    pagination: Pagination | None = None


class _Destinations(Struct):
    destinations: list[_Destination]
    pagination: Pagination | None = None


class _Workspace(Struct):
    id: str
    slug: str | None = None
    name: str | None = None


class _OneSource(Struct):
    source: _Source


class _OneWorkspace(Struct):
    workspace: _Workspace


class _SourcesResponse(Struct):
    data: _Sources


class _DestinationsResponse(Struct):
    data: _Destinations


class _SourceResponse(Struct):
    data: _OneSource


class _WorkspaceResponse(Struct):
    data: _OneWorkspace


def parse_sources(body: bytes) -> ListPage[Source]:
    """A page of GET /sources; raises SegmentApiError."""
    data = decode(body, _SourcesResponse).data
    return ListPage(tuple(_to_source(source) for source in data.sources), next_cursor(data.pagination))


def parse_destinations(body: bytes) -> ListPage[Destination]:
    """A page of GET /sources/{id}/connected-destinations; raises SegmentApiError."""
    data = decode(body, _DestinationsResponse).data
    return ListPage(
        tuple(_to_destination(destination) for destination in data.destinations), next_cursor(data.pagination)
    )


def parse_source(body: bytes) -> Source:
    """The source of GET /sources/{id}; raises SegmentApiError."""
    return _to_source(decode(body, _SourceResponse).data.source)


def parse_workspace(body: bytes) -> str:
    """The workspace's name from GET /; raises SegmentApiError."""
    workspace = decode(body, _WorkspaceResponse).data.workspace
    return _cut_name(workspace.name or workspace.slug or workspace.id)


def _cut_name(name: str) -> str:
    """A name as it is shown; Segment's own are short, and one without end would hide the sentence around it."""
    return name if len(name) <= MAX_NAME_CHARS else f"{name[: MAX_NAME_CHARS - 1]}{ELLIPSIS}"


def _to_source(source: _Source) -> Source:
    return Source(
        id=source.id,
        name=_cut_name(source.name or source.slug or source.id),
        slug=source.slug or "",
        kind=_cut_name(source.metadata.name or "") if source.metadata else "",
        enabled=source.enabled,
        labels=tuple(_cut_name(f"{label.key}: {label.value}") for label in source.labels or ()),
        write_keys=tuple(source.write_keys or ()),
    )


def _to_destination(destination: _Destination) -> Destination:
    kind = _cut_name(destination.metadata.name or "") if destination.metadata else ""
    name = _cut_name(destination.name or kind or destination.id)
    return Destination(id=destination.id, name=name, kind=kind, enabled=destination.enabled)
