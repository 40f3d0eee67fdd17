"""Answers of Segment's Public API: pages of sources and destinations, and errors; pure.

Shapes are those of docs.segmentapis.com and of Segment's own SDKs: `{"data": {"sources": [...], "pagination":
{"current", "next", "previous", "totalEntries"}}}`, and `{"errors": [{"type", "message", "field", "data"}]}`.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from sprig_tui.errors import SegmentApiError
from sprig_tui.segment.sources import Destination, Source

Item = TypeVar("Item", Source, Destination)
Shape = TypeVar("Shape", bound=Struct)


class Page(NamedTuple, Generic[Item]):
    """One page, and the cursor of the next; empty on the last."""

    items: tuple[Item, ...]
    next: str


class _Label(Struct):
    key: str = ""
    value: str = ""


class _Metadata(Struct):
    name: str | None = None


class _Source(Struct, rename="camel"):
    id: str
    enabled: bool
    slug: str | None = None
    name: str | None = None
    metadata: _Metadata | None = None
    labels: list[_Label] | None = None
    write_keys: list[str] | None = None


class _Destination(Struct, rename="camel"):
    id: str
    enabled: bool
    name: str | None = None
    metadata: _Metadata | None = None


class _Pagination(Struct, rename="camel"):
    next: str | None = None


class _Sources(Struct):
    sources: list[_Source]
    pagination: _Pagination | None = None


class _Destinations(Struct):
    destinations: list[_Destination]
    pagination: _Pagination | None = None


class _Workspace(Struct):
    id: str
    slug: str | None = None
    name: str | None = None


class _OneSource(Struct):
    source: _Source


class _OneWorkspace(Struct):
    workspace: _Workspace


class _SourcesAnswer(Struct):
    data: _Sources


class _DestinationsAnswer(Struct):
    data: _Destinations


class _SourceAnswer(Struct):
    data: _OneSource


class _WorkspaceAnswer(Struct):
    data: _OneWorkspace


class _Limit(Struct, rename="camel"):
    ms_before_next: float | None = None


class _Error(Struct):
    type: str = ""
    message: str = ""
    field: str = ""
    data: _Limit | None = None


class _Errors(Struct):
    errors: list[_Error]


def sources_page(body: bytes) -> Page[Source]:
    """Of GET /sources; raises SegmentApiError."""
    data = _decoded(body, _SourcesAnswer).data
    return Page(tuple(_source(one) for one in data.sources), _next(data.pagination))


def destinations_page(body: bytes) -> Page[Destination]:
    """Of GET /sources/{id}/connected-destinations; raises SegmentApiError."""
    data = _decoded(body, _DestinationsAnswer).data
    return Page(tuple(_destination(one) for one in data.destinations), _next(data.pagination))


def source_in(body: bytes) -> Source:
    """Of GET /sources/{id}; raises SegmentApiError."""
    return _source(_decoded(body, _SourceAnswer).data.source)


def workspace_in(body: bytes) -> str:
    """The workspace's name, of GET /; raises SegmentApiError."""
    found = _decoded(body, _WorkspaceAnswer).data.workspace
    return found.name or found.slug or found.id


def errors_in(body: bytes) -> tuple[str, float | None]:
    """What an error's body says, and the seconds after which a limit is lifted (`msBeforeNext`); any body will do."""
    try:
        errors = msgspec.json.decode(body, type=_Errors).errors
    except (msgspec.DecodeError, RecursionError):
        return "", None
    said = "; ".join(
        f"{error.message} ({error.field})" if error.field else error.message or error.type for error in errors[:3]
    )
    waits = [error.data.ms_before_next for error in errors if error.data and error.data.ms_before_next]
    return said, max(waits) / 1000 if waits else None


def _decoded(body: bytes, shape: type[Shape]) -> Shape:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, RecursionError) as error:
        # types and places only, never values: they could be keys
        what = str(error) if isinstance(error, msgspec.ValidationError) else "it is not JSON"
        raise SegmentApiError(
            f"the Public API's answer is not what its documentation says: {what[:1].lower()}{what[1:]}",
            hint="check [segment] region; without the token a key can be pasted as before",
        ) from None


def _next(pagination: _Pagination | None) -> str:
    return (pagination.next or "") if pagination else ""


def _source(found: _Source) -> Source:
    return Source(
        id=found.id,
        name=found.name or found.slug or found.id,
        slug=found.slug or "",
        kind=(found.metadata.name or "") if found.metadata else "",
        enabled=found.enabled,
        labels=tuple(f"{label.key}: {label.value}" for label in found.labels or ()),
        write_keys=tuple(found.write_keys or ()),
    )


def _destination(found: _Destination) -> Destination:
    kind = (found.metadata.name or "") if found.metadata else ""
    return Destination(id=found.id, name=found.name or kind or found.id, kind=kind, enabled=found.enabled)
