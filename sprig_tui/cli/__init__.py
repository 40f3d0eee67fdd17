"""The command line."""

from __future__ import annotations

from typing import NoReturn


def main() -> NoReturn:
    """Run `sprig-tui` and exit with its exit code."""
    from sprig_tui.cli import garbage

    garbage.pause()
    from sprig_tui.cli.program import main as run

    run()
