"""`demo --samples`: the samples of the topics, beside a person who has no checkout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sprig_tui.config.paths import samples_folder

Run = Callable[..., Any]


def test_samples_are_copied_once_and_other_files_stay(cli: Run, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "sample_payloads"
    done = cli("demo", "--samples", folder)
    assert (done.code, done.out) == (0, "")
    expected = {file.name: file.read_bytes() for file in samples_folder().iterdir()}
    assert f"{len(expected)} samples are copied into {folder}" in done.err
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == expected
    (folder / "flat.jsonl").unlink()
    assert "1 sample is copied" in cli("demo", "--samples", folder).err
    assert "has the samples already" in cli("demo", "--samples", folder).err
    (folder / "export.csv").write_text("my own")
    done = cli("demo", "--samples", folder)
    assert done.code == 2
    assert "other files named export.csv: they stay" in done.err
    assert (folder / "export.csv").read_text() == "my own"


def test_a_folder_that_cannot_be_made_is_named(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = cli("demo", "--samples", tmp_path / "file" / "inside")
    assert done.code == 2
    assert "the samples cannot be copied" in done.err
