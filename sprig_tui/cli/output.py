"""The only writer of stdout: data, for people as lines or for programs as JSON."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sprig_tui.cli import style
from sprig_tui.errors import InputError

_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_NOT_ASCII = re.compile("[^\x00-\x7f]")


class ReaderGoneError(Exception):
    """Who read stdout has closed it, as `head` does; not an OSError, which click would take for its own."""


def write_line(text: str = "") -> None:
    """One line for people; letters that the terminal's encoding lacks are written as escapes."""
    _put(_encodable(text) + "\n")


def write_lines(lines: Iterable[str]) -> None:
    """Several lines for people."""
    for line in lines:
        write_line(line)


def clear() -> bool:
    """Clear the terminal, so that what follows stands in the place of what was there; False where there is none."""
    obeyed = style.obeyed(sys.stdout)
    if obeyed:
        _put("\x1b[H\x1b[2J")
    return obeyed


def write_json(value: Any) -> None:
    """One JSON value on one line.

    Control characters beyond ASCII and those that turn the reading direction are escaped: the value is the same,
    and a terminal stays as it was.
    """
    import msgspec

    text = _UNSAFE.sub(_escape, msgspec.json.encode(value).decode())
    if _encodable(text) != text:
        text = _NOT_ASCII.sub(_escape, text)
    _put(text + "\n")


def flush() -> None:
    """Write out what is buffered; a closed pipe shows here at the latest (ReaderGoneError)."""
    with _named():
        sys.stdout.flush()


def _put(text: str) -> None:
    with _named():
        sys.stdout.write(text)


@contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGoneError from error
    except OSError as error:
        raise InputError(f"cannot write to stdout: {error.strerror}", hint="check where it leads to") from error


def coloured() -> bool:
    """Whether lines for people are coloured."""
    return style.wanted(sys.stdout)


def paint(text: str, name: str) -> str:
    """The text in a style of `cli.style`, where stdout is coloured."""
    return style.paint(text, name) if coloured() else text


def mark(symbol: str, plain: str) -> str:
    """The symbol, or its plain stand-in where the encoding lacks it."""
    return symbol if _encodable(symbol) == symbol else plain


def columns() -> int:
    """Width of the terminal; 0 where stdout is none, and nothing is to be cut."""
    if not sys.stdout.isatty():
        return 0
    import shutil

    return shutil.get_terminal_size().columns


def _encodable(text: str) -> str:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _escape(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
