"""Process of one console in a browser; `serve` starts it, with its standard input and output as the terminal.

`python -m sprig_tui.cli.browser_session [--acts] [--no-engine]`: without `--acts` the console is read-only.
"""

from __future__ import annotations

import sys


def main(arguments: list[str]) -> int:
    """Run the console; returns the exit code."""
    from sprig_tui.cli import diagnostics
    from sprig_tui.cli.commands.console import run_in_browser
    from sprig_tui.cli.ending import report_bug
    from sprig_tui.errors import ExitCode, SprigTuiError

    try:
        return run_in_browser(read_only="--acts" not in arguments, no_engine="--no-engine" in arguments)
    except SprigTuiError as error:
        diagnostics.exception(error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the outer edge: the browser shows a sentence
        report_bug(error)
        return ExitCode.USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
