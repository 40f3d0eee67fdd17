"""The command line."""

from __future__ import annotations

from typing import NoReturn


def main() -> NoReturn:
    """Run `sprig-tui`; the exit code says what came of it."""
    from sprig_tui.cli.program import main as run

    run()
