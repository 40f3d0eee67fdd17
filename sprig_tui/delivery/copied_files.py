"""Copied files: what the console leaves of answers in the state folder, which `forget` searches too.

What it showed last with the text of its filter, the text that was copied last, screenshots where there is no folder for
downloads, and what a killed console left of an edit in an external editor.
"""

from __future__ import annotations

import html
from contextlib import suppress
from pathlib import Path

from sprig_tui.config.paths import CONSOLE_STATE_NAME
from sprig_tui.journal.persons import PersonMatcher

_PATTERNS = (CONSOLE_STATE_NAME, "clipboard.txt", "sprig-tui*.svg", "edit-*/payload.*")


def find_copies(state_dir: Path, matcher: PersonMatcher) -> tuple[Path, ...]:
    """Those that hold one of the persons."""
    found = []
    for pattern in _PATTERNS:
        for file in sorted(state_dir.glob(pattern)):
            with suppress(OSError):
                content = file.read_bytes()
                text = html.unescape(content.decode("utf-8", "replace"))
                if matcher.matches("", content, is_readable=False) or matcher.is_quoted_in(text):
                    found.append(file)
    return tuple(found)
