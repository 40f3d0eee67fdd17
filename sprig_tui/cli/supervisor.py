"""Supervisor of `run --workers N`: starts N processes, restarts those that die, and stops them together."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import click
import msgspec
from msgspec import Struct

from sprig_tui.cli import diagnostics, output, style
from sprig_tui.errors import ExitCode, SprigTuiError
from sprig_tui.formatting import format_duration

if TYPE_CHECKING:
    from sprig_tui.delivery.metrics import DeliveryMetrics
    from sprig_tui.segment.client import SendResult


_MAX_UNSENT_BYTES = 1_000_000
"""Bytes buffered for a supervisor that does not read. Further results are dropped, so that delivery never waits."""


class ResultReport(Struct, frozen=True, array_like=True, gc=False):
    """One result of a request, as the supervisor counts it."""

    environment: str
    kind: str
    status: int
    latency_ms: float
    unconfirmed: bool = False
    """As in `SendResult.unconfirmed`."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ResultReport).decode


class WorkerChannel:
    """The worker's end of the socket to its supervisor."""

    def __init__(self, descriptor: int) -> None:
        try:
            self._socket = socket.socket(fileno=descriptor)
        except OSError as error:
            raise click.UsageError(f"--supervised is for the workers of run --workers: {error.strerror}") from error

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(sock=self._socket)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    def send(self, environment: str, result: SendResult) -> None:
        """Send a result to the supervisor without waiting."""
        if self._writer.transport.get_write_buffer_size() < _MAX_UNSENT_BYTES:
            report = ResultReport(environment, result.kind, result.status, result.latency_ms, result.unconfirmed)
            self._writer.write(_encode(report) + b"\n")

    async def wait_closed(self) -> None:
        """Return when the supervisor has exited."""
        try:
            while await self._reader.read(4096):
                pass
        except OSError:
            return


async def read_reports(reader: asyncio.StreamReader) -> AsyncIterator[ResultReport]:
    """The supervisor's end: results of one worker, until it exits."""
    try:
        while (line := await reader.readline()).endswith(b"\n"):
            yield _decode(line)
    except OSError:
        return


MIN_RESTART_BACKOFF_S = 0.5
MAX_RESTART_BACKOFF_S = 30.0
"""Seconds before a dead worker is restarted, doubled each time."""
RESET_BACKOFF_AFTER_S = 60.0
"""Seconds of uptime after which the restart backoff is reset."""
STOP_TIMEOUT_S = 6.5
KILL_TIMEOUT_S = 0.5
"""Seconds that workers get to exit: after a clean stop, and after an abort."""
_MAX_LINE_BYTES = 65_536


class Supervisor:
    """Keeps `number` workers alive until it is stopped; they exit when it is killed.

    The answers that Segment gave to any of them are counted in `metrics`, and so is each new start.
    """

    def __init__(self, number: int, metrics: DeliveryMetrics | None = None) -> None:
        tally = _WorkerMetrics(metrics) if metrics is not None else None
        self._workers = [_WorkerProcess(place, tally) for place in range(1, number + 1)]
        self._tasks: list[asyncio.Task[int]] = []

    async def run(self, stop_requested: asyncio.Event) -> None:
        """Start all workers, and restart them until the event is set, or until an internal error that `stop` raises."""
        self._tasks = [asyncio.create_task(worker.run()) for worker in self._workers]
        asking = asyncio.create_task(stop_requested.wait())
        await asyncio.wait((asking, *self._tasks), return_when=asyncio.FIRST_COMPLETED)
        asking.cancel()

    def reload(self) -> None:
        """Let all workers reload their config."""
        for worker in self._workers:
            worker.reload()

    async def stop(self, kill_requested: asyncio.Event) -> int:
        """Stop all workers cleanly, or abort once the event is set; returns the worst of their exit codes."""
        for worker in self._workers:
            worker.stop()
        insisting = asyncio.create_task(kill_requested.wait())
        ending = asyncio.gather(*self._tasks)
        await asyncio.wait((ending, insisting), timeout=STOP_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        insisting.cancel()
        if not ending.done():
            for worker in self._workers:
                worker.stop()
            await asyncio.wait((ending,), timeout=KILL_TIMEOUT_S)
        if not ending.done():
            for worker in self._workers:
                worker.kill()
        return max(await ending)


class _WorkerMetrics:
    """The workers' results in the supervisor's metrics."""

    def __init__(self, metrics: DeliveryMetrics) -> None:
        from prometheus_client import Counter

        self._metrics = metrics
        self._restarts = Counter(
            "sprig_tui_worker_restarts", "Workers started again after they died.", registry=metrics.registry
        )

    def record_result(self, report: ResultReport) -> None:
        """Count one result of a worker."""
        self._metrics.record_attempt(
            report.environment, report.kind, report.status, report.latency_ms, unconfirmed=report.unconfirmed
        )

    def record_restart(self) -> None:
        """Count one restart."""
        self._restarts.inc()


class _WorkerProcess:
    """One worker slot: a process and its successors."""

    def __init__(self, number: int, metrics: _WorkerMetrics | None) -> None:
        self._number = number
        self._metrics = metrics
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    def stop(self) -> None:
        """Ask the process to stop; it is not restarted. A repeated call asks again."""
        self._stopping.set()
        self._send_signal(signal.SIGTERM)

    def reload(self) -> None:
        """Let the process reload its config."""
        self._send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """Kill the process; other workers take over its deliveries when their leases expire."""
        self._send_signal(signal.SIGKILL)

    def _send_signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def run(self) -> int:
        """Run a process, restarting it until stopped; returns the last exit code."""
        pause = MIN_RESTART_BACKOFF_S
        while True:
            began = time.monotonic()
            code, how = await self._run_once()
            if self._stopping.is_set():
                return code
            if time.monotonic() - began >= RESET_BACKOFF_AFTER_S:
                pause = MIN_RESTART_BACKOFF_S
            diagnostics.warning(f"worker {self._number} {how}; another takes its place in {format_duration(pause)}")
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
            if self._stopping.is_set():
                return ExitCode.OK
            if self._metrics is not None:
                self._metrics.record_restart()
            pause = min(2 * pause, MAX_RESTART_BACKOFF_S)

    async def _run_once(self) -> tuple[int, str]:
        """Run one process; returns its exit code and a text on how it ended."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = process = await asyncio.create_subprocess_exec(
                    *_command_line(theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,  # a terminal's Ctrl-C is for the supervisor alone, which passes it on
                )
        except OSError as error:
            ours.close()
            return ExitCode.USAGE, f"could not be started ({error.strerror})"
        if self._stopping.is_set():
            self.stop()  # asked while it was being started
        reader, writer = await asyncio.open_connection(sock=ours)
        assert process.stdout is not None  # noqa: S101 - piped above
        assert process.stderr is not None  # noqa: S101 - piped above
        try:
            await asyncio.gather(
                _forward_lines(process.stdout, self._write_stdout),
                _forward_lines(process.stderr, lambda line: diagnostics.write(f"[{self._number}] {line}\n")),
                self._read_reports(reader),
            )
            code = await process.wait()
        finally:
            writer.close()
            self._process = None
        return self._exit_status(code, process.pid)

    def _write_stdout(self, line: str) -> None:
        """Discard the worker's stdout, which is normally empty, so that it cannot block."""
        with suppress(output.StdoutClosedError, SprigTuiError):
            output.write_line(f"[{self._number}] {line}")
            output.flush()

    async def _read_reports(self, reader: asyncio.StreamReader) -> None:
        async for report in read_reports(reader):
            if self._metrics is not None:
                self._metrics.record_result(report)

    def _exit_status(self, code: int, pid: int) -> tuple[int, str]:
        if code >= 0:
            return code, f"(pid {pid}) ended with exit code {code}"
        early = self._stopping.is_set() and code == -signal.SIGTERM  # before its signal handlers were installed
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return ExitCode.OK if early else ExitCode.INTERRUPTED, f"(pid {pid}) was killed ({name})"


def _command_line(descriptor: int) -> list[str]:
    colour = ["--color", "always"] if style.color_enabled(sys.stderr) else []
    return [sys.executable, *sys.orig_argv[1:], *colour, "--supervised", str(descriptor)]


async def _forward_lines(stream: asyncio.StreamReader, write: Callable[[str], None]) -> None:
    """Write each line of the stream until EOF; an endless line is written in pieces."""
    rest = b""
    while chunk := await stream.read(_MAX_LINE_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) >= _MAX_LINE_BYTES:
            lines, rest = [*lines, rest], b""
        for line in lines:
            write(line.decode(errors="replace"))
    if rest:
        write(rest.decode(errors="replace"))
