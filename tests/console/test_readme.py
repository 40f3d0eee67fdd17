"""The README's key table is that of the commands as they are."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def test_the_key_table_is_current():
    spec = importlib.util.spec_from_file_location("pictures", Path(__file__).with_name("pictures.py"))
    assert spec is not None
    assert spec.loader is not None
    pictures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pictures)
    readme = (pictures.ROOT / "README.md").read_text(encoding="utf-8")
    assert pictures.with_table(readme) == readme, "run: python tests/console/pictures.py"
