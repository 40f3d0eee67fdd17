"""Export of matching deliveries to a file, page by page. The file appears only when it is complete."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from sprig_tui.errors import SprigTuiError
from sprig_tui.journal.base import Journal
from sprig_tui.journal.export_format import encode_page, file_header, format_from_path
from sprig_tui.journal.query import MATCH_ALL, Query
from sprig_tui.journal.records import Delivery, DeliveryPage
from sprig_tui.text import printable

EXPORT_PAGE_ROWS = 2_000
SEARCH_BUDGET_MS = 200
"""Time budget of one page; between two pages progress is reported and a cancel takes effect."""

T = TypeVar("T")


class ExportProgress(Struct, frozen=True):
    """Progress of an export."""

    rows: int
    reached: int
    """The last id searched."""
    last_id: int
    """The newest id at the start; later deliveries are not exported."""

    @property
    def fraction_done(self) -> float:
        """Fraction of the journal searched so far, 0 to 1."""
        return min(1.0, self.reached / self.last_id) if self.last_id else 1.0


async def export_deliveries(
    journal: Journal,
    query: Query,
    path: Path,
    *,
    overwrite: bool = False,
    on_progress: Callable[[ExportProgress], None] = lambda _: None,
) -> ExportProgress:
    """Write every delivery that matches, oldest first, as JSON Lines or CSV by the suffix of the path.

    Written to a temporary file beside the path (mode 0600), which is renamed when it is complete and removed after an
    error or a cancel. `on_progress` is called after each page.

    Raises:
        SprigTuiError: the path cannot be written, or exists and `overwrite` is false.
        InputError: the suffix is unknown.
        JournalError: the journal cannot be read.
    """
    kind = format_from_path(path)
    progress = ExportProgress(0, 0, await newest_id(journal))
    making = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    file = await _run_to_completion(_create_part_file, making, path, overwrite)
    try:
        await _run_to_completion(_write_all, file, file_header(kind), path)
        pages = iter_pages(journal, query, progress.last_id)
        async with contextlib.aclosing(pages):
            async for rows, reached in pages:
                await _run_to_completion(_write_all, file, await asyncio.to_thread(encode_page, rows, kind), path)
                progress = ExportProgress(progress.rows + len(rows), reached, progress.last_id)
                on_progress(progress)
        await _run_to_completion(_publish_file, file, making, path, overwrite)
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(file)
        with contextlib.suppress(OSError):
            making.unlink()
        raise
    return progress


async def newest_id(journal: Journal) -> int:
    """The id of the newest delivery; 0 for none."""
    newest = (await journal.ids(MATCH_ALL, limit=1)).ids
    return newest[0] if newest else 0


async def iter_pages(journal: Journal, query: Query, last_id: int) -> AsyncGenerator[tuple[list[Delivery], int], None]:
    """Each page of what matches up to an id, oldest first, and the last id searched.

    The next page is read while the caller writes one.
    """
    reached = 0
    reading: asyncio.Task[DeliveryPage] | None = None
    try:
        while reached < last_id:
            page = await (reading or _start_reading(journal, query, reached))
            at = page.reached or (page.deliveries[-1].id if page.deliveries else last_id)
            reached = at if page.more and at < last_id else last_id
            reading = _start_reading(journal, query, reached) if reached < last_id else None
            yield [row for row in page.deliveries if row.id <= last_id], reached
    finally:
        if reading is not None:
            reading.cancel()
            await asyncio.wait([reading])


def _start_reading(journal: Journal, query: Query, reached: int) -> asyncio.Task[DeliveryPage]:
    return asyncio.create_task(
        journal.page(query, cursor=reached, limit=EXPORT_PAGE_ROWS, direction="newer", budget_ms=SEARCH_BUDGET_MS)
    )


async def _run_to_completion(work: Callable[..., T], *arguments: object) -> T:
    """Run in a thread; a cancel waits for its end, so that the file is not closed while it is written."""
    running = asyncio.get_running_loop().run_in_executor(None, lambda: work(*arguments))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def _create_part_file(part_file: Path, path: Path, overwrite: bool) -> int:
    if path.is_dir():
        raise SprigTuiError(f"{printable(str(path))} is a folder", hint="name a file in it")
    if path.exists() and not overwrite:
        raise _exists_error(path)
    try:
        # answers are personal data: mode 0600 whatever the umask
        return os.open(part_file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise _write_error(path, error) from error


def _write_all(file: int, data: bytes, path: Path) -> None:
    left = memoryview(data)
    try:
        while left:
            left = left[os.write(file, left) :]
    except OSError as error:
        raise _write_error(path, error) from error


def _publish_file(file: int, part_file: Path, path: Path, overwrite: bool) -> None:
    try:
        os.fsync(file)
        if overwrite:
            part_file.replace(path)
        else:
            _link_without_overwrite(part_file, path)
        os.close(file)
    except FileExistsError as error:
        raise _exists_error(path) from error
    except OSError as error:
        raise _write_error(path, error) from error


def _link_without_overwrite(part_file: Path, path: Path) -> None:
    """Publish the file by a hard link, which fails if the path exists, where a rename would overwrite it."""
    try:
        path.hardlink_to(part_file)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError from None
        part_file.rename(path)
    else:
        part_file.unlink()


def _exists_error(path: Path) -> SprigTuiError:
    return SprigTuiError(f"{printable(str(path))} is there already", hint="choose another name, or say that it may go")


def _write_error(path: Path, error: OSError) -> SprigTuiError:
    return SprigTuiError(
        f"cannot write {printable(str(path))}: {error.strerror or error}", hint="choose another folder, or make room"
    )
