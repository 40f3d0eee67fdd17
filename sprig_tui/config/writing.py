"""Writing the config: whole or not at all, readable by its owner only, never over someone else's change."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from sprig_tui.config.document import Document, digest_of, parse, read_document
from sprig_tui.config.editing import Value, edit_environment, remove_environment
from sprig_tui.config.locking import locked
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


def drop_environment(paths: Paths, name: str, *, digest: str | None = None) -> str:
    """Take the environment's whole table out; returns the new digest. Raises ConfigError as `save_environment`."""
    return _change(paths, lambda text: remove_environment(text, name), digest)


def _change(paths: Paths, change: Callable[[str], str], digest: str | None) -> str:
    file = paths.config_file
    target = file.resolve() if file.is_symlink() else file
    _make_folder(target.parent)
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
        settings_of(_read_back(document, data), paths, {})
        if data != document.data:
            write_atomically(target, data)
        return digest_of(data)


def _read_back(document: Document, data: bytes) -> Document:
    """The document as it would be with these bytes."""
    return document._replace(data=data, tables=parse(data, document.file), mode=0o600)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    except FileExistsError as error:
        raise ConfigError(f"{folder} is not a folder", hint="see sprig-tui paths") from error
    except OSError as error:
        raise ConfigError(
            f"cannot make the folder {folder}: {error.strerror}", hint="check the owner and mode of the one above it"
        ) from error


def write_atomically(target: Path, data: bytes) -> None:
    """Replace the file's content, mode 0600, so that a crash leaves the old or the new, whole; raises ConfigError."""
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".new")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink(missing_ok=True)
        raise ConfigError(
            f"cannot write {target}: {error.strerror}", hint="the old content is still there; check space and owner"
        ) from error


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
