"""Benchmark of exports: rows a second of JSON Lines and CSV, beside a bare script that writes the same columns.

    python tests/benchmarks/exporting.py [DELIVERIES] [--folder /tmp/sprig-tui-benchmarks] [--rounds 3]

The bare script reads the rows with sqlite3 and writes them with json or csv, without a check of what is in them. Each
round runs both in turn; printed are the medians, and the ratios of the pairs. The command is `sprig-tui log -n 0`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from full_journal import full_journal

from sprig_tui.journal.export import export_deliveries
from sprig_tui.journal.export_format import EXPORT_FIELDS
from sprig_tui.journal.query import MATCH_ALL
from sprig_tui.journal.rows import SELECT_DELIVERY
from sprig_tui.journal.sqlite import SQLiteJournal


def export(journal: Path, target: Path) -> None:
    """What the console's export does."""

    async def run() -> None:
        async with SQLiteJournal(journal) as opened:
            await export_deliveries(opened, MATCH_ALL, target, overwrite=True)

    asyncio.run(run())


def bare_script(journal: Path, target: Path) -> None:
    """The shortest program for the same columns."""
    with contextlib.closing(sqlite3.connect(journal)) as connection, target.open("w", newline="") as file:
        rows = connection.execute(f"{SELECT_DELIVERY} ORDER BY d.id")
        if target.suffix == ".csv":
            csv.writer(file).writerows(rows)
        else:
            for row in rows:
                file.write(json.dumps(dict(zip(EXPORT_FIELDS, row, strict=True))) + "\n")


def command(journal: Path, target: Path) -> None:
    """`sprig-tui log` into a file."""
    with tempfile.TemporaryDirectory() as home, target.open("wb") as file:
        (Path(home) / "config.toml").write_text(f'[journal]\npath = "{journal}"\n')
        form = "--csv" if target.suffix == ".csv" else "--json"
        arguments = [sys.executable, "-m", "sprig_tui", "log", "-n", "0", form]
        subprocess.run(arguments, stdout=file, check=True, env=os.environ | {"SPRIG_TUI_HOME": home})


def measured(work: Callable[[Path, Path], None], journal: Path, target: Path) -> tuple[float, float]:
    """Seconds, and seconds of CPU."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)

    def cpu() -> float:
        return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, kinds))

    begun, used = time.perf_counter(), cpu()
    work(journal, target)
    return time.perf_counter() - begun, cpu() - used


def main() -> None:
    """Print a line for each format."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/sprig-tui-benchmarks"))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    journal, count = full_journal(options.count, options.folder), options.count
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for suffix in ("jsonl", "csv"):
            target = Path(folder) / f"export.{suffix}"
            found: dict[str, list[tuple[float, float]]] = {"export": [], "command": [], "bare": []}
            for _ in range(options.rounds):
                for name, work in (("export", export), ("command", command), ("bare", bare_script)):
                    found[name].append(measured(work, journal, target))
            for name, runs in found.items():
                ratios = [run[1] / bare[1] for run, bare in zip(runs, found["bare"], strict=True)]
                print(
                    f"{suffix} {name:<8} {count / statistics.median(run[0] for run in runs):>9,.0f} rows a second,"
                    f" {statistics.median(run[1] for run in runs) / count * 1e6:5.1f} us of CPU a row,"
                    f" x{statistics.median(ratios):.2f} of the bare script's",
                    flush=True,
                )


if __name__ == "__main__":
    main()
