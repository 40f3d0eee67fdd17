"""Secret command: one run of a command of the config, whose output is a secret.

It runs without a shell, with standard input closed, and without our own secrets in its environment. Standard output is
bounded; standard error is counted and thrown away, since it may hold the secret. A command that is not done within
COMMAND_TIMEOUT_S is killed with its children. On a terminal it may ask a question there, by /dev/tty.
"""

from __future__ import annotations

import errno
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum

from sprig_tui.config.secret_references import SecretReference
from sprig_tui.errors import ConfigError, SecretReadError

COMMAND_TIMEOUT_S = 30.0
MAX_OUTPUT_BYTES = 64 * 1024
"""More than any secret has."""
_READ_BYTES = 16 * 1024
_LOOK_INTERVAL_S = 0.05
"""Seconds between two looks whether the command has ended: a daemon that it left behind may hold its output open."""


class CommandProblem(StrEnum):
    """Why a command gave no secret."""

    NOT_FOUND = "not-found"
    NOT_EXECUTABLE = "not-executable"
    NOT_STARTED = "not-started"
    TIMEOUT = "timeout"
    TOO_MUCH_OUTPUT = "too-much-output"
    SIGNAL = "signal"
    STOPPED = "stopped"
    EXIT_CODE = "exit-code"


_BY_HAND_HINT = "run it by hand to see why: what it says is not kept here, since it may hold the secret"
_HINTS = {
    CommandProblem.NOT_FOUND: "install it, or write its whole path",
    CommandProblem.NOT_EXECUTABLE: "chmod +x, and a script needs a first line such as #!/bin/sh",
    CommandProblem.TIMEOUT: "run it by hand: perhaps it waits for a sign-in or an unlock",
    CommandProblem.TOO_MUCH_OUTPUT: "it must print the secret and nothing else",
    CommandProblem.EXIT_CODE: _BY_HAND_HINT,
    CommandProblem.SIGNAL: _BY_HAND_HINT,
    CommandProblem.NOT_STARTED: "check it in the config, and run it by hand",
}


def run_secret_command(
    reference: SecretReference,
    environ: dict[str, str],
    *,
    timeout_s: float = COMMAND_TIMEOUT_S,
    terminal: bool = False,
    stopped: threading.Event | None = None,
) -> bytes:
    """What the command prints. Raises SecretReadError; blocks for at most `timeout_s`, or until `stopped` is set.

    With `terminal` it stays a job of this terminal, where there is one, and gets the keyboard while it runs.
    """
    if os.name != "posix":
        raise ConfigError(
            "a command for a secret needs a POSIX system", hint="use the keyring or a variable on this one"
        )
    tty = _open_terminal() if terminal else None
    try:
        process = _start(reference, environ, own_session=tty is None)
        # with it open, an error while the output is read leaves no process behind
        with _ended(process), _foreground(tty, process.pid):
            return _read_output(reference, process, timeout_s, stopped or threading.Event())
    finally:
        if tty is not None:
            os.close(tty)


def _start(reference: SecretReference, environ: dict[str, str], *, own_session: bool) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - the config's owner chose it, and no shell reads it
            reference.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=environ,
            start_new_session=own_session,
            process_group=None if own_session else 0,
        )
    except FileNotFoundError:
        raise _error(reference, CommandProblem.NOT_FOUND, "is not there") from None
    except PermissionError:
        raise _error(reference, CommandProblem.NOT_EXECUTABLE, "may not be executed") from None
    except OSError as error:
        text = f"cannot be started: {error.strerror or 'the system does not say why'}"
        problem = CommandProblem.NOT_EXECUTABLE if error.errno == errno.ENOEXEC else CommandProblem.NOT_STARTED
        raise _error(reference, problem, text) from None
    except ValueError:
        raise _error(reference, CommandProblem.NOT_STARTED, "cannot be started: it is no valid command line") from None


def _read_output(
    reference: SecretReference, process: subprocess.Popen[bytes], timeout_s: float, stopped: threading.Event
) -> bytes:
    deadline = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        pipes = _Pipes(selector, process)
        ended = False
        # what was printed before the end is there at the end
        while pipes.read(0 if ended else _LOOK_INTERVAL_S) or not ended:
            if len(pipes.output) > MAX_OUTPUT_BYTES:
                raise _error(reference, CommandProblem.TOO_MUCH_OUTPUT, f"prints more than {MAX_OUTPUT_BYTES:,} bytes")
            if stopped.is_set():
                raise _error(reference, CommandProblem.STOPPED, "was stopped, since this process ends")
            if time.monotonic() > deadline:
                text = f"was not done within {timeout_s:g} s, and was stopped"
                raise _error(reference, CommandProblem.TIMEOUT, text, said=pipes.has_errors)
            ended = process.poll() is not None
    _check_exit(reference, process.returncode, said=pipes.has_errors)
    return bytes(pipes.output)


class _Pipes:
    """Standard output and error of a process."""

    def __init__(self, selector: selectors.BaseSelector, process: subprocess.Popen[bytes]) -> None:
        self.output = bytearray()
        self.has_errors = False
        """Whether anything came on standard error; it is thrown away."""
        self._selector = selector
        for stream, is_output in ((process.stdout, True), (process.stderr, False)):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                selector.register(stream.fileno(), selectors.EVENT_READ, is_output)

    def read(self, wait_s: float) -> bool:
        """Read what has come, or comes within this time; whether anything did."""
        if not self._selector.get_map():
            time.sleep(wait_s)
            return False
        came = False
        for key, _ in self._selector.select(wait_s):
            data = _read_some(key.fd)
            if data == b"":
                self._selector.unregister(key.fd)
            elif data:
                came = True
                if key.data:
                    self.output += data
                else:
                    self.has_errors = True
        return came


def _read_some(fd: int) -> bytes | None:
    """What has come; empty at its end, None for nothing yet."""
    try:
        return os.read(fd, _READ_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _check_exit(reference: SecretReference, code: int, *, said: bool) -> None:
    if code == -signal.SIGINT:
        raise KeyboardInterrupt  # Ctrl-C went to it, since it had the terminal
    if code < 0:
        raise _error(reference, CommandProblem.SIGNAL, f"was killed by signal {-code}", said=said)
    if code:
        raise _error(reference, CommandProblem.EXIT_CODE, f"ended with exit code {code}", said=said)


def _error(reference: SecretReference, problem: CommandProblem, text: str, *, said: bool = False) -> SecretReadError:
    wrote = ", and wrote to its error output" if said else ""
    return SecretReadError(f"{reference.label} {text}{wrote}", hint=_HINTS.get(problem, ""))


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kill the command with its children where it has not ended well; its pipes are closed in any case."""
    try:
        yield
    except BaseException:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _open_terminal() -> int | None:
    """The terminal of this process, if this is the job that has its keyboard."""
    try:
        tty = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.tcgetpgrp(tty) == os.getpgrp():
            return tty
    except OSError:
        pass
    os.close(tty)
    return None


@contextmanager
def _foreground(tty: int | None, group: int) -> Iterator[None]:
    """Give the keyboard to the process group, and take it back."""
    if tty is None:
        yield
        return
    _give_terminal(tty, group)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGCONT)  # it may have asked, and been stopped, before it had the keyboard
    try:
        yield
    finally:
        _give_terminal(tty, os.getpgrp())


def _give_terminal(tty: int, group: int) -> None:
    # a process that is not in the foreground would be stopped by SIGTTOU
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        with suppress(OSError):
            os.tcsetpgrp(tty, group)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
