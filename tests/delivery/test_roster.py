"""The table of live workers."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.records import make_worker

from sprig_tui.delivery.worker_table import format_table, format_workers, summarize_workers

NOW = 1_790_000_000_000
ONE = make_worker(
    environments=("development", "production"), started_at=NOW - 3_600_000 - 61_000, rate=212.4, leased=1475
)


def test_every_column_has_its_heading_over_it():
    heading, first, second = format_workers([ONE, replace(ONE, host="m", pid=7, rate=0.0, environments=())], NOW)
    assert heading.split("  ")[0] == "host"
    assert first.startswith("mill-1  4211  run   0.1.0    ")
    assert first.endswith("  1 h 1 m  212/s   1,475  development, production")
    assert second.endswith("  -")
    assert heading.index("rate") + len("rate") == first.index("212/s") + len("212/s")


@pytest.mark.parametrize("started_at", [NOW + 60_000, 10**18, -(10**18)])
def test_a_clock_that_is_off_breaks_nothing(started_at):
    assert "mill-1" in format_workers([replace(ONE, started_at=started_at)], NOW)[1]


def test_worker_table_escapes_and_cuts_hostile_worker_names():
    hostile = replace(ONE, host="x\n\x1b[2J" + "y" * 500, role="\u202erun", version="", environments=("a\nb",))
    lines = format_workers([hostile], NOW)
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert len(lines[1]) < 160


def test_the_head_count():
    assert summarize_workers([]) == "no worker is alive"
    assert summarize_workers([ONE]) == "1 worker, 212/s"
    assert summarize_workers([ONE, replace(ONE, host="mill-2")]) == "2 workers on 2 hosts, 425/s"


def test_columns_are_as_wide_as_they_need():
    assert format_table(("a", "n"), [("xyz", "1"), ("", "10")], right_aligned=frozenset("n")) == [
        "a     n",
        "xyz   1",
        "     10",
    ]
