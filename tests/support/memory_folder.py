"""A place for folders in memory, where the system has one with room: files there cost no journal, and no waiting."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

PLACE = Path("/dev/shm")
ENOUGH_BYTES = 4 << 30
"""Several times what a run writes."""


@cache
def memory_folder() -> Path | None:
    """Where to make them; None where that is the usual place for temporary files.

    In a container it is often too small, and nothing in it may be executed.
    """
    try:
        place, meminfo = os.statvfs(PLACE), Path("/proc/meminfo").read_text(encoding="utf-8")
    except OSError:
        return None
    free = min(place.f_bavail * place.f_frsize, _available_bytes(meminfo))
    usable = os.access(PLACE, os.W_OK) and not place.f_flag & os.ST_NOEXEC
    return PLACE if usable and free >= ENOUGH_BYTES else None


def _available_bytes(meminfo: str) -> int:
    lines = dict(line.split(":", 1) for line in meminfo.splitlines())
    return int(lines["MemAvailable"].split()[0]) << 10
