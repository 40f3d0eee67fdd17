"""Writing the config: whole or not at all, readable by its owner only, never over someone else's change."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sprig_tui.config.atomically import make_folder, write_atomically
from sprig_tui.config.document import Document, digest_of, parse, read_document
from sprig_tui.config.editing import Value, edit_environment, edit_table, remove_environment
from sprig_tui.config.locking import locked
from sprig_tui.config.memory import ConfigMemory
from sprig_tui.config.paths import Paths
from sprig_tui.config.settings import check_name, settings_of
from sprig_tui.errors import ConfigError

BOM = "\ufeff"


def save_environment(paths: Paths, name: str, changes: Mapping[str, Value | None], *, digest: str | None = None) -> str:
    """Set keys of `[environments.NAME]` (None removes one); returns the new digest.

    With a `digest` (of what was read and shown) the change is refused when the file is another by now; without one
    it is made on whatever stands there. Raises ConfigError; the file is then as it was.
    """
    check_name(name)
    return _change(paths, lambda text: edit_environment(text, name, changes), digest)


def save_workspace(paths: Paths, changes: Mapping[str, Value | None], *, digest: str | None = None) -> str:
    """Set keys of `[segment]` (None removes one); returns the new digest. Raises ConfigError as `save_environment`."""
    return _change(paths, lambda text: edit_table(text, ("segment",), changes), digest)


def save_console(paths: Paths, changes: Mapping[str, Value | None], *, digest: str | None = None) -> str:
    """Set keys of `[console]` (None removes one); returns the new digest. Raises ConfigError as `save_environment`."""
    return _change(paths, lambda text: edit_table(text, ("console",), changes), digest)


def drop_environment(paths: Paths, name: str, *, digest: str | None = None) -> str:
    """Take the environment's whole table out; returns the new digest. Raises ConfigError as `save_environment`."""
    return _change(paths, lambda text: remove_environment(text, name), digest)


def _change(paths: Paths, change: Callable[[str], str], digest: str | None) -> str:
    file = paths.config_file
    target = file.resolve() if file.is_symlink() else file
    make_folder(target.parent)
    with locked(target):
        document = read_document(target)
        if digest is not None and digest != document.digest:
            raise ConfigError(
                f"{file} was changed by someone else", hint="nothing was written; read it again, then change it"
            )
        text = document.data.decode("utf-8")
        mark = BOM if text.startswith(BOM) else ""
        data = (mark + change(text.removeprefix(mark))).encode("utf-8")
        # What could not be read back must never be written: the next start would fail on it.
        written = _read_back(document, data)
        settings_of(written, paths, {})
        if data != document.data:
            write_atomically(target, data)
            _vouch(paths, document, written)
        return digest_of(data)


def _vouch(paths: Paths, before: Document, written: Document) -> None:
    """Tell running processes that this is whole; not where what it was made from may be a file that broke off."""
    memory = ConfigMemory(paths)
    seen = memory.seen()
    if seen.digest and before.digest in (seen.digest, seen.written):
        memory.remember(written, written=True)


def _read_back(document: Document, data: bytes) -> Document:
    """The document as it would be with these bytes."""
    return document._replace(data=data, tables=parse(data, document.file), mode=0o600)
