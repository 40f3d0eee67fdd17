"""Storage of a secret for the `keys` commands: the config itself, or the system's keyring with a reference there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sprig_tui.cli import diagnostics
from sprig_tui.cli.context import open_settings
from sprig_tui.config.secret_references import SecretReference, parse_entry
from sprig_tui.errors import ConfigError

if TYPE_CHECKING:
    from sprig_tui.config.secrets import SecretKind
    from sprig_tui.config.settings import Settings
    from sprig_tui.config.toml_edit import TomlValue


def save_secret(
    settings: Settings,
    kind: SecretKind,
    environment: str,
    secret: str,
    *,
    keyring: bool,
    others: Mapping[str, TomlValue | None] | None = None,
) -> str:
    """Store a secret in the config or, with `keyring`, in the keyring, and not in both; returns the place for people.

    `environment` is empty for one of the workspace; `others` are keys of the same table. Raises ConfigError.
    """
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.secret_reader import process_secrets

    changes: dict[str, TomlValue | None] = dict(others or {})
    before = stored_entry(settings, kind, environment)
    if keyring:
        from sprig_tui.config.secret_keyring import new_entry, store_entry

        entry = new_entry(find_paths().config_file, environment, kind.key)
        store_entry(entry, secret)
        process_secrets.forget(entry)
        changes |= {f"{kind.key}_keyring": entry.entry, kind.key: None}
    else:
        entry = None
        changes |= {kind.key: secret, f"{kind.key}_keyring": None}
    _save(environment, changes, None)
    if before is not None and before != entry:
        _remove_entry(before)
    return f"the {entry.label}" if entry is not None else str(find_paths().config_file)


def remove_secret(settings: Settings, kind: SecretKind, environment: str) -> None:
    """Remove a secret from the config, with a command or an entry of the keyring that the config names for it."""
    entry = stored_entry(settings, kind, environment)
    _save(environment, dict.fromkeys(stored_keys(settings, kind, environment)), settings.document.digest)
    if entry is not None:
        _remove_entry(entry)


def stored_keys(settings: Settings, kind: SecretKind, environment: str) -> tuple[str, ...]:
    """The keys of the config that hold the secret or say where it is kept; not those that name a variable."""
    table = _table(settings, environment)
    return tuple(key for key in (kind.key, f"{kind.key}_command", f"{kind.key}_keyring") if table.get(key))


def stored_entry(settings: Settings, kind: SecretKind, environment: str) -> SecretReference | None:
    """The entry of the keyring that the config names."""
    text = _table(settings, environment).get(f"{kind.key}_keyring")
    try:
        return parse_entry(text, "") if isinstance(text, str) else None
    except ConfigError:
        return None


def remove_entries(settings: Settings, environment: str, kinds: tuple[SecretKind, ...]) -> None:
    """Remove what the keyring has for an environment that is gone from the config."""
    for kind in kinds:
        entry = stored_entry(settings, kind, environment)
        if entry is not None:
            _remove_entry(entry)


def _table(settings: Settings, environment: str) -> Mapping[str, Any]:
    tables = settings.document.tables
    table = tables.get("environments", {}).get(environment, {}) if environment else tables.get("segment", {})
    return table if isinstance(table, dict) else {}


def _save(environment: str, changes: Mapping[str, TomlValue | None], digest: str | None) -> None:
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_environment, save_workspace

    if environment:
        save_environment(find_paths(), environment, changes, digest=digest)
    else:
        save_workspace(find_paths(), changes, digest=digest)


def _is_named(entry: SecretReference) -> bool:
    """Whether the config, as it is now, names the entry."""
    tables = open_settings(quiet=True).document.tables
    named = [*tables.get("environments", {}).values(), tables.get("segment", {})]
    return any(value == entry.entry for table in named for key, value in table.items() if key.endswith("_keyring"))


def _remove_entry(entry: SecretReference) -> None:
    """Remove the entry if sprig-tui made it; the config no longer names it, so an error is a warning."""
    from sprig_tui.config.secret_keyring import SERVICE, remove_entry
    from sprig_tui.config.secret_reader import process_secrets

    process_secrets.forget(entry)
    if entry.service != SERVICE:
        diagnostics.info(f"the {entry.label} stays: sprig-tui did not make that entry")
        return
    if _is_named(entry):
        diagnostics.info(f"the {entry.label} stays: the config still names it")
        return
    try:
        if remove_entry(entry):
            diagnostics.success(f"removed from the {entry.label}")
    except ConfigError as error:
        diagnostics.warning(f"it is still in the keyring: {error.message}", error.hint)
