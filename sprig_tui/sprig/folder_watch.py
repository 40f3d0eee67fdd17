"""Watched folder: its scan for complete files that were not read yet, and the notice of changes in it."""

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

from sprig_tui.files import open_input
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
"""Endings of files that browsers, downloaders and editors write to before they rename them; skipped silently."""
STABLE_FOR_S = 1.0
"""Seconds for which a file's size and time must not change before it counts as complete."""
CHECK_INTERVAL_MS = 1_000
"""Interval of the check that the watched folder was not replaced by another."""
RETRY_INTERVAL_S = 0.5
"""Seconds between two tries to watch a missing folder."""
WATCH_LIMIT_RETRY_S = 30.0
"""Seconds before another try when the system had no watches left."""
DEBOUNCE_MS = 300
"""Changes within this time are reported together."""
_HEAD_BYTES = 65_536
_TAIL_BYTES = 1_000_000

FileKind = Literal["answers", "partial", "hidden", "other"]

_log = logging.getLogger(__name__)


def classify_name(name: str) -> FileKind:
    """The kind of a file by its name without folders: only `answers` are read, and only `other` is reported."""
    if name.startswith("."):
        return "hidden"
    lower = name.lower()
    if lower.endswith(PARTIAL_SUFFIXES):
        return "partial"
    return "answers" if PurePath(lower.removesuffix(".gz")).suffix in INPUT_SUFFIXES else "other"


class FileSignature(NamedTuple):
    """One state of a file, recognised without reading the file."""

    device: int
    inode: int
    size: int
    mtime_ns: int


class ReadyFile(NamedTuple):
    """A complete file, and the state it was found in."""

    path: str
    signature: FileSignature


class ScanResult(NamedTuple):
    """Result of one scan."""

    ready: list[ReadyFile]
    """Complete files, oldest first; each state of a file is returned once."""
    next_scan_in_s: float | None
    """Seconds until the next incomplete file may be complete; None without such a file."""
    remarks: list[str]
    """Skipped files and the reasons; each is reported once."""
    missing: bool = False
    """The folder does not exist, or is not a folder."""


class _TrackedFile:
    """A file as of the last scan."""

    __slots__ = ("due", "signature", "taken")

    def __init__(self, signature: FileSignature, due: float) -> None:
        self.signature = signature
        self.due = due
        self.taken = False


class FolderScanner:
    """Scanner of a folder and its sub-folders, without hidden ones; links are not followed.

    A file is complete when its size and modification time did not change for `stable_for_s` seconds, or at once when an
    earlier scan found it under a partial name. An empty file is not complete. Times are those of one monotonic clock.
    Not thread-safe.
    """

    def __init__(self, folder: str, stable_for_s: float = STABLE_FOR_S) -> None:
        self._folder = folder
        self._stable_for_s = stable_for_s
        self._tracked: dict[str, _TrackedFile] = {}
        self._partial_files: set[FileSignature] = set()
        """Files under partial or hidden names, as of the last scan."""
        self._reported: set[str] = set()
        self._remarks: list[str] = []

    def scan(self, now: float) -> ScanResult:
        """Scan once. A missing folder is not an error; when it is back, all files in it count as new."""
        self._remarks = []
        signatures: dict[str, FileSignature] = {}
        partial: set[FileSignature] = set()
        if not os.path.isdir(self._folder):  # noqa: PTH112 - a bare text
            self._tracked.clear()
            self._partial_files.clear()
            return ScanResult([], None, [], missing=True)
        for path, name, status in self._walk():
            kind = classify_name(name)
            if kind == "answers":
                signatures[path] = _signature(status)
            elif kind == "other":
                self._add_remark(path, "is skipped: files ending in .json, .jsonl, .ndjson or .csv are read, also .gz")
            else:
                partial.add(_signature(status))
        ready, next_in = self._ready_files(signatures, now)
        self._tracked = {path: tracked for path, tracked in self._tracked.items() if path in signatures}
        self._partial_files = partial
        return ScanResult(ready, next_in, self._remarks)

    def retry_later(self, file: ReadyFile, due: float) -> None:
        """Return this file again from `due` on, if it has not changed."""
        tracked = self._tracked.get(file.path)
        if tracked is not None and tracked.signature == file.signature:
            tracked.taken, tracked.due = False, due

    def retry_all(self, paths: set[str], now: float) -> None:
        """Return these files again, because the reason for not reading them may be gone."""
        for path in paths & self._tracked.keys():
            self._tracked[path].taken, self._tracked[path].due = False, now

    # -- inside ---------------------------------------------------------------------------------------------------

    def _ready_files(self, signatures: dict[str, FileSignature], now: float) -> tuple[list[ReadyFile], float | None]:
        ready: list[ReadyFile] = []
        next_in: float | None = None
        for path, signature in signatures.items():
            tracked = self._tracked.get(path)
            if tracked is None or tracked.signature != signature:
                # the whole signature is compared: a new file may reuse an inode, but has another time
                due = now if signature in self._partial_files else now + self._stable_for_s
                tracked = self._tracked[path] = _TrackedFile(signature, due)
            if tracked.taken or not signature.size:
                continue
            if now >= tracked.due:
                tracked.taken = True
                ready.append(ReadyFile(path, signature))
            else:
                next_in = tracked.due - now if next_in is None else min(next_in, tracked.due - now)
        return sorted(ready, key=lambda file: (file.signature.mtime_ns, file.path)), next_in

    def _walk(self) -> Iterator[tuple[str, str, os.stat_result]]:
        """(path, name, status) of each regular file, links not followed."""
        waiting = [self._folder]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        try:  # a file may disappear between the two calls
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
            self._add_remark(path, "is skipped: it is not a regular file")

    def _add_remark(self, path: str, text: str) -> None:
        remark = f"{path} {text}"
        if remark not in self._reported:
            self._reported.add(remark)
            self._remarks.append(remark)


def signature_of(path: str) -> FileSignature | None:
    """The file's present state; None if the file is gone."""
    try:
        return _signature(os.lstat(path))
    except OSError:
        return None


def _signature(status: os.stat_result) -> FileSignature:
    return FileSignature(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class FolderNotifier:
    """File system notifications for a folder: `changed` is set after each change; the caller clears it before a scan.

    The folder may be removed and created again. Network file systems report no changes, and a system may have no
    watches left; `changed` is then not set, and only the regular scans find new files.
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
            except RuntimeError as error:  # raised by watchfiles if no inotify instance or watch is left
                self._warn_once(str(error))
                await asyncio.sleep(WATCH_LIMIT_RETRY_S)
            except ExceptionGroup as group:
                # Raised by the waiting thread, also for a file name that is not UTF-8, which is a change.
                _, others = group.split((OSError, RuntimeError))
                if others is not None:
                    raise others from None
                _log.debug("watching %s again: %s", self._folder, group.exceptions[0])
                self.changed.set()
                await asyncio.sleep(RETRY_INTERVAL_S)

    def _warn_once(self, why: str) -> None:
        if not self._warned:
            _log.warning(
                "the system does not report changes in %s (%s): the folder is scanned every few seconds instead",
                self._folder,
                why,
            )
        self._warned = True

    async def _watch(self) -> None:
        """Set `changed` until the folder is gone or replaced."""
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
            async for changed in changes:
                # changes before the watch was set up are not reported, so the first round counts as one
                if changed or first:
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


def is_file_truncated(path: str) -> bool:
    """Whether the last line, or the document, of a plain file is incomplete; raises OSError.

    A last line without a line end is complete if it is JSON, or a row with as many cells as the keys row. Compressed
    files, other encodings and very long lines are not checked, and count as complete.
    """
    with open_input(path) as stream:
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
