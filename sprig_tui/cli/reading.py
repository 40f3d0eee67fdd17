"""The files that a command line names."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics

if TYPE_CHECKING:
    from sprig_tui.sprig.reading import ReadProgress, RecordReader


def read_files(files: tuple[str, ...], progress: ReadProgress | None = None, *, force: bool = False) -> RecordReader:
    """Records of the files; raises InputError before any is read. Standard input is read once, unbuffered."""
    from sprig_tui.sprig.reading import read_responses

    if files.count("-") > 1:
        raise click.UsageError("standard input (-) can be read once only")
    if "-" in files and sys.stdin.isatty():
        diagnostics.info("reading answers from this terminal; Ctrl-D ends them, Ctrl-C gives up")
    # Unbuffered: a thread that still waits for standard input must not hold its lock when the program ends.
    stdin = open(0, "rb", buffering=0, closefd=False) if "-" in files else None  # noqa: SIM115 - as above, and never ours to close
    return read_responses(files, stdin=stdin, progress=progress, force=force)
