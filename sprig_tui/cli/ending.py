"""Ending of a run: the exit code of every error, and what is said of it.

It knows nothing of click, which the console is not to wait for.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TextIO

from sprig_tui.cli import diagnostics, garbage, output
from sprig_tui.errors import ExitCode, JournalError, SprigTuiError

DEBUG_VARIABLE = "SPRIG_TUI_DEBUG"
MIN_OPEN_FILES = 24
"""Files that a command with a journal on SQLite opens at once, and some to spare."""


def run_and_exit(work: Callable[[], Any]) -> NoReturn:
    """Run, and leave with the exit code; a traceback is shown only when SPRIG_TUI_DEBUG is set."""
    _open_missing_streams()
    code = exit_code(work)
    try:
        output.flush()
    except output.StdoutClosedError:
        _drop(sys.stdout)
    except SprigTuiError as error:
        # the command is done; only the end of its output is lost
        diagnostics.exception(error)
        _drop(sys.stdout)
        code = code or error.exit_code
    if not diagnostics.flush():
        _drop(sys.stderr)
    garbage.leave()
    sys.exit(int(code))


def exit_code(work: Callable[[], Any]) -> int:
    """Run; returns the exit code, and reports the error that ended it."""
    try:
        result: Any = work()
    except SprigTuiError as error:
        return _report_error(error)
    except KeyboardInterrupt:
        return report_interrupt()
    except output.StdoutClosedError:
        # the reader closed the pipe, as in `sprig-tui log | head`
        _drop(sys.stdout)
        return ExitCode.OK
    except OSError as error:
        _print_traceback_in_debug()
        if error.errno in (errno.EMFILE, errno.ENFILE):
            _report_few_descriptors()
        else:
            report_bug(error)
        return ExitCode.USAGE
    except Exception as error:  # noqa: BLE001 - the outer edge: a person gets a sentence, whatever happened
        _print_traceback_in_debug()
        report_bug(error)
        return ExitCode.USAGE
    return result if isinstance(result, int) else ExitCode.OK


def report_interrupt() -> int:
    """Say that a person ended it; returns the exit code."""
    diagnostics.info("interrupted")
    return ExitCode.INTERRUPTED


def _open_missing_streams() -> None:
    """Open /dev/null for streams that were closed at the start (`>&-`, some services)."""
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    from pathlib import Path

    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open until the end


def _report_error(error: SprigTuiError) -> int:
    """Report an error of this program; returns its exit code."""
    _print_traceback_in_debug()
    if isinstance(error, JournalError) and _has_few_descriptors():
        # SQLite says of a lack of descriptors only that a file cannot be opened
        _report_few_descriptors()
        return ExitCode.USAGE
    diagnostics.exception(error)
    warn_of_keys()
    return error.exit_code


def _has_few_descriptors() -> bool:
    """Whether this process may open fewer files than a command with a journal needs."""
    try:
        import resource
    except ImportError:  # Windows
        return False
    return 0 <= resource.getrlimit(resource.RLIMIT_NOFILE)[0] < MIN_OPEN_FILES


def _report_few_descriptors() -> None:
    _silence_exit_warnings()
    diagnostics.failure(
        "too many files are open at once for what this process is allowed",
        "raise the limit (ulimit -n 1024, LimitNOFILE in a unit) and run it again; nothing journaled is lost",
    )


def report_bug(error: Exception) -> None:
    """Say in a sentence that this program has a fault."""
    diagnostics.failure(
        f"unexpected fault: {type(error).__name__}",
        f"this is a bug; what was journaled is safe. {DEBUG_VARIABLE}=1 shows where it happened",
    )


def _silence_exit_warnings() -> None:
    """Silence the warnings of half-constructed objects at exit; the error was reported."""
    if not os.environ.get(DEBUG_VARIABLE):
        import warnings

        sys.unraisablehook = lambda _: None
        warnings.simplefilter("ignore")


def _print_traceback_in_debug() -> None:
    if os.environ.get(DEBUG_VARIABLE):
        import traceback

        diagnostics.write_lines(traceback.format_exc())


def warn_of_keys() -> None:
    """Warn where the command line held a word that looks like a key."""
    if diagnostics.hides_secrets():
        diagnostics.warning(
            "a word of this command line looks like a key: others see it, and the shell's history keeps it",
            "paste keys at the prompt of sprig-tui keys set ENV; replace this one if it is real",
        )


def _drop(stream: TextIO) -> None:
    """Redirect a stream that takes no more to /dev/null, so that the flush at exit does not fail."""
    import contextlib

    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
