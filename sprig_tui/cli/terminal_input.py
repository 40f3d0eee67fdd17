"""Terminal input: the keyboard of a program whose standard input brings answers."""

from __future__ import annotations

import contextlib
import os
import stat
import sys

CONTROLLING_TERMINAL = "/dev/tty"


def brings_answers() -> bool:
    """Whether standard input is a pipe, a socket or a file: not a terminal, and not /dev/null."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISREG(mode)


def move_standard_input() -> int:
    """Make the controlling terminal the standard input; returns the descriptor that what was it has from now on.

    Whatever reads keys, asks a question or is started later (an editor) has the terminal then. Raises OSError where the
    process has no terminal.
    """
    terminal = _open_terminal()
    moved = os.dup(0)
    os.dup2(terminal, 0)
    os.close(terminal)
    return moved


def _open_terminal() -> int:
    flags = os.O_RDWR | os.O_NOCTTY
    terminal = os.open(CONTROLLING_TERMINAL, flags)
    # some systems cannot wait for keys on /dev/tty, only on the terminal by its own name
    with contextlib.suppress(OSError):
        named = os.open(os.ttyname(sys.stdout.fileno()), flags)
        os.close(terminal)
        return named
    return terminal
