"""Data on stdout, as lines or as JSON. No other module writes to it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sprig_tui.cli import style
from sprig_tui.errors import InputError

_ascii_only = [False]


class StdoutClosedError(Exception):
    """The reader of stdout has closed it, as `head` does. Not an OSError, since click handles those itself."""


def write_line(text: str = "") -> None:
    """Write one line; letters that the encoding lacks are escaped."""
    _write(_encodable(text) + "\n")


def write_lines(lines: Iterable[str]) -> None:
    """Write several lines."""
    for line in lines:
        write_line(line)


def write_text(text: str) -> None:
    """Write whole lines; letters that the encoding lacks are escaped."""
    _write(_encodable(text))


def write_paged(lines: Iterable[str]) -> None:
    """Write lines; on a terminal that they do not fit, through the pager of `PAGER`."""
    import shutil

    shown = [_encodable(line) for line in lines]
    if not sys.stdout.isatty() or len(shown) < shutil.get_terminal_size().lines:
        write_lines(shown)
        return
    import click

    with _pipe_errors_as_closed():
        click.echo_via_pager("\n".join(shown) + "\n", color=is_colored())


def clear() -> bool:
    """Clear the terminal; False where stdout is none."""
    obeyed = style.supports_cursor(sys.stdout)
    if obeyed:
        _write("\x1b[H\x1b[2J")
    return obeyed


def set_ascii_only(*, enabled: bool) -> None:
    """Choose whether JSON escapes every letter beyond ASCII, so that invisible characters show."""
    _ascii_only[0] = enabled


def write_json(value: Any) -> None:
    """Write one JSON value on one line; all ASCII where the encoding lacks one of its letters."""
    from sprig_tui.cli.json_text import json_text

    text = json_text(value, ascii_only=_ascii_only[0])
    if _encodable(text) != text:
        text = json_text(value, ascii_only=True)
    _write(text + "\n")


def write_json_lines(values: Sequence[Any]) -> None:
    """Write each value as `write_json` does."""
    from sprig_tui.cli.json_text import json_lines

    text = json_lines(values, ascii_only=_ascii_only[0])
    if _encodable(text) != text:
        text = json_lines(values, ascii_only=True)
    _write(text)


def flush() -> None:
    """Flush the buffer. Raises StdoutClosedError for a closed pipe."""
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
    """Whether stdout is coloured."""
    return style.color_enabled(sys.stdout)


def paint(text: str, name: str) -> str:
    """The text in a style of `cli.style`, where stdout is coloured."""
    return style.paint(text, name) if is_colored() else text


def mark(symbol: str, plain: str) -> str:
    """The symbol, or its plain replacement where the encoding lacks it."""
    return symbol if _encodable(symbol) == symbol else plain


def terminal_columns() -> int:
    """Width of the terminal; 0 where stdout is none, and lines are not cut."""
    if not sys.stdout.isatty():
        return 0
    import shutil

    return shutil.get_terminal_size().columns


def _encodable(text: str) -> str:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
