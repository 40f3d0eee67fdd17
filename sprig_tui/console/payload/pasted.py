"""Pasted text: what it is, by its beginning, and the records that are in it."""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path

from msgspec import Struct

from sprig_tui.config.secret_shapes import SecretKind, likely_secret
from sprig_tui.console.payload.file_picker import dropped_paths, looks_like_path
from sprig_tui.formatting import local_time
from sprig_tui.sprig.csv_rows import declared_delimiter, detect_delimiter
from sprig_tui.sprig.held_input import HeldText
from sprig_tui.sprig.reader import INPUT_SUFFIXES

PASTE_SOURCE = "pasted"
"""The `source` of deliveries made of pasted records, whenever they were pasted."""
_MAX_PATH_CHARS = 4_096
_SNIFFED_CHARS = 65_536


class PasteKind(Enum):
    """What a pasted text is."""

    EMPTY = auto()
    PATHS = auto()
    SECRET = auto()
    RECORDS = auto()
    MISSING_PATH = auto()
    UNREACHABLE_PATH = auto()
    """A path where no file may be opened: whether there is one is not looked at either."""
    BINARY = auto()
    TEXT = auto()


class PastedText(Struct, frozen=True):
    """A pasted text that was recognised."""

    kind: PasteKind
    paths: tuple[str, ...] = ()
    """The files and folders that it names; of a missing one, what was pasted."""
    secret: SecretKind | None = None

    @property
    def opens(self) -> bool:
        """Whether it names or holds something to open."""
        return self.kind in (PasteKind.PATHS, PasteKind.RECORDS)


def recognise_paste(text: str, *, files: bool = True) -> PastedText:  # noqa: PLR0911 - one return for each kind
    """What a text is that was pasted where no text is typed. Whether records are answers is for their reader to say.

    `files`: whether files may be opened.
    """
    text = text.strip()
    if not text:
        return PastedText(PasteKind.EMPTY)
    if files and (paths := dropped_paths(text)):
        return PastedText(PasteKind.PATHS, paths)
    words = [line.strip().strip("'\"") for line in text[: _MAX_PATH_CHARS + 1].splitlines() if line.strip()]
    if len(text) <= _MAX_PATH_CHARS and all(_is_path(word) for word in words):
        return PastedText(PasteKind.MISSING_PATH, tuple(words)) if files else PastedText(PasteKind.UNREACHABLE_PATH)
    if (secret := likely_secret(text)) is not None:
        return PastedText(PasteKind.SECRET, secret=secret)
    if _begins_records(text):
        return PastedText(PasteKind.RECORDS)
    if any(letter < " " and letter not in "\t\r\n\f\x1b" for letter in text[:_SNIFFED_CHARS]):
        return PastedText(PasteKind.BINARY)
    return PastedText(PasteKind.TEXT)


def held_paste(text: str, now_ms: int) -> HeldText:
    """The records of a pasted text. Terminals paste line ends as carriage returns."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    data = lines.encode("utf-8", "replace")
    return HeldText(data, name=PASTE_SOURCE, title=f"text pasted at {local_time(now_ms):%H:%M}")


def _begins_records(text: str) -> bool:
    """Whether it begins as JSON or as a CSV export does."""
    if text[0] in "{[\ufeff":
        return True
    head = text[:_SNIFFED_CHARS].encode("utf-8", "replace").splitlines()
    declared = declared_delimiter(head[0])
    header = head[1] if declared and len(head) > 1 else head[0]
    return len(head) > 1 and bool(detect_delimiter(header, declared))


def _is_path(word: str) -> bool:
    return looks_like_path(word) or Path(word.lower().removesuffix(".gz")).suffix in INPUT_SUFFIXES
