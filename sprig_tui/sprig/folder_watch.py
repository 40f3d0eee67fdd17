"""The files of a watched folder: which are complete and not yet taken, told by looking at it again and again."""

from __future__ import annotations

import asyncio
import codecs
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import PurePath
from typing import BinaryIO, Literal, NamedTuple

import msgspec

from sprig_tui.sprig.csv_rows import detect_delimiter, parse_row
from sprig_tui.sprig.reader import INPUT_SUFFIXES

PARTIAL_SUFFIXES = (
    ".part",
    ".partial",
    ".tmp",
    ".temp",
    ".crdownload",
    ".download",
    ".filepart",
    ".opdownload",
    ".swp",
    "~",
)
"""Endings under which browsers, downloaders and editors write before they rename: nothing to read, and no mistake."""

FileKind = Literal["answers", "partial", "hidden", "other"]


def classify_name(name: str) -> FileKind:
    """What a file is by its last name: only `answers` are read, and only `other` is worth a word to a person."""
    if name.startswith("."):
        return "hidden"
    low = name.lower()
    if low.endswith(PARTIAL_SUFFIXES):
        return "partial"
    return "answers" if PurePath(low.removesuffix(".gz")).suffix in INPUT_SUFFIXES else "other"


STABLE_FOR_S = 1.0
"""Seconds for which a file's size and time must stand still before it counts as complete."""


class FileSignature(NamedTuple):
    """Tells one state of a file from another without reading it."""

    device: int
    inode: int
    size: int
    mtime_ns: int


class ReadyFile(NamedTuple):
    """A complete file, in the state in which it was found."""

    path: str
    signature: FileSignature


class ScanResult(NamedTuple):
    """What one look found."""

    ready: list[ReadyFile]
    """Complete, oldest first, each state handed out once."""
    next_scan_in_s: float | None
    """Seconds until a file may be complete that is not yet; None where there is none."""
    remarks: list[str]
    """What was left alone and why; each is told once."""
    missing: bool = False
    """The folder is not there, or is no folder."""


class _TrackedFile:
    """A file as it was last seen."""

    __slots__ = ("due", "signature", "taken")

    def __init__(self, signature: FileSignature, due: float) -> None:
        self.signature = signature
        self.due = due
        self.taken = False


class FolderScanner:
    """Looks at a folder and its sub-folders; hidden ones are left out, links are not followed.

    A file is complete when its size and modification time stood still for `settle` seconds between looks, or at once
    when it was seen before under a partial name and was renamed. An empty file is not complete: there is nothing in
    it to read yet. Times are those of any steady clock, the same for all calls. Not for several threads at once.
    """

    def __init__(self, folder: str, stable_for_s: float = STABLE_FOR_S) -> None:
        self._folder = folder
        self._stable_for_s = stable_for_s
        self._tracked: dict[str, _TrackedFile] = {}
        self._partial_files: set[FileSignature] = set()
        """Files under partial or hidden names, as of the last look."""
        self._reported: set[str] = set()
        self._remarks: list[str] = []

    def scan(self, now: float) -> ScanResult:
        """Look once. A folder that is gone is no error: what is in it when it is back is looked at as new."""
        self._remarks = []
        found: dict[str, FileSignature] = {}
        partial: set[FileSignature] = set()
        if not os.path.isdir(self._folder):  # noqa: PTH112 - the same words as os.walk below
            self._tracked.clear()
            self._partial_files.clear()
            return ScanResult([], None, [], missing=True)
        for path, name, status in self._walk():
            kind = classify_name(name)
            if kind == "answers":
                found[path] = _signature(status)
            elif kind == "other":
                self._add_remark(
                    path, "is left alone: files ending in .json, .jsonl, .ndjson or .csv are read, also .gz"
                )
            else:
                partial.add(_signature(status))
        ready, next_in = self._ready_files(found, now)
        self._tracked = {path: seen for path, seen in self._tracked.items() if path in found}
        self._partial_files = partial
        return ScanResult(ready, next_in, self._remarks)

    def retry_later(self, file: ReadyFile, due: float) -> None:
        """Hand this file out again from `due` on, if it still stands as it was found."""
        seen = self._tracked.get(file.path)
        if seen is not None and seen.signature == file.signature:
            seen.taken, seen.due = False, due

    def retry_all(self, paths: set[str], now: float) -> None:
        """Hand these files out again, because what spoke against them may have changed."""
        for path in paths & self._tracked.keys():
            self._tracked[path].taken, self._tracked[path].due = False, now

    # -- inside ---------------------------------------------------------------------------------------------------

    def _ready_files(self, found: dict[str, FileSignature], now: float) -> tuple[list[ReadyFile], float | None]:
        ready: list[ReadyFile] = []
        next_in: float | None = None
        for path, signature in found.items():
            seen = self._tracked.get(path)
            if seen is None or seen.signature != signature:
                # the very state that stood under a partial name: a file whose inode is used again has another time
                due = now if signature in self._partial_files else now + self._stable_for_s
                seen = self._tracked[path] = _TrackedFile(signature, due)
            if seen.taken or not signature.size:
                continue
            if now >= seen.due:
                seen.taken = True
                ready.append(ReadyFile(path, signature))
            else:
                next_in = seen.due - now if next_in is None else min(next_in, seen.due - now)
        return sorted(ready, key=lambda one: (one.signature.mtime_ns, one.path)), next_in

    def _walk(self) -> Iterator[tuple[str, str, os.stat_result]]:
        """(path, name, status) of each regular file, links not followed."""
        waiting = [self._folder]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        # of what disappears between two calls nothing is wanted
                        try:
                            status = os.lstat(entry.path)
                        except OSError:
                            continue
                        if stat.S_ISREG(status.st_mode):
                            yield entry.path, entry.name, status
                        elif stat.S_ISDIR(status.st_mode):
                            if not entry.name.startswith("."):
                                waiting.append(entry.path)
                        else:
                            self._remark_irregular(entry.path, entry.name, status.st_mode)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._add_remark(folder, f"cannot be listed: {error.strerror}")

    def _remark_irregular(self, path: str, name: str, mode: int) -> None:
        if classify_name(name) == "hidden":
            return
        if stat.S_ISLNK(mode):
            self._add_remark(path, "is a link, and is not followed: put the file itself there")
        elif classify_name(name) == "answers":
            self._add_remark(path, "is no file, and is left alone")

    def _add_remark(self, path: str, text: str) -> None:
        remark = f"{path} {text}"
        if remark not in self._reported:
            self._reported.add(remark)
            self._remarks.append(remark)


def signature_of(path: str) -> FileSignature | None:
    """The file's state now; None where there is no such file any more."""
    try:
        return _signature(os.lstat(path))
    except OSError:
        return None


def _signature(status: os.stat_result) -> FileSignature:
    return FileSignature(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


CHECK_INTERVAL_MS = 1_000
"""How often it is checked that the folder watched is still the one of that name."""
RETRY_INTERVAL_S = 0.5
"""Seconds between two tries to watch a folder that is not there."""
WATCH_LIMIT_RETRY_S = 30.0
"""Seconds until the system is asked again that had no more watches to give."""
DEBOUNCE_MS = 300
"""Changes of so long are told together."""

_log = logging.getLogger(__name__)


class FolderNotifier:
    """`rung` is set whenever something may have changed; whoever looks clears it first.

    Survives the folder being removed and made again. Where the system tells of no changes (network file systems, no
    watches left) it is silent: looking every few seconds finds them all the same.
    """

    def __init__(self, folder: str) -> None:
        self.changed = asyncio.Event()
        self._folder = folder
        self._warned = False

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await self._watch()
            except FileNotFoundError:
                await asyncio.sleep(RETRY_INTERVAL_S)
            except OSError as error:
                self._warn_once(error.strerror or str(error))
                await asyncio.sleep(CHECK_INTERVAL_MS / 1000)
            except RuntimeError as error:  # how watchfiles says that no inotify instance or watch is left
                self._warn_once(str(error))
                await asyncio.sleep(WATCH_LIMIT_RETRY_S)
            except ExceptionGroup as group:
                # What came of the thread that waits. A name that is no UTF-8 is such an error too, and is a change.
                _, others = group.split((OSError, RuntimeError))
                if others is not None:
                    raise others from None
                _log.debug("watching %s anew: %s", self._folder, group.exceptions[0])
                self.changed.set()
                await asyncio.sleep(RETRY_INTERVAL_S)

    def _warn_once(self, why: str) -> None:
        if not self._warned:
            _log.warning(
                "the system tells nothing of changes in %s (%s): it is looked at every few seconds instead",
                self._folder,
                why,
            )
        self._warned = True

    async def _watch(self) -> None:
        """Until the folder is another, or gone."""
        from watchfiles import awatch

        identity = _folder_identity(self._folder)
        if identity is None:
            raise FileNotFoundError(self._folder)
        watching = awatch(
            self._folder,
            watch_filter=lambda _, path: classify_name(os.path.basename(path)) in ("answers", "other"),  # noqa: PTH119 - a bare text
            debounce=DEBOUNCE_MS,
            rust_timeout=CHECK_INTERVAL_MS,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
        first = True
        async with aclosing(watching) as changes:
            async for found in changes:
                # what came before the watch stood was told to nobody
                if found or first:
                    self.changed.set()
                first = False
                if _folder_identity(self._folder) != identity:
                    self.changed.set()
                    return


def _folder_identity(folder: str) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)  # noqa: PTH116 - a bare text
    except OSError:
        return None
    return status.st_dev, status.st_ino


_HEAD_BYTES = 65_536
_TAIL_BYTES = 1_000_000


def is_truncated(path: str) -> bool:
    """Whether the last line, or the document, of a plain file is not all there; raises OSError.

    A last line without a line end is whole where it is JSON, or a row with as many cells as the keys row. What cannot
    be told (compressed files, other encodings, very long lines) counts as whole.
    """
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - a bare text
        head = (stream.read(_HEAD_BYTES) or b"").removeprefix(codecs.BOM_UTF8).lstrip()
        tail = _read_tail(stream)
    if b"\0" in head or not tail.strip():
        return False
    last = tail[tail.rfind(b"\n") + 1 :].strip()
    first = head.split(b"\n", 1)[0]
    if head.startswith(b"["):
        return not tail.rstrip().endswith(b"]")
    if head.startswith(b"{"):
        if not last or _is_json(last):
            return not last and not _is_json(first.strip()) and not tail.rstrip().endswith((b"}", b"]"))
        return _is_json(first.strip()) or not tail.rstrip().endswith((b"}", b"]"))
    delimiter = detect_delimiter(first)
    if delimiter and last and b"\n" in tail:
        keys, cells = parse_row(0, first, delimiter).cells, parse_row(0, last, delimiter).cells
        return len(cells) < len(keys) or last.count(b'"') % 2 == 1
    return False


def _read_tail(stream: BinaryIO) -> bytes:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _TAIL_BYTES))
    return stream.read(_TAIL_BYTES) or b""


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True
