"""The command line."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run `sprig-tui` and exit with its exit code."""
    try:
        _load_and_run()
    except KeyboardInterrupt:  # before there was a command that could take it
        from sprig_tui.cli.ending import report_interrupt

        sys.exit(report_interrupt())


def _load_and_run() -> NoReturn:
    from sprig_tui.cli import garbage

    garbage.pause()
    if len(sys.argv) > 1 or "_SPRIG_TUI_COMPLETE" in os.environ:  # the shell asks for completions
        from sprig_tui.cli.program import main as run

        run()
    # nothing is to be parsed: the console need not wait for what parses
    from sprig_tui.cli.commands.console import open_console
    from sprig_tui.cli.ending import run_and_exit

    run_and_exit(lambda: open_console(read_only=False, no_engine=False))
