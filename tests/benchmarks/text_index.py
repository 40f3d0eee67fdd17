"""Benchmark of text indexes for the filters' free text: what keeping one costs beside adding, and what it would find.

    python tests/benchmarks/text_index.py [DELIVERIES] [--rounds 8]

Rounds of answers are added to a journal; then the same answers are put into each index in a database of its own, by
one batch, as a worker would fill it behind the adding. Printed are medians of the ratios of CPU to adding, the bytes a
delivery, and the time to find a text that few have and one that none has. The indexes:

- fts5: FTS5 with the trigram tokenizer, contentless, over all columns that free text is searched in
- fts5 answers: the same over answers and users alone
- grams: a set of the hashed sequences of four bytes of each block of 4,096 answers

Free text is indexed by none of them in the journal: see the topic on performance.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from full_journal import entry
from msgspec.structs import replace

from sprig_tui.journal.block_counts import BLOCK_IDS
from sprig_tui.journal.records import NewDelivery
from sprig_tui.journal.sqlite import SQLiteJournal

CHUNK_ROWS = 512
RARE, NOWHERE = "step, but it worked 4711.", "nothere"
Texts = Sequence[tuple[str, ...]]


def answer(number: int) -> NewDelivery:
    """An answer of which every fourth has a text of its own."""
    made = entry(number)
    return made if made.question_type != "OPEN" else replace(made, answer=f"{made.answer} {number}.")


def searched_texts(entries: Sequence[NewDelivery]) -> Texts:
    """What free text is searched in."""
    return [
        (one.survey_name, one.user_id, one.answer, one.reason, one.detail, one.source, one.message_id)
        for one in entries
    ]


def create_fts(connection: sqlite3.Connection, columns: str) -> None:
    """An empty index."""
    connection.execute(f"CREATE VIRTUAL TABLE texts USING fts5({columns}, content='', tokenize='trigram')")


def fill_fts(connection: sqlite3.Connection, first: int, texts: Texts) -> None:
    """One batch of a contentless index."""
    marks = ", ".join("?" * (len(texts[0]) + 1))
    names = ", ".join(f"c{at}" for at in range(len(texts[0])))
    connection.executemany(
        f"INSERT INTO texts(rowid, {names}) VALUES({marks})", [(first + at, *row) for at, row in enumerate(texts)]
    )


def fill_grams(connection: sqlite3.Connection, first: int, texts: Texts) -> None:
    """The sequences of four bytes of one block."""
    data = "\n".join({text for row in texts for text in row[:-1]}).lower().encode()
    grams: set[int] = set()
    for offset in range(4):
        part = data[offset:]
        grams.update(memoryview(part[: len(part) // 4 * 4]).cast("I"))
    bits = bytearray(1 << 15)
    for gram in grams:
        place = gram * 2_654_435_761 >> 8 & 0x3FFFF
        bits[place >> 3] |= 1 << (place & 7)
    connection.execute("INSERT INTO grams VALUES(?, ?)", (first // BLOCK_IDS, bits))


def filling_cpu(
    connection: sqlite3.Connection,
    fill: Callable[[sqlite3.Connection, int, Texts], None],
    first: int,
    texts: Texts,
) -> float:
    """Seconds of CPU of one batch."""
    begun = time.process_time()
    fill(connection, first, texts)
    connection.commit()
    return time.process_time() - begun


def find(connection: sqlite3.Connection, text: str) -> int:
    """Number of deliveries in an FTS index."""
    return len(connection.execute("SELECT rowid FROM texts(?) LIMIT 200", (f'"{text}"',)).fetchall())


async def main(count: int, rounds: int) -> None:
    """Print a line for each index."""
    rows_a_round = count // rounds // BLOCK_IDS * BLOCK_IDS
    names = ("fts5", "fts5 answers", "grams")
    adding: list[float] = []
    spent: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        open_files = {}
        for name in names:
            connection = stack.enter_context(contextlib.closing(sqlite3.connect(Path(folder) / name)))
            connection.execute("PRAGMA journal_mode = WAL")
            open_files[name] = connection
        create_fts(open_files["fts5"], ", ".join(f"c{at}" for at in range(7)))
        create_fts(open_files["fts5 answers"], "c0, c1")
        open_files["grams"].execute("CREATE TABLE grams(block INTEGER PRIMARY KEY, content BLOB)")
        async with SQLiteJournal(Path(folder) / "journal.db") as journal:
            for turn in range(rounds):
                first = turn * rows_a_round
                entries = [answer(number) for number in range(first + 1, first + 1 + rows_a_round)]
                texts = searched_texts(entries)
                begun = time.process_time()
                for at in range(0, rows_a_round, CHUNK_ROWS):
                    await journal.add(entries[at : at + CHUNK_ROWS])
                adding.append(time.process_time() - begun)
                for at in range(0, rows_a_round, BLOCK_IDS):
                    block = texts[at : at + BLOCK_IDS]
                    short = [(row[1], row[2]) for row in block]
                    for name, fill, part in zip(
                        names, (fill_fts, fill_fts, fill_grams), (block, short, block), strict=True
                    ):
                        cpu = filling_cpu(open_files[name], fill, first + at, part)
                        spent[name].append(cpu / (adding[-1] * BLOCK_IDS / rows_a_round))
        total = rounds * rows_a_round
        print(f"adding: {sum(adding) / total * 1e6:.1f} us of CPU a delivery, {total:,} deliveries")
        for name in names:
            connection = open_files[name]
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            size = (Path(folder) / name).stat().st_size / total
            line = f"{name:<13} +{statistics.median(spent[name]) * 100:.0f} % of adding, {size:.0f} bytes a delivery"
            if name != "grams":
                for text in (RARE, NOWHERE):
                    begun = time.process_time()
                    find(connection, text)
                    line += f", {text!r}: {(time.process_time() - begun) * 1000:.1f} ms"
            print(line)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=200_000)
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    asyncio.run(main(options.count, options.rounds))
