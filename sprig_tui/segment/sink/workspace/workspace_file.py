r"""Workspace file of the fake Segment: sources, destinations, plans, suppressed users and faults as JSON.

    {
      "name": "Acme",
      "sources": [
        {
          "name": "Acme production", "writeKey": "...", "labels": {"environment": "prod"},
          "destinations": [
            {"name": "Amplitude", "filters": ["event = \"Order\""], "mappings": ["type = \"track\""]},
            {"name": "Customer.io", "enabled": false}
          ],
          "trackingPlan": {"events": {"Order": {"type": "object"}}, "allowUnplanned": false, "block": true}
        }
      ],
      "suppressed": ["acct_1"],
      "faults": ["lost=3@source:Acme production"]
    }

Only names are required: without a `writeKey` or a `token`, one is invented.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct, field

from sprig_tui.errors import ConfigError
from sprig_tui.segment.sink.workspace.fault_rules import WorkspaceFault, parse_fault
from sprig_tui.segment.sink.workspace.model import MEMBER_TOKEN, TOKEN, Role, Workspace, label

MAX_FILE_BYTES = 10_000_000
MIN_KEY_CHARS = 8
"""The tracking endpoint rejects shorter ones."""


class _Destination(Struct, kw_only=True, forbid_unknown_fields=True):
    name: str
    enabled: bool = True
    filters: list[str] = field(default_factory=list)
    mappings: list[str] | None = None


class _Plan(Struct, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    events: dict[str, dict[str, Any]]
    allow_unplanned: bool = True
    block: bool = False


class _Source(Struct, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    name: str
    write_key: str = ""
    kind: str = "HTTP API"
    enabled: bool = True
    labels: dict[str, str] = field(default_factory=dict)
    destinations: list[_Destination] = field(default_factory=list)
    tracking_plan: _Plan | None = None


class _File(Struct, kw_only=True, forbid_unknown_fields=True):
    name: str = "Acme"
    token: str = ""
    sources: list[_Source]
    suppressed: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class DescribedWorkspace(NamedTuple):
    """A workspace with the faults of its file; `given_secrets` are keys and tokens that were not invented here."""

    workspace: Workspace
    faults: tuple[WorkspaceFault, ...] = ()
    given_secrets: frozenset[str] = frozenset()


def read_workspace(path: Path) -> DescribedWorkspace:
    """The workspace of a JSON file; ConfigError names file and field."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"workspace {path}: {error.strerror or error}", hint="give a JSON file") from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"workspace {path}: it is larger than {MAX_FILE_BYTES // 1_000_000} MB")
    try:
        found = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            f"workspace {path}: {error}", hint='such as {"sources": [{"name": "Web", "destinations": []}]}'
        ) from error
    return _workspace(found, f"workspace {path}")


def _workspace(found: _File, what: str) -> DescribedWorkspace:
    given = [source.write_key for source in found.sources if source.write_key]
    if any(len(key) < MIN_KEY_CHARS or not key.isascii() or not key.isalnum() for key in given):
        raise ConfigError(f"{what}: a writeKey has at least {MIN_KEY_CHARS} letters and digits")
    names = [source.name for source in found.sources]
    for values, kind in ((given, "writeKey"), (names, "name")):
        if len(set(values)) < len(values):
            raise ConfigError(f"{what}: two sources have the same {kind}", hint="each has its own")
    tokens = {found.token or TOKEN: Role.OWNER, MEMBER_TOKEN: Role.MEMBER}
    workspace = Workspace(found.name, tokens=tokens)
    for number, source in enumerate(found.sources, 1):
        _add_source(workspace, source, number)
    workspace.suppressed = list(dict.fromkeys(found.suppressed))
    faults = tuple(parse_fault(text) for text in found.faults)
    return DescribedWorkspace(workspace, faults, frozenset([*given, *([found.token] if found.token else [])]))


def _add_source(workspace: Workspace, source: _Source, number: int) -> None:
    labels = [label(key, value) for key, value in source.labels.items()]
    workspace.labels += [one for one in labels if one not in workspace.labels]
    made = workspace.add_source(
        source.name,
        source.write_key or f"inventedWriteKey{number:016d}",
        kind=source.kind,
        enabled=source.enabled,
        labels=labels,
    )
    for described in source.destinations:
        destination = workspace.add_destination(described.name, made["id"], enabled=described.enabled)
        for condition in described.filters:
            workspace.add_filter(destination, condition)
        for trigger in described.mappings or ():
            workspace.add_subscription(destination, trigger)
    plan = source.tracking_plan
    if plan is not None:
        rules = list(plan.events.items())
        workspace.connect_plan(made, rules, allow_unplanned=plan.allow_unplanned, block=plan.block)
