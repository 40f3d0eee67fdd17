"""Messages and progress on stderr. No other module writes to it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from sprig_tui.cli import style
from sprig_tui.errors import FilterError, SprigTuiError

LINE_INTERVAL_S = 5.0
"""Seconds between two progress lines where stderr is no terminal."""
REDRAW_INTERVAL_S = 0.1
MAX_WRAPPED_COLUMNS = 80

_is_wrapped = [False]
_active_lines: list[ProgressLine] = []
"""Progress lines on the terminal's last line."""
_secrets: list[str] = []
"""Words that look like keys; no message repeats them."""


def hide_secrets(secrets: list[str]) -> None:
    """Remove these words from all later messages."""
    _secrets[:] = secrets


def hides_secrets() -> bool:
    """Whether the command line held a word that looks like a key."""
    return bool(_secrets)


def info(text: str) -> None:
    """Write a line of information."""
    _write_message(text)


def heading(text: str) -> None:
    """Write the heading of a part."""
    _write_message(text, "strong")


def success(text: str) -> None:
    """Write that a step succeeded."""
    _write_message(text, "good")


def warning(text: str, hint: str = "") -> None:
    """Write a warning; the command continues."""
    _write_message(text, "warning", label="warning: ", hint=hint)


def failure(text: str, hint: str = "") -> None:
    """Write why the command cannot do what was asked."""
    _write_message(text, "bad", label="error: ", hint=hint)


def exception(found: SprigTuiError) -> None:
    """Write an error of this program: the problem in one line, the next step in another."""
    hint = found.hint
    if isinstance(found, FilterError):
        hint = f"at character {found.position + 1}; {hint}" if hint else f"at character {found.position + 1}"
    failure(found.message, hint)


def write_lines(text: str) -> None:
    """Write a text of several lines, such as a command's help."""
    for line in text.splitlines():
        _write_message(line)


def is_terminal() -> bool:
    """Whether stderr is a terminal."""
    return sys.stderr.isatty()


def _write_message(text: str, style_name: str = "", *, label: str = "", hint: str = "") -> None:
    from sprig_tui.text import printable, redact

    for progress in _active_lines:
        progress.erase()
    if _secrets:
        text, hint = redact(text, _secrets), redact(hint, _secrets)
    head = style.paint(label, style_name) if label and style.color_enabled(sys.stderr) else label
    first, *more = fit_lines(printable(text), label)
    paints = not label and style_name and style.color_enabled(sys.stderr)
    for number, line in enumerate((first, *more)):
        body = style.paint(line, style_name) if paints else line
        write((head if not number else "") + body + "\n")
    if hint:
        for line in fit_lines(f"  {printable(hint)}"):
            write(f"{line}\n")


@contextmanager
def wrapped_messages() -> Iterator[None]:
    """Break messages between words, for texts that are read from top to bottom, until the context is left."""
    before, _is_wrapped[0] = _is_wrapped[0], True
    try:
        yield
    finally:
        _is_wrapped[0] = before


def fit_lines(text: str, label: str = "") -> list[str]:
    """The text within the terminal's columns while messages are wrapped, behind a label; all lines have its indent."""
    if not _is_wrapped[0]:
        return [text]
    import shutil

    from sprig_tui.cli.text_wrap import text_width, wrap

    columns = min(MAX_WRAPPED_COLUMNS, shutil.get_terminal_size().columns) - 1
    if text_width(label + text) <= columns:
        return [text]
    indent = text[: len(text) - len(text.lstrip())]
    lines = [indent + line for line in wrap(label + text, columns - len(indent))] or [label]
    lines[-1] += text[len(text.rstrip()) :]
    return [lines[0].removeprefix(label), *lines[1:]]


def write(text: str) -> None:
    """Write raw text. A closed stderr is ignored, and letters that its encoding lacks are escaped."""
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    try:
        sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stderr.flush()
    except (OSError, ValueError):
        # stderr was closed: the command continues without it
        return


def flush() -> bool:
    """Write what is buffered; False where stderr takes no more, as that of a terminal that hung up."""
    try:
        sys.stderr.flush()
    except ValueError:
        return True  # it was closed, and so is empty
    except OSError:
        return False
    return True


class ProgressLine:
    """Progress of a long command: one line that is redrawn on a terminal, else a line every few seconds."""

    def __init__(self) -> None:
        self._redrawn = _is_line_shown()
        self._last = 0.0 if self._redrawn else time.monotonic()
        self._drawn = False

    def __enter__(self) -> Self:
        _active_lines.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.erase()
        _active_lines.remove(self)

    @property
    def is_due(self) -> bool:
        """Whether the next update would be shown."""
        return time.monotonic() - self._last >= (REDRAW_INTERVAL_S if self._redrawn else LINE_INTERVAL_S)

    def update(self, text: str) -> None:
        """Show the state, unless the last update is too recent."""
        from sprig_tui.text import printable

        if not self.is_due:
            return
        self._last = time.monotonic()
        if self._redrawn:
            import shutil

            width = shutil.get_terminal_size().columns - 1
            write(f"\r\x1b[K{printable(text)[:width]}")
            self._drawn = True
        else:
            write(printable(text) + "\n")

    def erase(self) -> None:
        """Remove the line, so that a message can take its place."""
        if self._drawn:
            write("\r\x1b[K")
            self._drawn = False


def _is_line_shown() -> bool:
    import os

    return is_terminal() and os.environ.get("TERM") != "dumb"


def time_left(done: float, total: float, rate: float) -> str:
    """Such as `2 m 10 s left`; empty where it is unknown."""
    from sprig_tui.formatting import format_duration

    if rate <= 0 or total <= done:
        return ""
    return f"{format_duration(max(1, round((total - done) / rate)))} left"
