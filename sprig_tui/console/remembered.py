"""Remembered state: what the console showed last, in one file of the state folder, for the next start.

The file holds no answers: only names, numbers, paths and the text of the filter. `forget` removes it where it names the
person (`delivery.copied_files`), and a console that runs meanwhile does not write the same text again.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import msgspec

from sprig_tui.config.paths import CONSOLE_STATE_NAME
from sprig_tui.errors import ConfigError
from sprig_tui.files import make_folder, write_atomically

VERSION = 1
OLD_STATE_NAME = "environment"
"""File in which version 0.1.0 kept the selected environment."""
MAX_BYTES = 64_000
"""Size of the file; a state that is larger is written without its files and its filter."""
MAX_FILES = 100
"""Open files that are remembered; of more, none is."""

Number = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]

_log = logging.getLogger(__name__)


class Remembered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state; the defaults are those of a first start."""

    version: int = 0
    journal: str = ""
    """The journal that `delivery` is of."""
    environment: str = ""
    pane: str = ""
    """The pane that had the focus."""
    files: tuple[str, ...] = ()
    """Open files and folders, as absolute paths."""
    record: Number = 0
    """The record shown, from 0."""
    listed: bool = False
    """Whether the list of records was open."""
    view: str = ""
    filter: str = ""
    delivery: Number = 0
    """The delivery under the cursor; 0 while the log followed the newest."""
    sizes: dict[str, float] = {}
    """Shares of the panes, by their names in `PaneSizes`."""


NOTHING = Remembered()


class RememberedFile:
    """Reads and writes the state; no error stops the console."""

    def __init__(self, state_dir: Path, *, writes: bool, reads: bool = True) -> None:
        """`writes`: False for consoles that must not write (demo, read-only).

        `reads`: False where the state is another person's.
        """
        self._reads = reads
        self._old_file = state_dir / OLD_STATE_NAME
        self._file = state_dir / CONSOLE_STATE_NAME
        self._writes = writes
        self._written = NOTHING
        self._removed = NOTHING
        """What the file had when somebody removed it."""

    def read(self) -> Remembered:
        """The state; that of a first start where the file is missing, damaged, too large or of another version."""
        if not self._reads:
            return NOTHING
        try:
            with self._file.open("rb") as stream:
                content = stream.read(MAX_BYTES + 1)
            state = msgspec.json.decode(content[:MAX_BYTES], type=Remembered)
        except FileNotFoundError:
            return NOTHING
        except (OSError, ValueError) as error:
            _log.warning("what the console showed last cannot be read from %s: %s", self._file, type(error).__name__)
            return NOTHING
        if state.version != VERSION:
            return NOTHING
        return state

    def write(self, state: Remembered) -> None:
        """Write the state, where it differs from what was written last."""
        state = msgspec.structs.replace(state, version=VERSION)
        if not self._writes or state == self._written:
            return
        self._remove(self._old_file)
        if self._written.version and not self._file.exists():
            self._removed = self._written
        self._written = state
        content = msgspec.json.encode(self._without_removed(state))
        if len(content) > MAX_BYTES:
            content = msgspec.json.encode(msgspec.structs.replace(state, files=(), filter=""))
        try:
            make_folder(self._file.parent)
            write_atomically(self._file, content)
        except ConfigError as error:
            _log.warning("what the console shows is not remembered: %s", error.message)

    def _without_removed(self, state: Remembered) -> Remembered:
        """The state without texts that stood in a file which was removed, as `forget` does."""
        removed = self._removed
        return msgspec.structs.replace(
            state,
            filter="" if state.filter == removed.filter else state.filter,
            files=() if state.files == removed.files else state.files,
        )

    def remove(self) -> None:
        """Forget what there is: `[console] remember` is off."""
        if self._writes:
            self._remove(self._file)
            self._remove(self._old_file)

    def _remove(self, file: Path) -> None:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s was not removed: %s", file, error.strerror)
