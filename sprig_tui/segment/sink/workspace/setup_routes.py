"""Set-up by the fake Public API: sources, Write Keys, labels, destinations and mappings are made and removed.

Facts: guided set-up. A source has no name in its POST, which connects nothing; its first Write Key comes with it.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from typing import Any

from sprig_tui.segment.sink.workspace import fql
from sprig_tui.segment.sink.workspace.errors import ApiError, FqlError, invalid, not_found
from sprig_tui.segment.sink.workspace.model import Record, Workspace, label, metadata_record
from sprig_tui.segment.sink.workspace.paging import page

SOURCE_KINDS = ("HTTP API", "Javascript", "Python")
DESTINATION_KINDS = ("Amplitude", "Customer.io", "Braze", "Webhooks")
MAX_RECORDS = 2_000
"""Sources, and destinations: a client in a loop must not fill the memory."""
_KEY_LETTERS = string.ascii_letters + string.digits
_SUCCESS = {"status": "SUCCESS"}


def new_write_key() -> str:
    """An invented Write Key: 32 letters and digits."""
    return "".join(secrets.choice(_KEY_LETTERS) for _ in range(32))


class SetupRoutes:
    """Handlers of the routes that make and remove records; `new_key` gives a new Write Key."""

    def __init__(self, workspace: Workspace, new_key: Callable[[], str] = new_write_key) -> None:
        self._workspace = workspace
        self._new_key = new_key

    def catalog_sources(self, query: Mapping[str, Any]) -> Record:
        """`GET /catalog/sources`."""
        return _catalog("sourcesCatalog", SOURCE_KINDS, query)

    def catalog_destinations(self, query: Mapping[str, Any]) -> Record:
        """`GET /catalog/destinations`."""
        return _catalog("destinationsCatalog", DESTINATION_KINDS, query)

    def create_source(self, body: Mapping[str, Any]) -> Record:
        """`POST /sources`: 409 for a slug that is taken."""
        slug, kind = _text(body, "slug"), _kind(body, SOURCE_KINDS)
        enabled = _boolean(body, "enabled")
        if "disconnectAllWarehouses" in body:
            _boolean(body, "disconnectAllWarehouses")
        self._check_slug(slug)
        _check_room(self._workspace.sources)
        settings = body["settings"] if isinstance(body.get("settings"), dict) else {}
        made = self._workspace.add_source(
            slug, self._new_key(), kind=kind, slug=slug, enabled=enabled, settings={"websiteUrl": "", **settings}
        )
        return {"source": made}

    def update_source(self, source_id: str, body: Mapping[str, Any]) -> Record:
        """`PATCH /sources/{id}`: name, enabled, slug, settings."""
        source = self._workspace.get_source(source_id)
        changed: Record = {}
        for name in ("name", "slug"):
            if name in body:
                changed[name] = _text(body, name)
        if "enabled" in body:
            changed["enabled"] = _boolean(body, "enabled")
        if isinstance(body.get("settings"), dict):
            changed["settings"] = {**(source.get("settings") or {}), **body["settings"]}
        if changed.get("slug", source.get("slug")) != source.get("slug"):
            self._check_slug(changed["slug"])
        source.update(changed)
        return {"source": source}

    def delete_source(self, source_id: str) -> Record:
        """`DELETE /sources/{id}`; its destinations stay without a source."""
        self._workspace.sources.remove(self._workspace.get_source(source_id))
        return _SUCCESS

    def add_write_key(self, source_id: str) -> Record:
        """`POST /sources/{id}/writekey` (alpha): the whole source, with one more key."""
        source = self._workspace.get_source(source_id)
        _check_room(source["writeKeys"])
        source["writeKeys"] = [*source["writeKeys"], self._new_key()]
        return {"source": source}

    def remove_write_key(self, source_id: str, key: str) -> Record:
        """`DELETE /sources/{id}/writekey/{writeKey}` (alpha)."""
        source = self._workspace.get_source(source_id)
        if key not in source["writeKeys"]:
            raise not_found("The Write Key")
        source["writeKeys"] = [one for one in source["writeKeys"] if one != key]
        return _SUCCESS

    def labels(self) -> Record:
        """`GET /labels`."""
        return {"labels": self._workspace.labels}

    def create_label(self, body: Mapping[str, Any]) -> Record:
        """`POST /labels` `{label: {key, value, description?}}`."""
        (made,) = _labels({"labels": [body.get("label")]})
        if made in _plain(self._workspace.labels):
            raise ApiError(409, "conflict", "The label exists.")
        _check_room(self._workspace.labels)
        self._workspace.labels.append(label(*made))
        return {"label": label(*made)}

    def label_source(self, source_id: str, body: Mapping[str, Any], *, replace: bool) -> Record:
        """`POST` adds, `PUT` replaces `/sources/{id}/labels`; the labels must exist."""
        source = self._workspace.get_source(source_id)
        given = _labels(body)
        for one in given:
            if one not in _plain(self._workspace.labels):
                raise invalid("labels", f"the label {one[0]}:{one[1]} does not exist")
        kept = [] if replace else _plain(source.get("labels") or [])
        source["labels"] = [label(*one) for one in dict.fromkeys([*kept, *given])]
        return {"labels": source["labels"]}

    def create_destination(self, body: Mapping[str, Any]) -> Record:
        """`POST /destinations`: texts among the settings come back masked but for four characters."""
        source = self._workspace.get_source(_text(body, "sourceId"))
        kind = _kind(body, DESTINATION_KINDS)
        settings = body.get("settings")
        if not isinstance(settings, dict):
            raise invalid("settings", '"settings" must be of type object')
        _check_room(self._workspace.destinations)
        masked = {name: _masked(value) for name, value in settings.items()}
        name = _text(body, "name") if "name" in body else kind
        enabled = _boolean(body, "enabled") if "enabled" in body else True
        return {
            "destination": self._workspace.add_destination(
                kind, source["id"], name=name, enabled=enabled, settings=masked
            )
        }

    def delete_destination(self, destination_id: str) -> Record:
        """`DELETE /destinations/{id}`, with its filters and mappings."""
        self._workspace.destinations.remove(self._workspace.get_destination(destination_id))
        for records in (self._workspace.filters, self._workspace.subscriptions):
            records[:] = [one for one in records if one["destinationId"] != destination_id]
        return _SUCCESS

    def create_subscription(self, destination_id: str, body: Mapping[str, Any]) -> Record:
        """`POST /destinations/{id}/subscriptions` (alpha)."""
        destination = self._workspace.get_destination(destination_id)
        name, trigger = _text(body, "name"), _text(body, "trigger")
        _text(body, "actionId")
        try:
            fql.matches(trigger, {})
        except FqlError as error:
            raise invalid("trigger", f"invalid FQL statement: {error}") from error
        _check_room(self._workspace.subscriptions)
        made = self._workspace.add_subscription(destination, trigger, name=name, enabled=_boolean(body, "enabled"))
        made["actionId"] = body["actionId"]
        return {"destinationSubscription": made}

    def _check_slug(self, slug: str) -> None:
        if any(one.get("slug") == slug for one in self._workspace.sources):
            raise ApiError(409, "conflict", "The slug is taken.", field="slug")


def _catalog(name: str, kinds: tuple[str, ...], query: Mapping[str, Any]) -> Record:
    entries, pagination = page([{**metadata_record(kind), "status": "PUBLIC"} for kind in kinds], query)
    return {name: entries, "pagination": pagination}


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > 1_000:
        raise invalid(name, f'"{name}" is required, a text of at most 1,000 characters')
    return value


def _boolean(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if not isinstance(value, bool):
        raise invalid(name, f'"{name}" must be of type boolean')
    return value


def _kind(body: Mapping[str, Any], kinds: tuple[str, ...]) -> str:
    wanted = _text(body, "metadataId")
    found = next((kind for kind in kinds if metadata_record(kind)["id"] == wanted), None)
    if found is None:
        raise invalid("metadataId", '"metadataId" is not in the catalog')
    return found


def _labels(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    given = body.get("labels")
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise invalid("labels", '"labels" must be a list of objects')
    return [(_text(one, "key"), _text(one, "value")) for one in given]


def _plain(labels: list[Record]) -> list[tuple[str, str]]:
    return [(one["key"], one["value"]) for one in labels]


def _masked(value: object) -> object:
    return f"{value[:4]}{'•' * 8}" if isinstance(value, str) and value else value


def _check_room(records: list[Any]) -> None:
    if len(records) >= MAX_RECORDS:
        raise ApiError(409, "conflict", f"There are {MAX_RECORDS:,} already.")
