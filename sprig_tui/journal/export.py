"""Writing what a filter matches to a file, page by page; the file appears whole or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from sprig_tui.errors import SprigTuiError
from sprig_tui.journal.contract import Journal
from sprig_tui.journal.export_format import encode, format_of, heading
from sprig_tui.journal.query import EVERYTHING, Query
from sprig_tui.text import printable

PAGE = 1_000
SEARCH_MS = 200
"""How long one look into the journal may take: between two of them progress is told and a cancel is heard."""

T = TypeVar("T")


class Exported(Struct, frozen=True):
    """How far an export came."""

    rows: int
    reached: int
    """The id up to which the journal was looked through."""
    last: int
    """The newest id when it began: what arrived later is not part of it."""

    @property
    def share(self) -> float:
        """How much of the journal was looked through, 0 to 1."""
        return min(1.0, self.reached / self.last) if self.last else 1.0


async def export(
    journal: Journal,
    query: Query,
    path: Path,
    *,
    overwrite: bool = False,
    told: Callable[[Exported], None] = lambda _: None,
) -> Exported:
    """Write every delivery that matches, oldest first; `.jsonl` or `.csv` by the end of the path's name.

    It is written to a file beside the path, for the owner alone, and takes its place when it is complete; cancelled or
    failed, nothing is left. `told` hears how far it came after each page.

    Raises:
        SprigTuiError: the path cannot be written, or is there already and `overwrite` is false.
        InputError: the name says no format.
        JournalError: the journal cannot be read.
    """
    kind = format_of(path)
    newest = (await journal.ids(EVERYTHING, limit=1)).ids
    progress = Exported(0, 0, newest[0] if newest else 0)
    making = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    file = await _to_the_end(_create, making, path, overwrite)
    try:
        await _to_the_end(_write, file, heading(kind), path)
        more = progress.last > 0
        while more:
            page = await journal.page(
                query, cursor=progress.reached, limit=PAGE, direction="newer", budget_ms=SEARCH_MS
            )
            rows = [row for row in page.deliveries if row.id <= progress.last]
            await _to_the_end(_write, file, await asyncio.to_thread(encode, rows, kind), path)
            reached = page.reached or (page.deliveries[-1].id if page.deliveries else progress.last)
            more = page.more and reached < progress.last
            progress = Exported(progress.rows + len(rows), reached if more else progress.last, progress.last)
            told(progress)
        await _to_the_end(_put_in_place, file, making, path, overwrite)
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(file)
        with contextlib.suppress(OSError):
            making.unlink()
        raise
    return progress


async def _to_the_end(work: Callable[..., T], *arguments: object) -> T:
    """Run in a thread; a cancel waits until it is over, so that nobody closes a file that is being written."""
    running = asyncio.get_running_loop().run_in_executor(None, lambda: work(*arguments))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def _create(making: Path, path: Path, overwrite: bool) -> int:
    if path.is_dir():
        raise SprigTuiError(f"{printable(str(path))} is a folder", hint="name a file in it")
    if path.exists() and not overwrite:
        raise _there_already(path)
    try:
        # answers are personal data: nobody else's business, whatever the umask
        return os.open(making, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise _not_writable(path, error) from error


def _write(file: int, data: bytes, path: Path) -> None:
    left = memoryview(data)
    try:
        while left:
            left = left[os.write(file, left) :]
    except OSError as error:
        raise _not_writable(path, error) from error


def _put_in_place(file: int, making: Path, path: Path, overwrite: bool) -> None:
    try:
        os.fsync(file)
        if overwrite:
            making.replace(path)
        else:
            _put_beside(making, path)
        os.close(file)
    except FileExistsError as error:
        raise _there_already(path) from error
    except OSError as error:
        raise _not_writable(path, error) from error


def _put_beside(making: Path, path: Path) -> None:
    """Take the name unless somebody has it: a second name for the file fails where a rename would overwrite."""
    try:
        path.hardlink_to(making)
    except FileExistsError:
        raise
    except OSError:  # a file system without second names
        if path.exists():
            raise FileExistsError from None
        making.rename(path)
    else:
        making.unlink()


def _there_already(path: Path) -> SprigTuiError:
    return SprigTuiError(f"{printable(str(path))} is there already", hint="choose another name, or say that it may go")


def _not_writable(path: Path, error: OSError) -> SprigTuiError:
    return SprigTuiError(
        f"cannot write {printable(str(path))}: {error.strerror or error}", hint="choose another folder, or make room"
    )
