"""Files whose writer pauses in the middle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sprig_tui.sprig.folder_watch import is_truncated

KEYS = "surveyId,responseGroupUid,userId"


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ('{"a":1}\n{"b":2}\n', False),
        ('{"a":1}\n{"b":2}', False),
        ('{"a":1}\n{"b":', True),
        ('{"a":1}\n{"b":2}\n\n', False),
        ('{"a":', True),
        ('\ufeff{"a":1}\n{"b', True),
        (json.dumps([{"a": 1}], indent=1), False),
        (json.dumps({"cursor": None, "data": [{"a": 1}]}, indent=1) + "\n", False),
        ('[{"a":1},\n', True),
        ('{"cursor":null,"data":[\n{"a":1},\n', True),
        (KEYS + "\n1,2,3\n4,5,6", False),
        (KEYS + "\n1,2,3\n4,5", True),
        (KEYS + '\n1,2,3\n4,5,"6', True),
        (KEYS + "\n", False),
        ("", False),
        ("words\nmore", False),
    ],
)
def test_stops_short_of_whole_and_cut_files(tmp_path: Path, text: str, short: bool) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text(text, encoding="utf-8")
    assert is_truncated(str(file)) is short


EXHAUSTED = """
import asyncio, os, resource, sys
from sprig_tui.sprig import folder_watch

async def main():
    from watchfiles import awatch

    async for _ in awatch(sys.argv[1], rust_timeout=10, yield_on_timeout=True):
        break  # all that has to be imported is
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    held = []
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    ringing = asyncio.create_task(folder_watch.FolderNotifier(sys.argv[1]).run())
    while not told:
        await asyncio.sleep(0)
        if ringing.done():
            print(repr(ringing.exception()), file=sys.stderr)
            os._exit(1)
    print(told[0], flush=True)
    os._exit(0)

told = []
folder_watch._log.warning = lambda *words: told.append(words[-1])
asyncio.run(main())
"""


def test_without_a_watch_left_it_is_told_and_goes_on(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXHAUSTED, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()
