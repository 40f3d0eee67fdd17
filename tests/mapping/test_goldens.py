"""Every sample payload maps to the track that stands under its name in `tests/mapping/goldens`.

To write the expected tracks anew after a deliberate change, and then to read the difference before it is committed:

    SPRIG_TUI_UPDATE_GOLDENS=1 pytest tests/mapping/test_goldens.py

The files are JSON Lines, one line per record in the order of reading. They are not named `.jsonl`, so that reading the
folder of samples does not take them for payloads.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sprig_tui.mapping.mapper import Mapper
from sprig_tui.mapping.records import Rules
from sprig_tui.segment.lints import lint
from sprig_tui.sprig.reader import find_files, read_responses
from sprig_tui.sprig.records import Record, Unsendable

SAMPLES = Path(__file__).parents[2] / "sample_payloads"
EXPECTED = Path(__file__).parent / "goldens"
SUFFIX = ".golden"
UPDATE = os.environ.get("SPRIG_TUI_UPDATE_GOLDENS") == "1"
NOW = 1_800_000_000_000
ENVIRONMENTS = {"QmK7x2dTfa": "production", "Zb81hQe0Rc": "development", None: "production"}
MAPPER = Mapper(Rules())


def samples() -> list[str]:
    return sorted(Path(file).relative_to(SAMPLES).as_posix() for file in find_files([SAMPLES]))


def golden(name: str) -> Path:
    return EXPECTED / f"{name}{SUFFIX}"


def outcome(record: Record) -> str:
    """One line; the track in it is the body to the byte."""
    state, reason, body = "withheld", "", b"null"
    if isinstance(record, Unsendable):
        reason = record.reason
    else:
        environment = ENVIRONMENTS.get(record.environment_id, "")
        if record.environment is not None:
            environment = record.environment if record.environment in ENVIRONMENTS.values() else ""
        mapping = MAPPER.map(record, environment=environment, now_ms=NOW)
        reason, body = mapping.withheld or "", mapping.body
        state = "withheld" if reason else "queued"
    place = {"line": record.origin.line, "path": record.origin.path, "state": state, "reason": str(reason)}
    return f'{json.dumps(place, ensure_ascii=False)[:-1]}, "track": {body.decode()}}}'


@pytest.mark.parametrize("name", samples())
def test_sample_maps_to_its_expected_tracks(name: str) -> None:
    lines = [outcome(record) for record in read_responses([SAMPLES / name])]
    if UPDATE:
        golden(name).parent.mkdir(parents=True, exist_ok=True)
        golden(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    assert lines == golden(name).read_text(encoding="utf-8").split("\n")[:-1]


def test_expected_tracks_have_a_sample() -> None:
    kept = {file.relative_to(EXPECTED).as_posix().removesuffix(SUFFIX) for file in EXPECTED.rglob(f"*{SUFFIX}")}
    assert kept == set(samples())


@pytest.mark.parametrize("name", samples())
def test_expected_tracks_have_no_lint_errors(name: str) -> None:
    for line in golden(name).read_text(encoding="utf-8").split("\n")[:-1]:
        if json.loads(line)["state"] == "queued":
            body = line.partition('"track": ')[2][:-1].encode()
            assert [one for one in lint(body, NOW) if one.level == "error"] == []
