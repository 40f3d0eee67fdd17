"""The only writer of stdout: data, for people as lines or for programs as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sprig_tui.cli import style
from sprig_tui.errors import InputError

_ascii_only = [False]


class StdoutClosedError(Exception):
    """Who read stdout has closed it, as `head` does; not an OSError, which click would take for its own."""


def write_line(text: str = "") -> None:
    """One line for people; letters that the terminal's encoding lacks are written as escapes."""
    _write(_encodable(text) + "\n")


def write_lines(lines: Iterable[str]) -> None:
    """Several lines for people."""
    for line in lines:
        write_line(line)


def clear() -> bool:
    """Clear the terminal, so that what follows stands in the place of what was there; False where there is none."""
    obeyed = style.supports_cursor(sys.stdout)
    if obeyed:
        _write("\x1b[H\x1b[2J")
    return obeyed


def set_ascii_only(*, enabled: bool) -> None:
    """Whether JSON escapes every letter beyond ASCII: then nothing in it can hide."""
    _ascii_only[0] = enabled


def write_json(value: Any) -> None:
    """One JSON value on one line, as `json_text` makes it; all ASCII where the encoding lacks a letter of it."""
    from sprig_tui.cli.json_text import json_text

    text = json_text(value, ascii_only=_ascii_only[0])
    if _encodable(text) != text:
        text = json_text(value, ascii_only=True)
    _write(text + "\n")


def flush() -> None:
    """Write out what is buffered; a closed pipe shows here at the latest (StdoutClosedError)."""
    with _pipe_errors_as_closed():
        sys.stdout.flush()


def _write(text: str) -> None:
    with _pipe_errors_as_closed():
        sys.stdout.write(text)


@contextmanager
def _pipe_errors_as_closed() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise StdoutClosedError from error
    except OSError as error:
        raise InputError(f"cannot write to stdout: {error.strerror}", hint="check where it leads to") from error


def is_colored() -> bool:
    """Whether lines for people are coloured."""
    return style.color_enabled(sys.stdout)


def paint(text: str, name: str) -> str:
    """The text in a style of `cli.style`, where stdout is coloured."""
    return style.paint(text, name) if is_colored() else text


def mark(symbol: str, plain: str) -> str:
    """The symbol, or its plain stand-in where the encoding lacks it."""
    return symbol if _encodable(symbol) == symbol else plain


def terminal_columns() -> int:
    """Width of the terminal; 0 where stdout is none, and nothing is to be cut."""
    if not sys.stdout.isatty():
        return 0
    import shutil

    return shutil.get_terminal_size().columns


def _encodable(text: str) -> str:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
