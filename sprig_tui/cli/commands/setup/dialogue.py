"""Dialogue of the guided set-up: headings, paragraphs, questions and choices at a terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sprig_tui.cli import diagnostics, prompts

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings

Result = TypeVar("Result")


def heading(text: str) -> None:
    """Begin a step."""
    diagnostics.info("")
    diagnostics.heading(f"── {text} ──")


def say(*paragraphs: str) -> None:
    """Say each on lines of its own."""
    for paragraph in paragraphs:
        diagnostics.info(paragraph)


def rows(pairs: Sequence[tuple[str, str]]) -> None:
    """Title and text beside each other; a long text goes on below itself."""
    import shutil

    from sprig_tui.cli.text_wrap import pad, text_width, wrap
    from sprig_tui.text import one_line

    width = max((text_width(title) for title, _ in pairs), default=0)
    room = min(diagnostics.MAX_WRAPPED_COLUMNS, shutil.get_terminal_size().columns) - width - 5
    for title, text in pairs:
        for number, line in enumerate(wrap(one_line(text), room)):
            diagnostics.info(f"  {pad('' if number else title, width)}  {line}")


def ask(question: str, settings: Settings) -> str:
    """A line that is seen while it is typed; empty to skip. A secret is told off and not returned: it is asked again.

    `settings` has the secrets that are known.
    """
    from sprig_tui.cli.usage import find_secrets

    while True:
        answer = prompts.prompt_line(f"{question} ")
        if not find_secrets([answer]) and not any(len(one) >= 8 and one in answer for one in settings.secrets()):
            return answer
        diagnostics.warning(
            "that looks like a key or a token, and now stands on the screen; it was not kept",
            "paste secrets only where the question says (not shown); replace it if others saw it",
        )


def choose(options: Sequence[str], settings: Settings, *, skip: str = "enter to skip") -> int:
    """The index of the option that is chosen by its number; -1 to skip."""
    rows([(str(number), option) for number, option in enumerate(options, 1)])
    while True:
        answer = ask(f"number, or {skip}:", settings)
        if not answer:
            return -1
        if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(options):
            return int(answer) - 1
        diagnostics.warning(f"{answer[:40]!r} is none of 1 to {len(options)}")


def paste(what: str) -> str:
    """A secret that is not shown; empty to skip."""
    return prompts.prompt_secret(f"paste {what} (not shown), or enter to skip:")


def consent(question: str, environment: str, *, protected: bool) -> bool:
    """Whether something may be sent: a protected environment asks for its name."""
    if protected:
        return prompts.confirm_name(f"{environment} is protected: {question}", environment)
    return prompts.confirm(question)


def run_until_enter(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result | None:
    """The result of the work; None, with the work cancelled, after enter or Ctrl-C."""

    async def run() -> Result | None:
        from sprig_tui.cli.shutdown import ShutdownRequested, ShutdownSignals

        with ShutdownSignals() as signals:
            loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()

            def on_line() -> None:
                sys.stdin.readline()
                signals.request()

            watches = sys.platform != "win32"
            if watches:
                loop.add_reader(descriptor, on_line)
            try:
                return await signals.guard(work())
            except ShutdownRequested:
                return None
            finally:
                if watches:
                    loop.remove_reader(descriptor)

    return asyncio.run(run())
