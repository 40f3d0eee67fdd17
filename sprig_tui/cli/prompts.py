"""Prompts: confirmations, and hidden input of secrets with every line of a paste.

`getpass` reads one line and throws the rest of a paste away, so that a key which a mail or a terminal broke over two
lines would lose its second half without a word.
"""

from __future__ import annotations

import os
import select
import sys
from typing import TYPE_CHECKING, Any

from sprig_tui.cli import diagnostics
from sprig_tui.errors import ConfigError

if TYPE_CHECKING:
    from sprig_tui.config.secret_lint import SecretLint


PASTE_GAP_S = 0.1
"""Seconds after the end of a line in which the next one still belongs to the same paste."""
SIGNAL_CHECK_S = 0.2
"""Seconds between two looks for a signal while a question waits."""
MAX_SECRET_BYTES = 65_536
"""Bytes; a key has 32."""
END_BYTES, ERASE_BYTES, KILL_BYTES = (0x04,), (0x08, 0x7F), (0x15, 0x17)
"""Ctrl-D; backspace; Ctrl-U and Ctrl-W, which both take all of it, since nothing of it is seen."""


def read_hidden(prompt: str) -> str:
    """Text typed or pasted up to enter, without the last line break; empty after Ctrl-D."""
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
        # before the prompt, so that an early paste is neither shown nor cut into lines
        termios.tcsetattr(inner, termios.TCSADRAIN, _hidden_modes(before, termios))
        diagnostics.write(prompt)
        text = _read_secret_bytes(inner)
    finally:
        # discard input after the secret, so that the shell does not run it
        termios.tcsetattr(inner, termios.TCSAFLUSH, before)
        diagnostics.write("\n")
    return text.decode("utf-8", "replace").removesuffix("\n")


def _hidden_modes(before: list[Any], termios: Any) -> list[Any]:
    """The terminal's modes without echo and line editing; Ctrl-C keeps its meaning."""
    modes = [*before[:6], list(before[6])]
    modes[3] &= ~(termios.ECHO | termios.ICANON)
    modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
    return modes


def _read_secret_bytes(inner: int) -> bytes:
    typed = bytearray()
    while len(typed) < MAX_SECRET_BYTES:
        _wait_for_line()
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
    """Remove the last character with all its bytes."""
    while typed and 0x80 <= typed[-1] < 0xC0:
        typed.pop()
    if typed:
        typed.pop()


def is_interactive() -> bool:
    """Whether stdin and stderr are a terminal."""
    return sys.stdin.isatty() and diagnostics.is_terminal()


def confirm(question: str) -> bool:
    """Ask for yes or no; anything but yes is no."""
    return prompt_line(f"{question} [y/N] ").lower() in ("y", "yes")


def confirm_name(question: str, name: str) -> bool:
    """Ask for a name to be typed, before steps that cannot be undone."""
    diagnostics.info(question)
    return prompt_line("type its name to continue: ") == name


def confirm_removal(question: str, *, name: str = "", hint: str = "add --yes") -> bool:
    """Ask before something is removed, or refuse without a terminal; `name` has to be typed if it is given."""
    if not is_interactive():
        diagnostics.failure("nothing was removed: there is no terminal to confirm it at", hint)
        return False
    agreed = confirm_name(question, name) if name else confirm(question)
    if not agreed:
        diagnostics.info("nothing was removed")
    return agreed


def prompt_secret(question: str) -> str:
    """Ask for a secret with hidden input; empty after Ctrl-D."""
    from sprig_tui.text import one_line

    return read_hidden(f"{one_line(question)} ")


def prompt_line(question: str) -> str:
    """Ask for one line; surrounding spaces are stripped; empty after Ctrl-D."""
    from sprig_tui.text import printable

    *lines, last = diagnostics.fit_lines(printable(question))
    for line in lines:
        diagnostics.write(f"{line}\n")
    diagnostics.write(last)
    _wait_for_line()
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        diagnostics.write("\n")
    return line.strip()


def _wait_for_line() -> None:
    """Wait for a line of the terminal in short steps: a long read sees no Ctrl-C of the moment before it."""
    if sys.platform != "win32" and sys.stdin.isatty():
        while not select.select((sys.stdin,), (), (), SIGNAL_CHECK_S)[0]:
            pass


MAX_INPUT_CHARS = 65_536
"""Characters read from standard input; a key has 32."""


def read_secret(what: str) -> str:
    """A secret from the prompt or from a pipe. Raises ConfigError for input that is not text."""
    if sys.stdin.isatty():
        return prompt_secret(f"{what} (not shown):")
    text = sys.stdin.buffer.read(MAX_INPUT_CHARS + 1)
    if b"\0" in text[:4]:
        raise ConfigError("standard input is not UTF-8 text", hint="pipe the key alone, as UTF-8")
    if not text.strip():
        raise ConfigError(f"standard input is empty: the {what} is expected there", hint="pipe it alone, as UTF-8")
    return text.decode("utf-8", "replace")


def print_lint(lint: SecretLint) -> None:
    """Report the problems of a pasted secret, never the secret."""
    for fault in lint.faults:
        if fault.level == "error":
            diagnostics.failure(f"not stored: {fault.message}", fault.hint)
        elif fault.level == "warning":
            diagnostics.warning(fault.message, fault.hint)
        else:
            diagnostics.info(fault.message)


def confirm_warnings(warnings: list[str], *, force: bool, flag: str = "--force") -> bool:
    """Whether to store a secret despite warnings; asks at a terminal."""
    if not warnings or force:
        return True
    if is_interactive():
        return confirm("store it anyway?")
    diagnostics.failure(f"not stored: {'; '.join(warnings)}", f"add {flag} if it is meant so")
    return False
