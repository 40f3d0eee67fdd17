"""Record the first two minutes from the running program: an asciicast, and the same drawn as an animated SVG.

    python tests/console/recording.py                    # .github/first-minutes.svg
    python tests/console/recording.py first-minutes.cast # the asciicast too, to be played by asciinema

The commands run in a shell at a pseudo-terminal, with a home of their own and a fake Segment.
"""

from __future__ import annotations

import html
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from fcntl import ioctl
from pathlib import Path
from typing import NamedTuple

import pyte

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))
PICTURES = ROOT / ".github"
COLUMNS, LINES = 120, 36
KEY = "k2bbbbbbCCCCdddd2222EEEEffff2Sky"
ANSWER = (
    '{"userId": "acct_1042", "responseGroupId": "group-1042", "question": "How easy was checkout?",'
    ' "questionType": "LIKERT", "response": 4, "respondedAt": "2026-03-04T16:21:09Z"}\n'
)
QUIET_S = 0.7
"""Seconds without output after which a command is taken to wait."""
TYPING_S = 0.05
READING_S = 3.0
"""Seconds that the viewer gets for an output."""
SHELL_PROMPT = "$ "
BACKGROUND, FOREGROUND = "#16181d", "#d7dae0"
COLOURS = {
    "black": "#16181d",
    "red": "#e06c75",
    "green": "#98c379",
    "brown": "#e5c07b",
    "blue": "#61afef",
    "magenta": "#c678dd",
    "cyan": "#56b6c2",
    "white": "#d7dae0",
}


class Event(NamedTuple):
    """Output of the terminal, and when it is shown."""

    at_s: float
    text: str


class Frame(NamedTuple):
    """A screen, as the SVG of its lines, and since when it is shown."""

    at_s: float
    lines: tuple[str, ...]


class Recorder:
    """A shell at a pseudo-terminal; what it writes is kept with times that a viewer can follow."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        home = folder / "home"
        home.mkdir()
        (home / "config.toml").write_text(f'[environments.development]\nendpoint = "{endpoint}"\n', encoding="utf-8")
        (home / "config.toml").chmod(0o600)
        (folder / "responses.json").write_text(ANSWER, encoding="utf-8")
        programs = folder / "programs"
        programs.mkdir()
        program = programs / "sprig-tui"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m sprig_tui "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        self.events: list[Event] = []
        self._now = 0.0
        self._inner, outer = pty.openpty()
        ioctl(outer, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=outer,
            stdout=outer,
            stderr=outer,
            start_new_session=True,
            cwd=folder,
            env={
                "PATH": f"{programs}:{os.environ['PATH']}",
                "HOME": str(folder),
                "SPRIG_TUI_HOME": str(home),
                "PS1": SHELL_PROMPT,
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
                "LANG": "C.UTF-8",
                "PYTHONPATH": str(ROOT),
                "TEXTUAL_ANIMATIONS": "none",
            },
        )
        os.close(outer)
        self._read()

    def type(self, text: str, *, shown: bool = True, until: str = SHELL_PROMPT) -> None:
        """Type a line as a person does, and wait until the output ends with a text."""
        for letter in text if shown else [text]:
            os.write(self._inner, letter.encode())
            self._read(quiet_s=0.02)
            self._now += TYPING_S
        os.write(self._inner, b"\r")
        self._read(until=until)
        self._now += READING_S

    def press(self, keys: str) -> None:
        """Press keys of the console."""
        os.write(self._inner, keys.encode())
        self._read()
        self._now += READING_S

    def close(self) -> None:
        """End the console, which keeps what it showed, and the shell."""
        shown = len(self.events)
        os.write(self._inner, b"\x11")
        self._read(until=SHELL_PROMPT)
        del self.events[shown:]
        os.close(self._inner)
        self._process.kill()
        self._process.wait()

    def _read(self, quiet_s: float = QUIET_S, *, until: str = "") -> None:
        """Keep what is written until it has a text, and nothing comes for a while; it is shown at one moment."""
        text, limit = b"", time.monotonic() + 20
        while time.monotonic() < limit:
            if select.select([self._inner], [], [], quiet_s if text else 5 * quiet_s)[0]:
                text += os.read(self._inner, 65_536)
            elif until.encode() in text:
                break
        if text:
            self.events.append(Event(self._now, text.decode(errors="replace")))


def record(folder: Path) -> list[Event]:
    """The first two minutes: look at an answer, store a key, send, look at the journal, open the console."""
    from support.live_sink import LiveSink

    segment = LiveSink()
    recorder = Recorder(folder, segment.url)
    try:
        recorder.type("sprig-tui preview responses.json -e development")
        recorder.type("clear; sprig-tui keys set development", until="Write Key")
        recorder.type(KEY, shown=False)
        recorder.type("sprig-tui send responses.json -e development")
        recorder.type("sprig-tui log")
        recorder.type("sprig-tui responses.json", until="Deliveries")
        recorder.press("?")
        recorder.press("t")
        return recorder.events
    finally:
        recorder.close()
        segment.close()


def write_cast(file: Path, events: Sequence[Event]) -> None:
    """The recording as asciicast, version 2."""
    lines = [json.dumps({"version": 2, "width": COLUMNS, "height": LINES, "title": "sprig-tui"})]
    lines += [json.dumps([round(event.at_s, 3), "o", event.text]) for event in events]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def frames_of(events: Sequence[Event]) -> list[Frame]:
    """The screens that differ; typing is shown in steps of some letters."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.Stream(screen)
    frames: list[Frame] = []
    for number, event in enumerate(events):
        stream.feed(event.text)
        if len(event.text) == 1 and number % 6:
            continue
        lines = tuple(line_svg(screen, row) for row in range(LINES))
        if not frames or lines != frames[-1].lines:
            frames.append(Frame(event.at_s, lines))
    return frames


def colour(name: str, default: str) -> str:
    """A colour of pyte as SVG has it."""
    if name == "default":
        return default
    return COLOURS.get(name.removeprefix("bright"), f"#{name}" if re.fullmatch(r"[0-9a-f]{6}", name) else default)


def line_svg(screen: pyte.Screen, row: int) -> str:
    """One line of the screen; a run of letters in one style is one element."""
    runs: list[tuple[int, str, tuple[str, str, bool]]] = []
    for column in range(COLUMNS):
        cell = screen.buffer[row][column]
        front, back = colour(cell.fg, FOREGROUND), colour(cell.bg, BACKGROUND)
        if cell.reverse:
            front, back = back, front
        style = (front, back, cell.bold)
        if runs and runs[-1][2] == style:
            runs[-1] = (runs[-1][0], runs[-1][1] + cell.data, style)
        else:
            runs.append((column, cell.data, style))
    parts = []
    for column, text, (front, back, bold) in runs:
        if back != BACKGROUND:
            parts.append(f'<rect x="{column}ch" width="{len(text)}ch" height="1.2em" fill="{back}"/>')
        weight = ' font-weight="bold"' if bold else ""
        fill = f' fill="{front}"' if front != FOREGROUND else ""
        # words that stand apart have places of their own, so that columns hold in every font
        parts += [
            f'<text x="{column + found.start()}ch" y="1em"{fill}{weight}>{html.escape(found[0])}</text>'
            for found in re.finditer(r"\S+(?: \S+)*", text)
        ]
    return "".join(parts)


def draw(frames: Sequence[Frame], end_s: float) -> str:
    """The frames beside each other in one strip, which jumps from one to the next."""
    cell, height = 8.4, 17
    pitch = round(COLUMNS * cell) + 24
    known: dict[str, int] = {}
    shown: list[str] = []
    for number, frame in enumerate(frames):
        rows = []
        for row, line in enumerate(frame.lines):
            if line:
                name = known.setdefault(_in_pixels(line, cell), len(known))
                rows.append(f'<use href="#l{name}" y="{row * height}"/>')
        shown.append(f'<svg x="{number * pitch}">{"".join(rows)}</svg>')
    steps = "".join(
        f"{100 * frame.at_s / end_s:.2f}%{{transform:translateX({-number * pitch}px)}}"
        for number, frame in enumerate(frames)
    )
    width, tall = round(COLUMNS * cell), LINES * height
    lines = "".join(f'<g id="l{name}">{line}</g>' for line, name in known.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 -12 {width + 24} {tall + 24}" font-size="14"'
        f' font-family="ui-monospace,Menlo,Consolas,monospace" fill="{FOREGROUND}" xml:space="preserve">'
        f"<style>@keyframes play{{{steps}}}.strip{{animation:play {end_s:.1f}s steps(1,end) infinite}}"
        f"text{{white-space:pre}}</style><defs>{lines}</defs>"
        f'<rect x="-12" y="-12" width="{width + 24}" height="{tall + 24}" rx="8" fill="{BACKGROUND}"/>'
        f'<svg width="{width}" height="{tall}"><g class="strip">{"".join(shown)}</g></svg></svg>\n'
    )


def _in_pixels(line: str, cell: float) -> str:
    """Widths of letters as pixels, and each text stretched to the cells it takes, whatever the font."""

    def text(found: re.Match[str]) -> str:
        cells = len(html.unescape(found[3]))
        return (
            f'<text x="{int(found[1]) * cell:.1f}" y="13"{found[2]} textLength="{cells * cell:.1f}">{found[3]}</text>'
        )

    line = re.sub(r'<text x="(\d+)ch" y="1em"(.*?)>(.*?)</text>', text, line)
    line = line.replace('height="1.2em"', 'height="17"')
    return re.sub(r'"(\d+)ch"', lambda found: f'"{int(found[1]) * cell:.1f}"', line)


def main() -> None:
    """Record, and write both files."""
    with tempfile.TemporaryDirectory() as folder:
        events = record(Path(folder))
    for file in sys.argv[1:]:
        write_cast(Path(file), events)
    picture = draw(frames_of(events), events[-1].at_s + 2 * READING_S)
    (PICTURES / "first-minutes.svg").write_text(picture, encoding="utf-8")
    print("written:", *sys.argv[1:], f"first-minutes.svg ({len(picture):,} characters)", file=sys.stderr)


if __name__ == "__main__":
    main()
