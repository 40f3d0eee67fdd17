"""Config reload: what a running process takes up of a config file that others write, and what it holds against it.

After a good config only another good one is taken up. A file that is missing, empty, unreadable, at fault or broken
off is not: what was in use stays. One that has lost something (an environment, a token, a mapping rule) is taken up
once it has stood still for a while, and what it lost is named; one whose end alone is missing looks as a writer leaves
it that stopped, so it waits for a person. What a command of ours wrote is whole, and is taken up at once.
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
    """One process, and why it does not use the config that is on disk."""

    pid: int
    why: str
    hint: str
    since: int
    """Wall time, milliseconds since 1970 UTC."""


def write_held_note(paths: Paths, reason: str, hint: str) -> None:
    """Tell others why this process goes on with the config from before; where that cannot be written, nobody hears."""
    held = HeldConfigNote(pid=os.getpid(), why=reason, hint=hint, since=time.time_ns() // 1_000_000)
    with suppress(ConfigError):
        make_folder(paths.state_dir / HELD_FOLDER)
        write_atomically(_note_file(paths, held.pid), msgspec.json.encode(held))


def remove_held_note(paths: Paths) -> None:
    """Take this process's note back."""
    with suppress(OSError):
        _note_file(paths, os.getpid()).unlink(missing_ok=True)


def read_held_notes(paths: Paths) -> tuple[HeldConfigNote, ...]:
    """The notes of all processes that live; those of others are swept away."""
    found = []
    for file in sorted((paths.state_dir / HELD_FOLDER).glob("*.json")):
        with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            held = msgspec.json.decode(file.read_bytes(), type=HeldConfigNote)
            if _process_exists(held.pid):
                found.append(held)
            else:
                file.unlink(missing_ok=True)
    return tuple(found)


def _note_file(paths: Paths, pid: int) -> Path:
    return paths.state_dir / HELD_FOLDER / f"{pid}.json"


def _process_exists(pid: int) -> bool:
    if os.name != "posix":
        return True  # there asking would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


STABLE_FOR_S = 5.0
"""Seconds for which a config that has lost something must stand still before it is taken up."""

_RESTORE_HINT = "put it back; to go on without it, start this process again"
_END_LINE_HINT = "if that is meant, end the line"
_CONFIRM_HINT = "if that is meant, send SIGHUP, start it again, or write a comment on the file's last line"


class ConfigUpdate(Struct, frozen=True):
    """What a look at the file found: `settings` to take up, the file `restored` to what is in use, or one `held` off.

    `settings` are those in use in the last two cases.
    """

    kind: Literal["changed", "restored", "held"]
    settings: Settings
    removed: tuple[str, ...] = ()
    """What settings that are to be taken up no longer have, by name."""
    message: str = ""
    hint: str = ""


class ConfigReloader:
    """Follows the config of one process: `look` now and then, `take` what it offers once that is in use.

    `load` reads the settings and raises ConfigError. Not for two threads at once.
    """

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        load_settings: Callable[[], Settings],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths = paths
        self._settings = settings
        self._load_settings = load_settings
        self._monotonic = monotonic
        self._last_config = LastConfigStore(paths)
        self._unstable_since: tuple[str, float] = ("", 0.0)
        """Digest of a config that has lost something, and since when it is that one."""
        self.message = ""
        """Why the config on disk is not the one in use; empty where it is."""
        self.hint = ""
        self._last_config.save(settings.document)

    @property
    def settings(self) -> Settings:
        """Those in use."""
        return self._settings

    def poll(self, *, confirmed: bool = False, written: str = "") -> ConfigUpdate | None:
        """Read the file; None where nothing is new.

        `confirmed`: a person asked for it, so that whatever is good is taken up. `written` is the digest of what this
        process wrote itself.
        """
        try:
            found = self._load_settings()
        except ConfigError as error:
            return self.reject(error.message, error.hint)
        before, now = self._settings.document, found.document
        if before.digest == now.digest:
            # the same file; what pulls learnt of surveys may be new
            return self._clear_rejection() or (
                ConfigUpdate("changed", found) if found.digest != self._settings.digest else None
            )
        lost = removed_keys(key_paths(before.tables), key_paths(now.tables))
        ours = now.digest in (written, self._last_config.load().written)
        if not ours and (against := self._rejection(before, now, lost, confirmed=confirmed)):
            return self.reject(*against)
        return ConfigUpdate("changed", found, lost)

    def _rejection(
        self, before: ConfigFile, now: ConfigFile, removed: tuple[str, ...], *, confirmed: bool
    ) -> tuple[str, str] | None:
        """What speaks against a file that is valid by itself, and what to do about it."""
        if before.mode is not None and now.mode is None:
            return f"{now.file} is not there", _RESTORE_HINT
        if before.tables and not now.tables:
            return f"{now.file} is empty", _RESTORE_HINT
        if confirmed:
            return None
        if torn := _truncation(before, now, removed):
            return torn
        if removed and self._changed_recently(now.digest):
            return (
                f"{now.file} lacks {join_names(removed)}",
                f"it is taken up once it has not changed for {STABLE_FOR_S:g} s",
            )
        return None

    def apply(self, settings: Settings) -> None:
        """These are in use from now on."""
        self._settings = settings
        self._clear_rejection()
        self._last_config.save(settings.document)

    def reject(self, message: str, hint: str) -> ConfigUpdate | None:
        """Go on with what is in use, for this reason; None where it is the reason already."""
        if (message, hint) == (self.message, self.hint):
            return None
        self.message, self.hint = message, hint
        write_held_note(self._paths, message, hint)
        return ConfigUpdate("held", self._settings, (), message, hint)

    def close(self) -> None:
        """Nobody looks any more."""
        remove_held_note(self._paths)

    def _clear_rejection(self) -> ConfigUpdate | None:
        self._unstable_since = ("", 0.0)
        if not self.message:
            return None
        self.message = self.hint = ""
        remove_held_note(self._paths)
        return ConfigUpdate("restored", self._settings)

    def _changed_recently(self, digest: str) -> bool:
        """Whether it was another a moment ago."""
        if self._unstable_since[0] != digest:
            self._unstable_since = (digest, self._monotonic())
        return self._monotonic() - self._unstable_since[1] < STABLE_FOR_S


def _truncation(before: ConfigFile, now: ConfigFile, removed: tuple[str, ...]) -> tuple[str, str] | None:
    """What tells that its writer did not get to the end of it, and what to do where it did."""
    if is_number_truncated(_config_text(before), _config_text(now)):
        return f"{now.file} breaks off in its last line: the number there lacks its end", _END_LINE_HINT
    if removed and is_truncated(_config_text(before), _config_text(now)):
        return f"{now.file} breaks off, or its end was deleted: it lacks {join_names(removed)}", _CONFIRM_HINT
    return None


def _config_text(document: ConfigFile) -> str:
    return document.data.decode("utf-8-sig")


def is_truncated(before: str, now: str) -> bool:
    """Whether `now` ends where `before` goes on: all that it lost stood after the last thing that it has.

    Both are valid TOML. Deleting the last table looks the same as a writer that stopped before it, so a comment at
    the end that was not there before tells that the writer got that far.
    """
    found = parse_statements(now)
    if found and found[-1].kind == "comment" and now[found[-1].start : found[-1].end].strip() not in before:
        return False
    old, new = _values_by_key(before, parse_statements(before)), _values_by_key(now, found)
    if key := _truncated_key(old, new, now):
        del new[key]
    kept = [key for key in old if key in new]
    if len(kept) == len(old):
        return False
    # in the order of `before`: what it keeps stands before what it lost
    return kept == list(old)[: len(kept)] and list(new)[-1:] == kept[-1:]


def is_number_truncated(before: str, now: str) -> bool:
    """Whether `now` ends in the beginning of a number that `before` has: what broke off of a number is a number."""
    found = _values_by_key(now, parse_statements(now))
    return bool(_truncated_key(_values_by_key(before, parse_statements(before)), found, now))


def _truncated_key(old: dict[KeyPath, str], new: dict[KeyPath, str], now: str) -> KeyPath:
    """The last key, where its value is only the beginning of the old one; else none."""
    if not new or now.endswith("\n"):
        return ()
    key, value = list(new.items())[-1]
    return key if value != old.get(key, "") and old.get(key, "").startswith(value) else ()


def _values_by_key(text: str, found: list[Statement]) -> dict[KeyPath, str]:
    """Each header and pair by its whole key, in order, with a pair's value as it is written."""
    values: dict[KeyPath, str] = {}
    table: KeyPath = ()
    for one in found:
        if one.kind in ("table", "array"):
            table = one.key
            values.setdefault(table, "")
        elif one.kind == "pair":
            values[(*table, *one.key)] = text[one.value_start : one.value_end]
    return values
