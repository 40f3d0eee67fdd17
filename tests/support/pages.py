"""Pages of an SQLite file: where they are, and what damage makes of them."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

PAGE_BYTES = 4096


def pages_of(path: Path, name: str, kinds: Sequence[str] = ("leaf", "overflow", "internal")) -> list[int]:
    """Pages of a table or an index, from 0."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        try:
            rows = connection.execute("SELECT pageno, pagetype FROM dbstat WHERE name = ?", (name,)).fetchall()
        except sqlite3.OperationalError:
            pytest.skip("this SQLite does not tell its pages")
    return [number - 1 for number, kind in rows if kind in kinds]


def damage(path: Path, *pages: int, seed: int = 0) -> None:
    """Overwrite pages with random bytes."""
    rng = random.Random(seed)
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * PAGE_BYTES)
            file.write(rng.randbytes(PAGE_BYTES))
