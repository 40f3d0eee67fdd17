"""Running the console from a command line: where its parts come from, and its exit code."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sprig_tui.console.commands.base import Permissions
    from sprig_tui.console.session import ConsoleDependencies


def run_console(dependencies: ConsoleDependencies, permissions: Permissions, *, files: tuple[str, ...] = ()) -> int:
    """Open the console and stay in it; returns the exit code.

    Raises ConfigError when the config cannot be read: there is nothing to show then but that. `files` are opened in
    the Payload pane. The caller has made sure that there is a terminal.
    """
    # all that is loaded lives as long as the process: looking for garbage in it would take a tenth of the first paint
    gc.disable()
    settings = dependencies.load()
    from sprig_tui.console.app import SprigTui

    app = SprigTui(dependencies, settings, permissions, files=files, on_start=_schedule_garbage_collection)
    try:
        result = app.run()
    finally:
        gc.enable()
    return result if isinstance(result, int) else (app.return_code or 0)


def _schedule_garbage_collection() -> None:
    """From now on, but not in what the start made: a full look at it takes as long as several frames."""
    gc.freeze()
    gc.enable()
