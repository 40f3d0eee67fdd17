"""Workspace of the fake Segment: tokens, sources, destinations, filters, mappings, plans, suppressed users.

Records are the JSON objects that the Public API answers with, so that a test can also put odd ones there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from sprig_tui.segment.sink.workspace.errors import not_found

Record = dict[str, Any]

TOKEN = "sgp_inventedTokenOfTheWorkspace0123456789abcdefghijk"  # noqa: S105 - invented, for loopback
MEMBER_TOKEN = "sgp_inventedTokenWithoutTheAdminRole0123456789abcdef"  # noqa: S105
PRODUCTION_KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
DEVELOPMENT_KEY = "k2bbbbbbCCCCdddd2222EEEEffff2Sky"
PROFILE_SPACE = "spa_inventedSpace0001"
PROFILE_TOKEN = "inventedProfileApiTokenOfTheSpace0001"  # noqa: S105
CREATED_AT = "2026-01-01T00:00:00.000Z"

HTTP_API = {"id": "iUM16Md8P2", "slug": "http-api", "name": "HTTP API"}
"""The kind of source that takes our events (facts: set-up)."""

_FIRST_NUMBER = 100_000
"""Of the ids that are given here; smaller ones are free for records that come from elsewhere."""


class Role(StrEnum):
    """What a token may do."""

    OWNER = "owner"
    MEMBER = "member"
    """Reads, without Write Keys; changes nothing."""


class Workspace:
    """One workspace; its lists may be changed while it is served. `names` are free, ids are given in order."""

    def __init__(self, name: str = "Acme", *, tokens: Mapping[str, Role] | None = None) -> None:
        slug = slug_of(name)
        self.record: Record = {"id": "9aQ1Lj62S4bomZKLF4DPqW", "slug": slug, "name": name}
        self.tokens = dict(tokens or {TOKEN: Role.OWNER, MEMBER_TOKEN: Role.MEMBER})
        self.denied: list[str] = []
        """Beginnings of paths that no token may read, such as `/suppressions`: 401."""
        self.sources: list[Record] = []
        self.destinations: list[Record] = []
        self.filters: list[Record] = []
        self.subscriptions: list[Record] = []
        """Mappings of destinations. A destination without any takes every event, as a classic one does."""
        self.tracking_plans: dict[str, list[Record]] = {}
        """Rules by the plan's id."""
        self.plan_of_source: dict[str, str] = {}
        self.source_settings: dict[str, Record] = {}
        self.suppressed: list[str] = []
        """User ids that Segment suppresses."""
        self.regulations: list[Record] = []
        self.labels: list[Record] = [label("environment", "dev"), label("environment", "prod")]
        self.space = PROFILE_SPACE
        self.space_token = PROFILE_TOKEN
        self.write_keys = _WriteKeys(self)
        self.disabled_keys = _DisabledKeys(self)
        self._numbers = itertools.count(_FIRST_NUMBER)

    @classmethod
    def example(cls) -> Workspace:
        """Acme: sources for production and development, both with the destinations Amplitude and Customer.io."""
        workspace = cls()
        for name, key, stage in (
            ("Acme production", PRODUCTION_KEY, "prod"),
            ("Acme development", DEVELOPMENT_KEY, "dev"),
        ):
            source = workspace.add_source(name, key, labels=[label("environment", stage)])
            for kind in ("Amplitude", "Customer.io"):
                workspace.add_destination(kind, source["id"])
        return workspace

    def add_source(self, name: str, *write_keys: str, kind: str = "HTTP API", **changed: Any) -> Record:
        """Add a source; `changed` replaces fields of its record."""
        made = source_record(next(self._numbers), name, *write_keys, kind=kind, **changed)
        self.sources.append(made)
        return made

    def add_destination(self, kind: str, source_id: str, *, enabled: bool = True, **changed: Any) -> Record:
        """Connect a destination to a source."""
        made = destination_record(next(self._numbers), kind, source_id, enabled=enabled, **changed)
        self.destinations.append(made)
        return made

    def add_filter(
        self, destination: Record, condition: str, actions: Sequence[Record] = ({"type": "DROP"},)
    ) -> Record:
        """Filter a destination's events by a condition in FQL."""
        made = {
            "id": f"flt{next(self._numbers):019d}",
            "sourceId": destination["sourceId"],
            "destinationId": destination["id"],
            "if": condition,
            "actions": [dict(action) for action in actions],
            "title": "An invented filter",
            "enabled": True,
            "createdAt": CREATED_AT,
            "updatedAt": CREATED_AT,
        }
        self.filters.append(made)
        return made

    def add_subscription(
        self, destination: Record, trigger: str, *, name: str = "Track", enabled: bool = True
    ) -> Record:
        """Give a destination a mapping that is triggered by a condition in FQL."""
        made = {
            "id": f"sub{next(self._numbers):019d}",
            "name": name,
            "actionId": f"act{slug_of(name)}",
            "actionSlug": slug_of(name),
            "destinationId": destination["id"],
            "enabled": enabled,
            "settings": {},
            "trigger": trigger,
        }
        self.subscriptions.append(made)
        return made

    def connect_plan(
        self, source: Record, rules: Sequence[tuple[str, Record]], *, allow_unplanned: bool = True, block: bool = False
    ) -> str:
        """Connect a tracking plan of (event name, JSON Schema); `block` drops events that violate it."""
        plan_id = f"tp_{next(self._numbers):019d}"
        self.tracking_plans[plan_id] = [
            {"key": name, "type": "TRACK", "version": 1, "jsonSchema": schema, "createdAt": CREATED_AT}
            for name, schema in rules
        ]
        self.plan_of_source[source["id"]] = plan_id
        self.source_settings[source["id"]] = {
            "track": {
                "allowUnplannedEvents": allow_unplanned,
                "allowUnplannedEventProperties": True,
                "allowEventOnViolations": not block,
                "allowPropertiesOnViolations": True,
                "commonEventOnViolations": "BLOCK" if block else "ALLOW",
            }
        }
        return plan_id

    def find_source(self, source_id: str) -> Record | None:
        """The source with this id."""
        return next((one for one in self.sources if one.get("id") == source_id), None)

    def find_destination(self, destination_id: str) -> Record | None:
        """The destination with this id."""
        return next((one for one in self.destinations if one.get("id") == destination_id), None)

    def get_source(self, source_id: str) -> Record:
        """The source with this id; raises ApiError (404)."""
        if (found := self.find_source(source_id)) is None:
            raise not_found("The source")
        return found

    def get_destination(self, destination_id: str, *, source_id: str = "") -> Record:
        """The destination with this id, of this source where one is given; raises ApiError (404)."""
        found = self.find_destination(destination_id)
        if found is None or (source_id and found.get("sourceId") != source_id):
            raise not_found("The destination")
        return found

    def source_named(self, name: str) -> Record | None:
        """The source of this name, slug or id."""
        return next((one for one in self.sources if name in (one.get("name"), one.get("slug"), one.get("id"))), None)

    def source_of_key(self, key: str) -> Record | None:
        """The source that a Write Key belongs to."""
        return next((one for one in self.sources if key in (one.get("writeKeys") or ())), None)

    def destinations_of(self, source_id: str) -> list[Record]:
        """The destinations that are connected to a source."""
        return [one for one in self.destinations if one.get("sourceId") == source_id]


class _WriteKeys(Mapping[str, str]):
    """Write Key -> name of its source, as they are now."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def __getitem__(self, key: str) -> str:
        source = self._workspace.source_of_key(key)
        if source is None:
            raise KeyError
        return source_name(source)

    def __iter__(self) -> Iterator[str]:
        return (key for source in self._workspace.sources for key in source.get("writeKeys") or ())

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _DisabledKeys(_WriteKeys):
    """The Write Keys of disabled sources, as they are now."""

    def __contains__(self, key: object) -> bool:
        source = self._workspace.source_of_key(str(key))
        return source is not None and source.get("enabled") is False

    def __iter__(self) -> Iterator[str]:
        return (key for key in super().__iter__() if key in self)


def source_name(source: Record) -> str:
    """The name that a source is shown by."""
    return str(source.get("name") or source.get("id"))


def slug_of(name: str) -> str:
    """A slug as Segment makes it of a name."""
    return name.lower().replace(" ", "-")


def metadata_record(name: str) -> Record:
    """The metadata of a kind of source or destination."""
    slug = slug_of(name)
    return {
        "id": HTTP_API["id"] if slug == HTTP_API["slug"] else f"m{slug}",
        "slug": slug,
        "name": name,
        "categories": ["Server"],
        "description": "An invented description.",
        "logos": {"default": "https://cdn.example/logo.svg", "alt": "", "mark": ""},
        "options": [{"name": "apiHost", "required": False, "type": "string", "defaultValue": ""}],
        "isCloudEventSource": False,
    }


def source_record(number: int, name: str, *write_keys: str, kind: str = "HTTP API", **changed: Any) -> Record:
    """A source as the API shows it."""
    return {
        "id": f"src{number:019d}",
        "slug": slug_of(name),
        "name": name,
        "workspaceId": "9aQ1Lj62S4bomZKLF4DPqW",
        "enabled": True,
        "writeKeys": list(write_keys),
        "metadata": metadata_record(kind),
        "settings": {"websiteUrl": ""},
        "labels": [],
        **changed,
    }


def destination_record(number: int, kind: str, source_id: str, *, enabled: bool = True, **changed: Any) -> Record:
    """A destination as the API shows it; secrets among its settings are masked there."""
    return {
        "id": f"dst{number:019d}",
        "name": kind,
        "enabled": enabled,
        "metadata": metadata_record(kind),
        "sourceId": source_id,
        "settings": {"apiKey": "inve••••••••"},
        **changed,
    }


def label(key: str, value: str) -> Record:
    """A label of the workspace."""
    return {"key": key, "value": value, "description": ""}
