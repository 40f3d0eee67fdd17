"""Storage of a secret for the `keys` commands, which report what becomes of entries in the keyring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sprig_tui.cli import diagnostics
from sprig_tui.cli.context import open_settings
from sprig_tui.config import secret_storage
from sprig_tui.config.secret_storage import DroppedEntryState

if TYPE_CHECKING:
    from sprig_tui.config.secret_references import SecretReference
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
    command: SecretReference | None = None,
    others: Mapping[str, TomlValue | None] | None = None,
) -> str:
    """Store a secret in the config or, with `keyring`, in the keyring, and not in both; returns the place for people.

    With a `command`, which gave the secret, the config gets that instead.

    `environment` is empty for one of the workspace; `others` are keys of the same table. Raises ConfigError.
    """
    from sprig_tui.config.paths import find_paths

    paths = find_paths()
    if keyring:
        tables = settings.document.tables
        entry = secret_storage.store_in_keyring(paths, tables, kind, environment, secret, others or {})
        place = f"the {entry.label}"
    elif command is not None:
        changes = {**(others or {}), **secret_storage.command_changes(kind, command)}
        secret_storage.save_secret_keys(paths, kind, environment, changes)
        place = f"the {command.label}"
    else:
        changes = secret_storage.in_config_only({**(others or {}), kind.key: secret})
        secret_storage.save_secret_keys(paths, kind, environment, changes)
        place = str(paths.config_file)
    drop_entries(settings)
    return place


def remove_secret(settings: Settings, kind: SecretKind, environment: str) -> None:
    """Remove a secret from the config, with a command or an entry of the keyring that the config names for it."""
    from sprig_tui.config.paths import find_paths

    changes = dict.fromkeys(stored_keys(settings, kind, environment))
    secret_storage.save_secret_keys(find_paths(), kind, environment, changes, digest=settings.document.digest)
    drop_entries(settings)


def stored_keys(settings: Settings, kind: SecretKind, environment: str) -> tuple[str, ...]:
    """The keys of the config that hold the secret or say where it is kept; not those that name a variable."""
    return secret_storage.stored_keys(settings.document.tables, kind, environment)


def drop_entries(before: Settings) -> None:
    """Remove the entries of the keyring that the config no longer names, and report it."""
    now = open_settings(quiet=True).document
    for dropped in secret_storage.drop_entries(now.file, before.document.tables, now.tables):
        if dropped.state is DroppedEntryState.REMOVED:
            diagnostics.success(dropped.message)
        elif dropped.problem is not None:
            diagnostics.warning(dropped.message, dropped.problem.hint)
        elif dropped.message:
            diagnostics.info(dropped.message)
