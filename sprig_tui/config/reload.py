"""Config reload: whether a running process uses a changed config file, and why not.

`cli.reload` and the console's `config_editor` apply it.

A valid config replaces the one in use. A file that is missing, empty, unreadable, invalid or truncated does not: the
process continues with the config in use. A config that has lost keys (an environment, a token, a mapping rule) is used
after it has not changed for STABLE_FOR_S, and the lost keys are named. If only its end is missing, its writer may have
been interrupted, so it waits for the user. A config that sprig-tui wrote itself is complete and used at once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from sprig_tui.config.contents import KeyPath, join_names, key_paths, removed_keys
from sprig_tui.config.last_config import LastConfigStore
from sprig_tui.config.paths import Paths
from sprig_tui.config.settings import Settings
from sprig_tui.config.toml_edit import Statement, parse_statements
from sprig_tui.config.toml_file import ConfigFile
from sprig_tui.errors import ConfigError
from sprig_tui.files import make_folder, write_atomically

HELD_FOLDER = "config-held"


class HeldConfigNote(Struct, frozen=True, kw_only=True):
    """A process, and its reason not to use the config on disk."""

    pid: int
    why: str
    hint: str
    since: int
    """Wall time, milliseconds since 1970 UTC."""


def write_held_note(paths: Paths, reason: str, hint: str) -> None:
    """Store for `status` and `doctor` why this process continues with its earlier config. Write errors are ignored."""
    note = HeldConfigNote(pid=os.getpid(), why=reason, hint=hint, since=time.time_ns() // 1_000_000)
    with suppress(ConfigError):
        make_folder(paths.state_dir / HELD_FOLDER)
        write_atomically(_note_file(paths, note.pid), msgspec.json.encode(note))


def remove_held_note(paths: Paths) -> None:
    """Remove the note of this process."""
    with suppress(OSError):
        _note_file(paths, os.getpid()).unlink(missing_ok=True)


def read_held_notes(paths: Paths) -> tuple[HeldConfigNote, ...]:
    """The notes of all live processes; those of dead ones are removed."""
    notes = []
    for file in sorted((paths.state_dir / HELD_FOLDER).glob("*.json")):
        with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            note = msgspec.json.decode(file.read_bytes(), type=HeldConfigNote)
            if _process_exists(note.pid):
                notes.append(note)
            else:
                file.unlink(missing_ok=True)
    return tuple(notes)


def _note_file(paths: Paths, pid: int) -> Path:
    return paths.state_dir / HELD_FOLDER / f"{pid}.json"


def _process_exists(pid: int) -> bool:
    if os.name != "posix":
        return True  # os.kill would end the process there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


STABLE_FOR_S = 5.0
"""Time without a change after which a config that has lost keys is used."""

_RESTORE_HINT = "restore it; to continue without it, restart this process"
_END_LINE_HINT = "if that is intended, end the line"
CONFIRM_BY_SIGNAL = "send SIGHUP, restart this process"
_CONFIRM_HINT = "if that is intended, {}, or add a comment as the last line of the file"


class ConfigUpdate(Struct, frozen=True):
    """Result of reading the file: it `changed`, was `restored` to the config in use, or is `held` (not used).

    `settings` are the new ones if it `changed`, else those in use.
    """

    kind: Literal["changed", "restored", "held"]
    settings: Settings
    removed: tuple[str, ...] = ()
    """Keys that the new settings no longer have."""
    message: str = ""
    hint: str = ""


class ConfigReloader:
    """Follows the config of one process: call `poll` regularly, and `apply` once the new settings are in use.

    `load_settings` reads the settings and raises ConfigError. Not thread-safe.
    """

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        load_settings: Callable[[], Settings],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        ways_to_confirm: str = CONFIRM_BY_SIGNAL,
    ) -> None:
        """`ways_to_confirm` are those of a user who did delete the end of the file."""
        self._paths = paths
        self._settings = settings
        self._load_settings = load_settings
        self._monotonic = monotonic
        self._ways_to_confirm = ways_to_confirm
        self._last_config = LastConfigStore(paths)
        self._unstable_since: tuple[str, float] = ("", 0.0)
        """Digest of a config that has lost keys, and the time of its last change."""
        self.message = ""
        """Why the config on disk is not used; empty if it is."""
        self.hint = ""
        self._last_config.save(settings.document)

    @property
    def settings(self) -> Settings:
        """The settings in use."""
        return self._settings

    def poll(self, *, confirmed: bool = False, written: str = "") -> ConfigUpdate | None:
        """Read the file; None if nothing is new.

        `confirmed`: the user asked for a reload, so that any valid config is used. `written` is the digest of the
        config that this process wrote itself.
        """
        try:
            settings = self._load_settings()
        except ConfigError as error:
            return self.reject(error.message, error.hint)
        before, now = self._settings.document, settings.document
        if before.digest == now.digest:
            # same file, but the survey catalogue may be new
            return self._clear_rejection() or (
                ConfigUpdate("changed", settings) if settings.digest != self._settings.digest else None
            )
        lost = removed_keys(key_paths(before.tables), key_paths(now.tables))
        is_own = now.digest in (written, self._last_config.load().written)
        if not is_own and (rejection := self._rejection(before, now, lost, confirmed=confirmed)):
            return self.reject(*rejection)
        return ConfigUpdate("changed", settings, lost)

    def _rejection(
        self, before: ConfigFile, now: ConfigFile, removed: tuple[str, ...], *, confirmed: bool
    ) -> tuple[str, str] | None:
        """The reason not to use a valid file, and the next step."""
        if before.mode is not None and now.mode is None:
            return f"{now.file} is not there", _RESTORE_HINT
        if before.tables and not now.tables:
            return f"{now.file} is empty", _RESTORE_HINT
        if confirmed:
            return None
        if truncation := _truncation(before, now, removed, self._ways_to_confirm):
            return truncation
        if removed and self._changed_recently(now.digest):
            return (
                f"{now.file} lacks {join_names(removed)}",
                f"it is used once it has not changed for {STABLE_FOR_S:g} s",
            )
        return None

    def apply(self, settings: Settings) -> None:
        """Record that these settings are now in use."""
        self._settings = settings
        self._clear_rejection()
        self._last_config.save(settings.document)

    def reject(self, message: str, hint: str) -> ConfigUpdate | None:
        """Continue with the settings in use, for this reason; None if the reason is not new."""
        if (message, hint) == (self.message, self.hint):
            return None
        self.message, self.hint = message, hint
        write_held_note(self._paths, message, hint)
        return ConfigUpdate("held", self._settings, (), message, hint)

    def close(self) -> None:
        """Remove the note of this process."""
        remove_held_note(self._paths)

    def _clear_rejection(self) -> ConfigUpdate | None:
        self._unstable_since = ("", 0.0)
        if not self.message:
            return None
        self.message = self.hint = ""
        remove_held_note(self._paths)
        return ConfigUpdate("restored", self._settings)

    def _changed_recently(self, digest: str) -> bool:
        """Whether it has changed within STABLE_FOR_S."""
        if self._unstable_since[0] != digest:
            self._unstable_since = (digest, self._monotonic())
        return self._monotonic() - self._unstable_since[1] < STABLE_FOR_S


def _truncation(
    before: ConfigFile, now: ConfigFile, removed: tuple[str, ...], ways_to_confirm: str
) -> tuple[str, str] | None:
    """Signs that the file is truncated, and the next step if it is not."""
    if is_number_truncated(_config_text(before), _config_text(now)):
        return f"{now.file} breaks off in its last line: the number there lacks its end", _END_LINE_HINT
    if removed and is_config_truncated(_config_text(before), _config_text(now)):
        return f"{now.file} breaks off, or its end was deleted: it lacks {join_names(removed)}", (
            _CONFIRM_HINT.format(ways_to_confirm)
        )
    return None


def _config_text(document: ConfigFile) -> str:
    return document.data.decode("utf-8-sig")


def is_config_truncated(before: str, now: str) -> bool:
    """Whether `now` is `before` without its end: everything it lost came after the last key that it has.

    Both are valid TOML. A deleted last table looks the same as an interrupted write, so a new comment at the end means
    that the file is complete.
    """
    statements = parse_statements(now)
    last = statements[-1] if statements else None
    if last is not None and last.kind == "comment" and now[last.start : last.end].strip() not in before:
        return False
    old, new = _values_by_key(before, parse_statements(before)), _values_by_key(now, statements)
    if key := _truncated_key(old, new, now):
        del new[key]
    kept = [key for key in old if key in new]
    if len(kept) == len(old):
        return False
    # in the order of `before`, the kept keys come before the lost ones
    return kept == list(old)[: len(kept)] and list(new)[-1:] == kept[-1:]


def is_number_truncated(before: str, now: str) -> bool:
    """Whether `now` ends with the first digits of a number in `before`: a truncated number is still valid TOML."""
    values = _values_by_key(now, parse_statements(now))
    return bool(_truncated_key(_values_by_key(before, parse_statements(before)), values, now))


def _truncated_key(old: dict[KeyPath, str], new: dict[KeyPath, str], now: str) -> KeyPath:
    """The last key, if its value is only the beginning of the old one; else ()."""
    if not new or now.endswith("\n"):
        return ()
    key, value = list(new.items())[-1]
    return key if value != old.get(key, "") and old.get(key, "").startswith(value) else ()


def _values_by_key(text: str, statements: list[Statement]) -> dict[KeyPath, str]:
    """Headers and pairs by their whole key, in order, each pair with its value as written."""
    values: dict[KeyPath, str] = {}
    table: KeyPath = ()
    for statement in statements:
        if statement.kind in ("table", "array"):
            table = statement.key
            values.setdefault(table, "")
        elif statement.kind == "pair":
            values[(*table, *statement.key)] = text[statement.value_start : statement.value_end]
    return values
