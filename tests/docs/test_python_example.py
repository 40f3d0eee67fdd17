"""Topic `python`: its program runs as it stands, against a fake Segment, and its table names what is public."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from support.live_sink import LiveSink
from support.pages_of_documentation import PAGES, ROOT, blocks
from support.workspace_lookalike import DEVELOPMENT_KEY

import sprig_tui


def test_the_program_delivers_the_answers_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = blocks("python", "python")
    shutil.copy(ROOT / "sample_payloads" / "flat.jsonl", tmp_path / "responses.jsonl")
    monkeypatch.chdir(tmp_path)
    sink = LiveSink()
    try:
        adapted = program.replace('WriteKey("...")', f'WriteKey("{DEVELOPMENT_KEY}"), endpoint="{sink.url}"')
        assert adapted != program
        exec(compile(adapted, "python.md", "exec"), {"__name__": "__main__"})  # noqa: S102 - our documentation
        events = sink.sink.events
    finally:
        sink.close()
    # the file's other records name an environment that the program has not
    assert [event["event"] for event in events] == ["SDK - Submitted - Survey Response"]
    assert re.search(r"'development': .*'delivered'>?: 1\b", capsys.readouterr().out)


def test_the_table_names_what_is_public() -> None:
    rows = re.findall(r"^\| (`.*`) \|", PAGES["python"].partition("## What can go wrong")[0], re.MULTILINE)
    assert rows
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} <= set(sprig_tui.__all__)
