"""Console run from the command line, and its exit code."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sprig_tui.console.commands.base import Permissions
    from sprig_tui.console.session import ConsoleDependencies
    from sprig_tui.sprig.held_input import InputSource


def run_console(
    dependencies: ConsoleDependencies, permissions: Permissions, *, files: tuple[InputSource, ...] = ()
) -> int:
    """Run the console until it is left; returns the exit code.

    `files`, or what is held, are opened in the Payload pane. Raises ConfigError when the config cannot be read. The
    caller has checked that there is a terminal.
    """
    # what is loaded now lives as long as the process; collecting garbage would take a tenth of the first paint
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
    """Collect garbage from now on, but not in the objects made so far: scanning them takes several frames."""
    gc.freeze()
    gc.enable()
