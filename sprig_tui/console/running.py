"""Running the console from a command line: where its parts come from, and its exit code."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sprig_tui.console.commands import Permissions
    from sprig_tui.console.core import Sources


def run_console(sources: Sources, permissions: Permissions, *, files: tuple[str, ...] = ()) -> int:
    """Open the console and stay in it; returns the exit code.

    Raises ConfigError when the config cannot be read: there is nothing to show then but that. `files` are opened in
    the Payload pane. The caller has made sure that there is a terminal.
    """
    # all that is loaded lives as long as the process: looking for garbage in it would take a tenth of the first paint
    gc.disable()
    settings = sources.load()
    from sprig_tui.console.app import SprigTui

    app = SprigTui(sources, settings, permissions, files=files, started=_look_for_garbage)
    try:
        result = app.run()
    finally:
        gc.enable()
    return result if isinstance(result, int) else (app.return_code or 0)


def _look_for_garbage() -> None:
    """From now on, but not in what the start made: a full look at it takes as long as several frames."""
    gc.freeze()
    gc.enable()
