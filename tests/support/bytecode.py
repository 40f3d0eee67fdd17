"""Bytecode that all processes of a run share: each module is compiled once, not by every worker and every command.

Workers that start together all find a module without bytecode, and all compile it. The modules of tests are the dearest
of them, for pytest rewrites their assertions: twelve seconds of CPU for each worker, in a fresh checkout.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FEW = 20
"""So many changed modules cost less than a process that compiles them first."""


def keep() -> None:
    """Write bytecode, and let every process started from here write it, whatever PYTHONDONTWRITEBYTECODE says."""
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def compile_ahead(folder: Path) -> None:
    """Compile the modules of tests that changed, on every processor, by collecting them."""
    changed = [str(file) for file in sorted(folder.rglob("test_*.py")) if not _is_compiled(file)]
    if len(changed) <= FEW:
        return
    shares = min(4, os.cpu_count() or 1)
    collect = (sys.executable, "-m", "pytest", "-n0", "--collect-only", "-qq", "-p", "no:cacheprovider")
    started = [
        subprocess.Popen(
            [*collect, *changed[share::shares]], cwd=folder.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for share in range(shares)
    ]
    for process in started:
        process.wait()  # what it could not collect, the workers report


def _is_compiled(file: Path) -> bool:
    tag = f"{sys.implementation.cache_tag}-pytest-{pytest.__version__}"
    kept = file.parent / "__pycache__" / f"{file.stem}.{tag}.pyc"
    return kept.exists() and kept.stat().st_mtime >= file.stat().st_mtime
