"""A disk without any room: the journal cannot be opened, and the error says why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sprig_tui.config.paths import samples_folder

SAMPLES = samples_folder()
_IN_A_SMALL_DISK = """
set -e
mount -t tmpfs -o size=1m tmpfs "$1"
export SPRIG_TUI_HOME="$1"
"$2" -m sprig_tui send "$3" -e development --no-wait
dd if=/dev/zero of="$1/fill" bs=4k count=400 2>/dev/null || true
exec "$2" -m sprig_tui send "$3" -e development --no-wait
"""


@pytest.mark.skipif(
    subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode != 0,
    reason="needs a disk of its own to fill",
)
def test_disk_without_room_is_reported_as_full(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", _IN_A_SMALL_DISK, "sh", tmp_path, sys.executable, SAMPLES / "responses.json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "3 records: 3 queued" in done.stderr
    assert "no room left for the journal" in done.stderr
    assert done.returncode == 3, "room can be made"
