"""Console run from the command line, and its exit code."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.console.commands.base import Permissions
    from sprig_tui.console.session import ConsoleDependencies
    from sprig_tui.sprig.held_input import InputSource


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Collect no garbage until the console has started, or this ends.

    What is loaded at the start lives as long as the process: looking through it would take a tenth of the first paint.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def run_console(
    dependencies: ConsoleDependencies,
    settings: Settings,
    permissions: Permissions,
    *,
    files: tuple[InputSource, ...] = (),
) -> int:
    """Run the console until it is left; returns the exit code.

    `files`, or what is held, are opened in the Payload pane. The caller has checked that there is a terminal.
    """
    from sprig_tui.console.app import SprigTui

    app = SprigTui(dependencies, settings, permissions, files=files, on_start=_schedule_garbage_collection)
    result = app.run()
    return result if isinstance(result, int) else (app.return_code or 0)


def _schedule_garbage_collection() -> None:
    """Collect garbage from now on, but not in the objects made so far: scanning them takes several frames.

    What the start left over is collected once, since it would stay for ever: 2 MB.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
