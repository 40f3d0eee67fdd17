"""The pages of the documentation: README and every topic, and the code in them."""

from __future__ import annotations

import re
from pathlib import Path

from markdown_it import MarkdownIt

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


def commands(page: str) -> list[str]:
    """The shell commands of a page in their order, each with all of its lines: fenced as `sh`, or indented."""
    tokens = MarkdownIt("commonmark").parse(PAGES[page])
    text = "\n".join(
        token.content for token in tokens if token.type == "code_block" or (token.type, token.info) == ("fence", "sh")
    )
    found: list[str] = []
    ending = ""
    for line in text.splitlines():
        if found and (ending or found[-1].endswith("\\")):
            found[-1] += f"\n{line}"
            ending = "" if line == ending else ending
        elif line.strip():
            found.append(line)
            heredoc = re.search(r"<<'?(\w+)'?", line)
            ending = heredoc[1] if heredoc else ""
    return found


def without_comment(command: str) -> str:
    """The command without what is said behind it."""
    return re.sub(r"\s+#.*$", "", command) if "\n" not in command else command
