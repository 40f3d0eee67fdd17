"""Config writes: atomic, mode 0600, and never over another process's change."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sprig_tui.config.last_config import LastConfigStore
from sprig_tui.config.paths import Paths
from sprig_tui.config.settings import check_environment_name, make_settings
from sprig_tui.config.toml_edit import TomlValue, edit_environment, edit_oauth, edit_table, remove_environment
from sprig_tui.config.toml_file import ConfigFile, content_digest, parse_toml, read_config_file
from sprig_tui.errors import ConfigError
from sprig_tui.files import file_lock, make_folder, write_atomically

BOM = "\ufeff"


def save_environment(
    paths: Paths, name: str, changes: Mapping[str, TomlValue | None], *, digest: str | None = None
) -> str:
    """Set keys of `[environments.NAME]` (None removes one); returns the new digest.

    With a `digest` (of the config that was read) the change is rejected if the file has changed since. Raises
    ConfigError; the file is then unchanged.
    """
    check_environment_name(name)
    return _edit_config(paths, lambda text: edit_environment(text, name, changes), digest)


def save_oauth(
    paths: Paths, name: str, values: Mapping[str, TomlValue | None] | None, *, digest: str | None = None
) -> str:
    """Set keys of `oauth` of an environment (None removes one), or remove it all; raises as `save_environment`."""
    check_environment_name(name)
    return _edit_config(paths, lambda text: edit_oauth(text, name, values), digest)


def save_workspace(paths: Paths, changes: Mapping[str, TomlValue | None], *, digest: str | None = None) -> str:
    """Set keys of `[segment]` (None removes one); returns the new digest. Raises ConfigError as `save_environment`."""
    return save_table(paths, "segment", changes, digest=digest)


def save_table(paths: Paths, table: str, changes: Mapping[str, TomlValue | None], *, digest: str | None = None) -> str:
    """Set keys of a table (None removes one); returns the new digest. Raises ConfigError as `save_environment`."""
    return _edit_config(paths, lambda text: edit_table(text, (table,), changes), digest)


def save_console(paths: Paths, changes: Mapping[str, TomlValue | None], *, digest: str | None = None) -> str:
    """Set keys of `[console]` (None removes one); returns the new digest. Raises ConfigError as `save_environment`."""
    return save_table(paths, "console", changes, digest=digest)


def save_filter(paths: Paths, name: str, text: str, *, digest: str | None = None) -> str:
    """Set a filter of `[filters]`; returns the new digest. Raises ConfigError as `save_environment`."""
    return save_table(paths, "filters", {name: text}, digest=digest)


def delete_environment(paths: Paths, name: str, *, digest: str | None = None) -> str:
    """Remove the environment's table; returns the new digest. Raises ConfigError as `save_environment`."""
    return _edit_config(paths, lambda text: remove_environment(text, name), digest)


def _edit_config(paths: Paths, edit: Callable[[str], str], digest: str | None) -> str:
    file = paths.config_file
    target = file.resolve() if file.is_symlink() else file
    make_folder(target.parent)
    with file_lock(target):
        document = read_config_file(target)
        if digest is not None and digest != document.digest:
            raise ConfigError(
                f"{file} was changed by someone else", hint="nothing was written; read it again, then change it"
            )
        text = document.data.decode("utf-8")
        mark = BOM if text.startswith(BOM) else ""
        data = (mark + edit(text.removeprefix(mark))).encode("utf-8")
        # verified before it is written: the next start would fail on an invalid config
        written = _reparse(document, data)
        make_settings(written, paths, {})
        if data != document.data:
            write_atomically(target, data)
            _record_own_write(paths, document, written)
        return content_digest(data)


def _record_own_write(paths: Paths, before: ConfigFile, written: ConfigFile) -> None:
    """Mark the config as complete for running processes, unless it was made from one that may be truncated."""
    memory = LastConfigStore(paths)
    seen = memory.load()
    if seen.digest and before.digest in (seen.digest, seen.written):
        memory.save(written, written=True)


def _reparse(document: ConfigFile, data: bytes) -> ConfigFile:
    """The config file with these bytes."""
    return document._replace(data=data, tables=parse_toml(data, document.file), mode=0o600)
