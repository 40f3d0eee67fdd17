"""The pages of the documentation: README and every topic, and the code in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOPIC_FOLDER = ROOT / "sprig_tui" / "docs"
PAGES = {
    "README": (ROOT / "README.md").read_text(encoding="utf-8"),
    **{file.stem: file.read_text(encoding="utf-8") for file in sorted(TOPIC_FOLDER.glob("*.md"))},
}
"""Text of each page by its name."""


def blocks(page: str, language: str) -> list[str]:
    """The fenced code of one language on a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.DOTALL | re.MULTILINE)
