"""The README's key table is that of the commands as they are."""

from __future__ import annotations

from . import readme_screenshots


def test_readme_key_table_is_current():
    readme = (readme_screenshots.ROOT / "README.md").read_text(encoding="utf-8")
    assert readme_screenshots.with_table(readme) == readme, "run: python tests/console/readme_screenshots.py"
