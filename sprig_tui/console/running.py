"""Running the console from a command line: where its parts come from, and its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sprig_tui.console.commands import Permissions
    from sprig_tui.console.core import Sources


def run_console(sources: Sources, permissions: Permissions, *, files: tuple[str, ...] = ()) -> int:
    """Open the console and stay in it; returns the exit code.

    Raises ConfigError when the config cannot be read: there is nothing to show then but that. `files` are opened in
    the Payload pane. The caller has made sure that there is a terminal.
    """
    settings = sources.load()
    from sprig_tui.console.app import SprigTui

    app = SprigTui(sources, settings, permissions, files=files)
    result = app.run()
    return result if isinstance(result, int) else (app.return_code or 0)
