"""Hidden input: a secret typed or pasted at the terminal, with every line of a paste.

`getpass` reads one line and throws the rest of a paste away, so that a key which a mail or a terminal broke over two
lines would lose its second half without a word.
"""

from __future__ import annotations

import os
import select
import sys
from typing import Any

from sprig_tui.cli import diagnostics

PASTE_GAP_S = 0.1
"""Seconds after the end of a line in which the next one still belongs to the same paste."""
MAX_SECRET_BYTES = 65_536
"""Bytes; a key has 32."""
END_BYTES, ERASE_BYTES, KILL_BYTES = (0x04,), (0x08, 0x7F), (0x15, 0x17)
"""Ctrl-D; backspace; Ctrl-U and Ctrl-W, which both take all of it, since nothing of it is seen."""


def read_hidden(prompt: str) -> str:
    """What was typed up to enter, or pasted, without the last line break; empty when the person gave up (Ctrl-D)."""
    try:
        import termios
    except ImportError:  # Windows: a console without modes of this kind
        import getpass

        try:
            return getpass.getpass(prompt, stream=sys.stderr)
        except EOFError:
            return ""
    inner = sys.stdin.fileno()
    before = termios.tcgetattr(inner)
    try:
        # Before the prompt: what is pasted at the sight of it is not shown, nor cut into lines.
        termios.tcsetattr(inner, termios.TCSADRAIN, _hidden_modes(before, termios))
        diagnostics.write(prompt)
        text = _read_secret_bytes(inner)
    finally:
        # What came after it is no command for the shell.
        termios.tcsetattr(inner, termios.TCSAFLUSH, before)
        diagnostics.write("\n")
    return text.decode("utf-8", "replace").removesuffix("\n")


def _hidden_modes(before: list[Any], termios: Any) -> list[Any]:
    """The terminal's modes with no echo and without its own line editing; Ctrl-C stays what it is."""
    modes = [*before[:6], list(before[6])]
    modes[3] &= ~(termios.ECHO | termios.ICANON)
    modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
    return modes


def _read_secret_bytes(inner: int) -> bytes:
    typed = bytearray()
    while len(typed) < MAX_SECRET_BYTES:
        chunk = os.read(inner, 4096)
        if not chunk:
            break
        for byte in chunk:
            if byte in END_BYTES:
                return bytes(typed)
            if byte in KILL_BYTES:
                typed.clear()
            elif byte in ERASE_BYTES:
                _erase_character(typed)
            else:
                typed.append(byte)
        if typed.endswith(b"\n") and not select.select((inner,), (), (), PASTE_GAP_S)[0]:
            break
    return bytes(typed)


def _erase_character(typed: bytearray) -> None:
    """The last character, all bytes of it."""
    while typed and 0x80 <= typed[-1] < 0xC0:
        typed.pop()
    if typed:
        typed.pop()
