"""Secret storage: a secret in the config itself or in the system's keyring, and entries that the config drops.

The config names a secret at one place: storing it in one removes the other. An entry of the keyring that the config no
longer names is removed, if sprig-tui made it for this config; of another's, and of another config's, it is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from msgspec import Struct

from sprig_tui.config.paths import Paths
from sprig_tui.config.save import save_environment, save_table
from sprig_tui.config.secret_reader import process_secrets
from sprig_tui.config.secret_references import SecretReference, parse_entry
from sprig_tui.config.secrets import SECRET_KINDS, SecretKind
from sprig_tui.config.toml_edit import TomlValue
from sprig_tui.errors import ConfigError

Tables = Mapping[str, Any]
"""Tables of a config file."""

_KEYRING_SUFFIX = "_keyring"


class DroppedEntryState(StrEnum):
    """What became of an entry that a place in the config no longer names."""

    REMOVED = "removed"
    ABSENT = "absent"
    """The keyring had no such entry."""
    STILL_NAMED = "still_named"
    """Another place in the config names it."""
    NOT_OURS = "not_ours"
    """sprig-tui did not make it for this config."""
    FAILED = "failed"
    """`problem` says why it could not be removed."""


class DroppedEntry(Struct, frozen=True):
    """An entry of the keyring that a place in the config no longer names."""

    reference: SecretReference
    state: DroppedEntryState
    problem: ConfigError | None = None

    @property
    def message(self) -> str:
        """A sentence for people; empty where there is nothing to say."""
        label = self.reference.label
        if self.state is DroppedEntryState.REMOVED:
            return f"removed from the {label}"
        if self.state is DroppedEntryState.STILL_NAMED:
            return f"the {label} stays: the config still names it"
        if self.state is DroppedEntryState.NOT_OURS:
            return f"the {label} stays: sprig-tui did not make that entry for this config"
        return f"it is still in the keyring: {self.problem.message}" if self.problem is not None else ""


def stored_keys(tables: Tables, kind: SecretKind, environment: str) -> tuple[str, ...]:
    """The keys of the config that hold the secret or say where it is kept; not those that name a variable."""
    table = _table(tables, environment, kind.table)
    return tuple(key for key in (kind.key, f"{kind.key}_command", f"{kind.key}{_KEYRING_SUFFIX}") if table.get(key))


def in_config_only(changes: Mapping[str, TomlValue | None]) -> dict[str, TomlValue | None]:
    """The changes with the other places of each secret in them removed.

    A secret that is set takes the place of an entry of the keyring; one that is removed goes with its command too.
    """
    complete = dict(changes)
    for kind in SECRET_KINDS:
        if kind.key in changes:
            complete.setdefault(f"{kind.key}{_KEYRING_SUFFIX}", None)
            if changes[kind.key] is None:
                complete.setdefault(f"{kind.key}_command", None)
    return complete


def store_in_keyring(
    paths: Paths,
    tables: Tables,
    kind: SecretKind,
    environment: str,
    secret: str,
    others: Mapping[str, TomlValue | None],
    *,
    digest: str | None = None,
) -> SecretReference:
    """Store a secret in the keyring, and its entry in the config; returns the entry.

    The entry is one that no other place in the config names, so that each keeps its own secret. `environment` is empty
    for a secret of no environment; `others` are keys of the same table. Raises ConfigError.
    """
    from sprig_tui.config.secret_keyring import new_entry, store_entry

    own = (environment, f"{kind.key}{_KEYRING_SUFFIX}")
    taken = {reference for place, reference in _named_entries(tables) if place != own}
    number = 1
    while (entry := new_entry(paths.config_file, environment, kind.key, number)) in taken:
        number += 1
    store_entry(entry, secret)
    process_secrets.forget(entry)
    changes = {**others, f"{kind.key}{_KEYRING_SUFFIX}": entry.entry, kind.key: None}
    save_secret_keys(paths, kind, environment, changes, digest=digest)
    return entry


def command_changes(kind: SecretKind, command: SecretReference) -> dict[str, TomlValue | None]:
    """The changes after which a command gives the secret."""
    return {f"{kind.key}_command": list(command.command), kind.key: None, f"{kind.key}{_KEYRING_SUFFIX}": None}


def save_secret_keys(
    paths: Paths,
    kind: SecretKind,
    environment: str,
    changes: Mapping[str, TomlValue | None],
    *,
    digest: str | None = None,
) -> None:
    """Set keys of an environment's table, or of the kind's own where `environment` is empty. Raises ConfigError."""
    if environment:
        save_environment(paths, environment, changes, digest=digest)
    else:
        save_table(paths, kind.table, changes, digest=digest)


def drop_entries(config_file: Path, before: Tables, now: Tables) -> list[DroppedEntry]:
    """Remove the entries that places in the config named before and do not name now; blocks while it asks the keyring.

    Raises nothing for a keyring that fails: the config no longer names the entry.
    """
    named_now = dict(_named_entries(now))
    dropped = dict.fromkeys(entry for place, entry in _named_entries(before) if named_now.get(place) != entry)
    return [_drop(config_file, entry, still_named=entry in named_now.values()) for entry in dropped]


def _drop(config_file: Path, entry: SecretReference, *, still_named: bool) -> DroppedEntry:
    from sprig_tui.config.secret_keyring import is_made_for, remove_entry

    process_secrets.forget(entry)
    if not is_made_for(entry, config_file):
        return DroppedEntry(entry, DroppedEntryState.NOT_OURS)
    if still_named:
        return DroppedEntry(entry, DroppedEntryState.STILL_NAMED)
    try:
        was_there = remove_entry(entry)
    except ConfigError as error:
        return DroppedEntry(entry, DroppedEntryState.FAILED, error)
    return DroppedEntry(entry, DroppedEntryState.REMOVED if was_there else DroppedEntryState.ABSENT)


def _named_entries(tables: Tables) -> Iterator[tuple[tuple[str, str], SecretReference]]:
    """Every place (environment, key) that names an entry of the keyring, and the entry; "" for no environment."""
    environments = tables.get("environments")
    for environment in environments if isinstance(environments, dict) else ():
        yield from _entries_of(environment, _table(tables, environment, ""))
    for name in ("segment", "mapping", "serve"):
        yield from _entries_of("", tables.get(name))


def _entries_of(environment: str, table: object) -> Iterator[tuple[tuple[str, str], SecretReference]]:
    if not isinstance(table, dict):
        return
    for kind in SECRET_KINDS:
        key = f"{kind.key}{_KEYRING_SUFFIX}"
        if entry := _parsed(table.get(key)):
            yield (environment, key), entry


def _parsed(text: object) -> SecretReference | None:
    try:
        return parse_entry(text, "") if isinstance(text, str) else None
    except ConfigError:
        return None


def _table(tables: Tables, environment: str, own: str) -> Mapping[str, Any]:
    """The table of an environment, or `own` where there is none."""
    table = tables.get("environments", {}).get(environment, {}) if environment else tables.get(own, {})
    return table if isinstance(table, dict) else {}
