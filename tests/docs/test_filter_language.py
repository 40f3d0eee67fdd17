"""Topic `filters`: its tables are those of the parser, and every example in them is a filter."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from support.pages_of_documentation import PAGES

import sprig_tui
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.filter_fields import FIELDS, GRAMMAR, grammar_table

MARKS = re.compile(
    r"(<!-- filter language: made by sprig_tui/journal/filter_fields.py -->\n\n)(.*?)(<!-- end)", re.DOTALL
)


def test_the_topic_has_the_tables_of_the_parser() -> None:
    if os.environ.get("SPRIG_TUI_UPDATE_SNAPSHOTS"):
        page = Path(sprig_tui.__file__).parent / "docs" / "filters.md"
        text = page.read_text(encoding="utf-8")
        page.write_text(MARKS.sub(lambda found: found[1] + grammar_table() + "\n" + found[3], text), encoding="utf-8")
        return
    found = MARKS.search(PAGES["filters"])
    assert found is not None
    assert found[2].strip() == grammar_table().strip()


@pytest.mark.parametrize(
    "example", [*(example for example, _ in GRAMMAR), *(field.example for field in FIELDS.values())]
)
def test_each_example_is_a_filter(example: str) -> None:
    for part in example.split(" or "):
        assert parse_filter(part, now_ms=1_790_000_000_000, saved={"mine": "slow"}).terms
