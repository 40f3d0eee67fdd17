"""Making of sources: kinds of the catalog, labels, and the bodies of requests that write. Pure.

Facts: guided set-up. A new source is named by a second request, and labelled by a third.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Struct, UnsetType

from sprig_tui.segment.public_api_json import ListPage, Pagination, decode, next_cursor, required

HTTP_API_SLUG = "http-api"
"""Slug of the kind of source that takes our events; its id is looked up."""


class SourceKind(Struct, frozen=True, kw_only=True):
    """A kind of source that the catalog offers."""

    id: str
    slug: str
    name: str


class SourceLabel(Struct, frozen=True, order=True):
    """A label that the workspace has."""

    key: str
    value: str

    @property
    def text(self) -> str:
        """As `Source.labels` has it, such as `environment: prod`."""
        return f"{self.key}: {self.value}"


class _Kind(Struct):
    id: str
    slug: str | None = None
    name: str | None = None


class _Catalog(Struct, rename="camel"):
    sources_catalog: list[_Kind] | UnsetType | None = UNSET
    pagination: Pagination | None = None


class _CatalogResponse(Struct):
    data: _Catalog


class _Label(Struct):
    key: str | None = None
    value: str | None = None


class _Labels(Struct):
    labels: list[_Label] | UnsetType | None = UNSET


class _LabelsResponse(Struct):
    data: _Labels


def parse_source_kinds(body: bytes) -> ListPage[SourceKind]:
    """A page of GET /catalog/sources; raises SegmentApiError."""
    data = decode(body, _CatalogResponse).data
    kinds = required(data.sources_catalog, "sourcesCatalog")
    return ListPage(
        tuple(SourceKind(id=one.id, slug=one.slug or "", name=one.name or one.slug or one.id) for one in kinds),
        next_cursor(data.pagination),
    )


def parse_labels(body: bytes) -> tuple[SourceLabel, ...]:
    """The labels of GET /labels and of POST /sources/{id}/labels; raises SegmentApiError."""
    labels = required(decode(body, _LabelsResponse).data.labels, "labels")
    return tuple(SourceLabel(one.key, one.value or "") for one in labels if one.key)


def create_source_body(slug: str, kind_id: str, *, connects_warehouses: bool) -> bytes:
    """The body of POST /sources; it has no name."""
    return msgspec.json.encode(
        {
            "slug": slug,
            "enabled": True,
            "metadataId": kind_id,
            "disconnectAllWarehouses": not connects_warehouses,
        }
    )


def rename_source_body(name: str) -> bytes:
    """The body of PATCH /sources/{id}."""
    return msgspec.json.encode({"name": name})


def label_source_body(labels: Sequence[SourceLabel]) -> bytes:
    """The body of POST /sources/{id}/labels."""
    return msgspec.json.encode({"labels": [{"key": label.key, "value": label.value} for label in labels]})
