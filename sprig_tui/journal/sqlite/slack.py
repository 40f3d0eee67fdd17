"""Slack of pages: bytes between rows, where copies of removed rows can stand.

With secure_delete SQLite clears what it deletes. But when it moves rows from page to page, it does not clear the places
where they were, and so a page of rows that are kept may still hold one that was removed. Here such pages are found by
reading the file, and cleared by SQLite alone: a row that grows until its page is full covers all of it, and when it
shrinks again its bytes are cleared. Format of pages: https://www.sqlite.org/fileformat2.html
"""

from __future__ import annotations

import asyncio
import sqlite3
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from struct import unpack_from

from msgspec import Struct

from sprig_tui.journal.retention import SlackPage
from sprig_tui.journal.sqlite.connection import RunWork, write_wal
from sprig_tui.journal.sqlite.file_check import read_file

_INTERIOR, _LEAF = 0x05, 0x0D
_MARGIN_LEAVES = 3
"""Leaves beside those of the removed rows that may have got some of them: a balancing takes three at a time."""
_LEAST_BYTES = 4
"""Shorter slack is of no use: SQLite itself keeps no room of fewer bytes."""
_MAX_DEPTH = 20

ALL_IDS = (0, (1 << 63) - 1)

GROWN_COLUMNS = {"deliveries": "detail", "packs": "raws", "attempts": "excerpt"}
"""Tables with content of persons, and the column of each that grows: no index has it."""


class _File(Struct, frozen=True):
    path: str
    page_size: int
    usable: int

    def page(self, number: int) -> bytes:
        """A page of the file; empty past its end."""
        found = read_file(self.path, self.page_size, (number - 1) * self.page_size)
        return found if len(found) == self.page_size else b""


async def find_pages(path: str, read: RunWork, ranges: Mapping[str, tuple[int, int]]) -> list[SlackPage]:
    """Pages with content in their slack, around the first to the last id of each table; none where they are unreadable.

    `read` runs a function in a read transaction.
    """
    roots = {table: await read(partial(root_page, table=table)) for table in ranges}

    def find() -> list[SlackPage]:
        write_wal(path)
        try:
            return [page for table, ids in ranges.items() for page in find_slack(path, roots[table], table, *ids)]
        except OSError:
            return []

    return await asyncio.to_thread(find)


def find_slack(path: str, root: int, table: str, first: int, last: int) -> Iterator[SlackPage]:
    """Pages of the table, whose root is known, around the ids from `first` to `last` that have content in their slack.

    Reads the file without its log, without locks: what others change meanwhile may be missing, or be found in vain.
    Raises OSError.
    """
    header = read_file(path, 100, 0)
    if len(header) < 100:
        return
    size = int.from_bytes(header[16:18], "big")
    size = 65_536 if size == 1 else size
    file = _File(path, size, size - header[20])
    leaves = list(_leaves(file, root, first, last))
    keys = [key for key, _ in leaves]
    start, end = bisect_left(keys, first), bisect_left(keys, last) + 1
    for _, number in leaves[max(0, start - _MARGIN_LEAVES) : end + _MARGIN_LEAVES]:
        found = _slack_of(file.page(number), file.usable, table)
        if found is not None:
            yield found


def clear_slack(connection: sqlite3.Connection, pages: Sequence[SlackPage]) -> None:
    """Clear these pages, as far as they are still what they were; rows stay what they are."""
    connection.execute("PRAGMA secure_delete = ON")
    for page in pages:
        column, key = GROWN_COLUMNS[page.table], "first" if page.table == "packs" else "id"
        stored = connection.execute(f"SELECT {column} FROM {page.table} WHERE {key} = ?", (page.row,)).fetchone()
        if stored is None or not isinstance(stored[0], str | bytes):
            continue
        value = stored[0]
        number = _filler_bytes(page, len(value.encode() if isinstance(value, str) else value))
        if number <= 0:
            continue
        grown = value + "\0" * number if isinstance(value, str) else value + bytes(number)
        for one in (grown, value):
            connection.execute(f"UPDATE {page.table} SET {column} = ? WHERE {key} = ?", (one, page.row))


def root_page(connection: sqlite3.Connection, table: str) -> int:
    """The root page of a table."""
    found = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ? AND type = 'table'", (table,))
    return int(found.fetchone()[0])


def _leaves(file: _File, number: int, first: int, last: int, depth: int = 0) -> Iterator[tuple[int, int]]:
    """(largest id that may be in it, number) of the leaves from `first` to `last`, in order, and some beside them."""
    page = file.page(number)
    start = 100 if number == 1 else 0
    if depth > _MAX_DEPTH or not page or page[start] not in {_INTERIOR, _LEAF}:
        return
    if page[start] == _LEAF:
        yield 1 << 63, number
        return
    count = int.from_bytes(page[start + 3 : start + 5], "big")
    children = [
        (_varint(page, at + 4)[0], int.from_bytes(page[at : at + 4], "big"))
        for at in unpack_from(f">{min(count, (file.page_size - start - 12) // 2)}H", page, start + 12)
        if at + 5 <= len(page)
    ]
    children.append((1 << 63, int.from_bytes(page[start + 8 : start + 12], "big")))
    inner = file.page(children[0][1])
    if inner and inner[0] == _LEAF:
        yield from children
        return
    keys = [key for key, _ in children]
    # the neighbours too, for the margin
    low, high = max(0, bisect_left(keys, first) - 1), bisect_left(keys, last) + 2
    for key, child in islice(children, low, high):
        *found, end = [*_leaves(file, child, first, last, depth + 1)] or [(0, 0)]
        yield from found
        if end[1]:
            yield key, end[1]


def _slack_of(page: bytes, usable: int, table: str) -> SlackPage | None:
    """What is to be cleared in a leaf page; None for nothing."""
    if not page or page[0] != _LEAF:
        return None
    block, count, content, fragments = unpack_from(">HHHB", page, 1)
    content = content or 65_536
    gap = 8 + 2 * count
    if not count or not gap <= content <= usable:
        return None
    used = len(page[gap:content].strip(b"\0"))
    free = content - gap + fragments
    while block:
        if block + 4 > usable:
            return None
        after, size = unpack_from(">HH", page, block)
        used += len(page[block + 4 : block + size].strip(b"\0"))
        free += size
        if after and after <= block:
            return None
        block = after
    if used < _LEAST_BYTES:
        return None
    cells = (_varint(page, at) for at in unpack_from(f">{count}H", page, 8))
    smallest = min(((payload, _varint(page, at)[0]) for payload, at in cells), default=None)
    return SlackPage(table, smallest[1], smallest[0], free, usable) if smallest else None


def _filler_bytes(page: SlackPage, column_bytes: int) -> int:
    """By how many bytes the column has to grow so that the row fills its page, as nearly as possible."""
    most = page.usable - 35
    modulus = page.usable - 4
    least = (page.usable - 12) * 32 // 255 - 23

    def rest(payload: int) -> int:
        return least + (payload - least) % modulus

    def cell(payload: int) -> int:
        """Bytes that such a row takes of its page, without its id: a long one goes on in pages of its own."""
        if payload <= most:
            return _varint_bytes(payload) + payload
        return _varint_bytes(payload) + 4 + (rest(payload) if rest(payload) <= most else least)

    wanted = cell(page.payload) + page.free
    if page.payload <= most:
        about = min(page.free, most - page.payload)
    else:
        local = min(cell(page.payload) - _varint_bytes(page.payload) - 4 + page.free, most)
        about = (local - rest(page.payload)) % modulus
    for number in range(about, max(0, about - 8), -1):
        more = _varint_bytes(2 * (column_bytes + number) + 13) - _varint_bytes(2 * column_bytes + 13)
        if cell(page.payload + number + more) <= wanted:
            return number
    return 0


def _varint(page: bytes, at: int) -> tuple[int, int]:
    """The number at this place, and the place after it."""
    value = 0
    for one in range(at, at + 8):
        byte = page[one] if one < len(page) else 0  # only in a damaged page
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, one + 1
    return value << 8 | (page[at + 8] if at + 8 < len(page) else 0), at + 9


def _varint_bytes(number: int) -> int:
    return max(1, (number.bit_length() + 6) // 7)
