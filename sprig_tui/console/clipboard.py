"""Clipboard: copies by the first route that works, and into a file, since most routes confirm nothing.

Routes in this order: the desktop's own tool, unless this is an SSH session, where it would fill the clipboard of the
wrong machine; tmux; the terminal itself (OSC 52), up to the size that terminals accept.

A secret is never written to the file. Where no route works it is not copied.

A console in a browser has one route, the browser itself, and no file: desktop and disk are those of another machine.

The text is copied as it is, with one exception. A copied text is often pasted into a shell, and an escape sequence in
an answer could end the terminal's bracketed paste, so that the shell runs the rest. Control characters (C0, DEL, C1)
except tab and line feed are therefore replaced by visible pictures, carriage returns before a line feed are dropped,
and lone surrogates, which no encoding can carry, become U+FFFD. Letters of every script, emoji, joiners and direction
marks stay. The notice names the number of replaced characters. JSON is never changed: it escapes them.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.message import Message

from sprig_tui.config.secrets import child_environ
from sprig_tui.console.notify import notify, notify_warning
from sprig_tui.errors import ConfigError
from sprig_tui.files import write_atomically

if TYPE_CHECKING:
    from textual.app import App

MAX_OSC52_BYTES = 74_994
"""Encoded bytes that terminals accept; k9s has the same limit."""
TOOL_TIMEOUT_S = 2.0
"""The tools take milliseconds, or hang because their display is gone."""
FILE_NAME = "clipboard.txt"
_SSH_VARIABLES = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
_CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class CopyRequested(Message):
    """A request to put `text` on the clipboard; the notice calls it `what`. A secret goes into no file."""

    def __init__(self, text: str, what: str, *, is_secret: bool = False) -> None:
        super().__init__()
        self.text = text
        self.what = what
        self.is_secret = is_secret


class SafeText(NamedTuple):
    """A text fit for a clipboard."""

    text: str
    replaced: int
    """Characters that were replaced."""


class CopyResult(NamedTuple):
    """Result of a copy."""

    route: str
    """`wl-copy`, `tmux` ...; empty where no route worked, and only the file has the text."""
    file: Path | None
    """None where it could not be written."""
    fault: str = ""
    replaced: int = 0

    def message(self, what: str) -> str:
        """Text for a notice: the route, the file, and what failed."""
        if self.route:
            text = f"copied {what} by {self.route}"
            text += f"; also in {self.file}" if self.file else f"; {self.fault}" if self.fault else ""
        elif self.file:
            text = f"no clipboard could be reached: {what} is in {self.file}"
        else:
            text = f"{what} was not copied: {self.fault}"
        if self.replaced:
            noun = "character" if self.replaced == 1 else "characters"
            text += f"; {self.replaced:,} control {noun} made visible, so that pasting is safe"
        return text


class Clipboard:
    """Copies text; `write_terminal` writes an OSC 52 sequence, such as `App.copy_to_clipboard`.

    `elsewhere`: the user sits at another machine, behind a browser.
    """

    def __init__(
        self,
        state_dir: Path,
        write_terminal: Callable[[str], None] | None = None,
        *,
        environ: Mapping[str, str] = os.environ,
        platform: str = sys.platform,
        elsewhere: bool = False,
    ) -> None:
        self._elsewhere = elsewhere
        self._file = state_dir / FILE_NAME
        self._write_terminal = write_terminal
        self._environ = environ
        self._platform = platform

    async def copy(self, text: str, *, is_secret: bool = False) -> CopyResult:
        """Copy by the first route that works, and unless it is secret into the file (mode 0600); never raises."""
        safe = safe_text(text)
        if self._elsewhere:
            route = "the browser, if it allows that" if self._copy_by_terminal(safe.text) else ""
            fault = "" if route else f"a browser takes {MAX_OSC52_BYTES * 3 // 4:,} bytes at most"
            return CopyResult(route, None, fault, safe.replaced)
        route = (
            await self._copy_by_tool(safe.text)
            or await self._copy_by_tmux(safe.text)
            or self._copy_by_terminal(safe.text)
        )
        if is_secret:
            fault = "" if route else "no clipboard could be reached, and a secret is written to no file"
            return CopyResult(route, None, fault, safe.replaced)
        file, fault = await asyncio.to_thread(self._write_file, safe.text)
        return CopyResult(route, file, fault, safe.replaced)

    async def _copy_by_tool(self, text: str) -> str:
        if any(self._environ.get(name) for name in _SSH_VARIABLES):
            return ""
        for command in local_tools(self._environ, self._platform):
            if self._which(command[0]):
                data = text.encode("utf-16") if command[0].endswith(".exe") else text.encode()
                if await self._run(command, data):
                    return command[0]
        return ""

    async def _copy_by_tmux(self, text: str) -> str:
        if not self._environ.get("TMUX") or not self._which("tmux"):
            return ""
        # -w asks tmux to set the clipboard of its terminal, too
        return "tmux" if await self._run(("tmux", "load-buffer", "-w", "-"), text.encode()) else ""

    def _copy_by_terminal(self, text: str) -> str:
        if self._write_terminal is None or len(base64.b64encode(text.encode())) > MAX_OSC52_BYTES:
            return ""
        self._write_terminal(text)
        return "the terminal (OSC 52, if it allows that)"

    def _write_file(self, text: str) -> tuple[Path | None, str]:
        try:
            self._file.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
            write_atomically(self._file, text.encode())
        except OSError as error:
            return None, f"cannot make the folder {self._file.parent}: {error.strerror}"
        except ConfigError as error:
            return None, error.message
        return self._file, ""

    def _which(self, name: str) -> str | None:
        return shutil.which(name, path=self._environ.get("PATH"))

    async def _run(self, command: tuple[str, ...], data: bytes) -> bool:
        """Whether the command accepted the data; its output is not read, since some tools stay and keep it open."""
        quiet = asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=quiet,
                stderr=quiet,
                start_new_session=True,
                env=child_environ(self._environ),
            )
        except OSError:
            return False
        try:
            await asyncio.wait_for(process.communicate(data), TOOL_TIMEOUT_S)
        except (TimeoutError, OSError):
            if process.returncode is None:
                process.kill()
                await process.wait()
            return False
        return process.returncode == 0


def safe_text(text: str) -> SafeText:
    """The text without control characters, which could control a terminal that it is pasted into."""
    return SafeText(*_CONTROL_CHARACTERS.subn(_visible_form, text.replace("\r\n", "\n")))


def local_tools(environ: Mapping[str, str], platform: str) -> list[tuple[str, ...]]:
    """Commands of this desktop that copy their standard input, the best first."""
    if platform == "darwin":
        return [("pbcopy",)]
    tools: list[tuple[str, ...]] = []
    if environ.get("WAYLAND_DISPLAY"):
        tools.append(("wl-copy",))
    if environ.get("DISPLAY"):
        tools += [("xclip", "-selection", "clipboard"), ("xsel", "--clipboard", "--input")]
    if platform == "win32" or environ.get("WSL_DISTRO_NAME"):
        tools.append(("clip.exe",))
    return tools


def _visible_form(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return "\ufffd" if code >= 0xD800 else f"⟨U+{code:04X}⟩"


async def copy_and_report(app: App[Any], clipboard: Clipboard, request: CopyRequested) -> None:
    """Copy what was asked for, and say by which route."""
    result = await clipboard.copy(request.text, is_secret=request.is_secret)
    (notify if result.route else notify_warning)(app, result.message(request.what))
