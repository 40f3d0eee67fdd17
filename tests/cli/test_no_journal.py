"""Commands that look, where no journal is yet: they say so, and make none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("status",), 0),
        (("status", "--json"), 0),
        (("log",), 0),
        (("log", "--csv"), 0),
        (("log", "--detail", "7"), 2),
        (("doctor", "--offline"), 0),
        (("journal", "info"), 0),
        (("journal", "info", "--json"), 0),
        (("journal", "prune", "--older-than", "1d"), 0),
        (("journal", "resume", "development"), 0),
        (("journal", "verify"), 2),
        (("withdraw", "--all", "--yes"), 0),
        (("withdraw", "--id", "7", "--yes"), 2),
        (("replay", "--all", "--yes"), 0),
        (("replay", "--id", "7", "--yes"), 2),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else str(given),
)
def test_looking_makes_no_journal(cli: Run, configured: Path, argv: tuple[str, ...], code: int) -> None:
    before = sorted(configured.rglob("*"))
    done = cli(*argv)
    assert done.code == code, done
    assert "journal" in done.err + done.out or argv[0] == "status"
    assert [path for path in configured.rglob("*") if path not in before and "journal" in path.name] == []


def test_a_status_without_a_journal_counts_nothing(cli: Run, configured: Path) -> None:
    found = cli("status", "--json").json
    assert found["environments"]["development"]["queued"] == 0
    assert found["workers"] == []
