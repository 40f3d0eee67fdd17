"""Man pages and completion scripts: one page for each command, in a form that man reads without a warning."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sprig_tui.cli.man_pages import COMPLETIONS, man_pages, write_share
from sprig_tui.cli.program import COMMANDS

PAGES = dict(man_pages())


def test_every_command_has_a_page_that_names_its_options_and_its_topic() -> None:
    assert {f"sprig-tui-{name}" for name in COMMANDS} < set(PAGES)
    page = PAGES["sprig-tui-journal-prune"]
    assert r"sprig\-tui\-journal\-prune \- Remove deliveries that ended long ago" in page
    assert r"\fB\-\-older\-than DURATION\fR" in page
    assert r"\fB\-h, \-\-help\fR" in page
    assert r"sprig\-tui help people\fR." in page
    assert r"\fBsprig\-tui\-journal\-prune\fR(1)" in PAGES["sprig-tui-journal"]


def test_texts_are_no_commands_of_roff() -> None:
    for name, page in PAGES.items():
        for line in page.splitlines():
            assert re.match(r"\.(TH|SH|TP|PP|nf|fi|nh|ad)\b|[^.']", line), f"{name}: {line}"
            assert "\b" not in line


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_man_reads_them_without_a_warning() -> None:
    together = "\n".join(PAGES.values())
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-Kutf8"],
        input=together,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    assert done.stderr == ""
    assert "sprig-tui-journal-prune - Remove deliveries" in re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)


def test_files_are_where_a_system_looks_for_them(tmp_path: Path) -> None:
    files = write_share(tmp_path)
    assert tmp_path / "man/man1/sprig-tui-send.1" in files
    for shell, name in COMPLETIONS.items():
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "_SPRIG_TUI_COMPLETE" in text, shell
    subprocess.run(["bash", "-n", tmp_path / COMPLETIONS["bash"]], check=True)
