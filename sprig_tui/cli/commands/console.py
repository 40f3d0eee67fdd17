"""Start of the console with its dependencies, so that the console imports neither a database driver nor HTTP."""

from __future__ import annotations

import asyncio
import importlib
import logging
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sprig_tui.cli import diagnostics, terminal_input
from sprig_tui.cli.context import read_secrets
from sprig_tui.console.run import run_console, without_garbage_collection
from sprig_tui.errors import ConfigError, ExitCode
from sprig_tui.formatting import format_duration

if TYPE_CHECKING:
    from sprig_tui.config.paths import Paths
    from sprig_tui.config.settings import Settings
    from sprig_tui.console.session import CountsRange
    from sprig_tui.console.setup.services import SetupServices
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.explain.model import Line
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.records import DeliveryDetail
    from sprig_tui.reconcile.model import Report
    from sprig_tui.reconcile.queries import Progress
    from sprig_tui.segment.public_api_models import Source
    from sprig_tui.sprig.held_input import InputSource

STDIN = "-"
_log = logging.getLogger(__name__)


def can_open() -> bool:
    """Whether there is a terminal to open it on."""
    return sys.stdin.isatty() and sys.stdout.isatty()


@without_garbage_collection()
def open_console(*, read_only: bool, no_engine: bool, files: tuple[str, ...] = ()) -> int:
    """Run the console; without a terminal, say in a sentence what to use instead.

    Standard input that is piped or redirected is opened like a file, where no file is named or `-` is one of them.
    """
    reads_stdin = STDIN in files or (not files and not sys.stdin.isatty() and terminal_input.brings_answers())
    if reads_stdin and sys.stdin.isatty():
        diagnostics.failure(
            "standard input is this terminal, so there are no answers in it to open",
            "cat FILE | sprig-tui opens those of a pipe; sprig-tui alone opens the console, and answers can be pasted",
        )
        return ExitCode.USAGE
    descriptor = -1
    if not sys.stdin.isatty() and sys.stdout.isatty() and (reads_stdin or files):
        with suppress(OSError):  # no terminal
            descriptor = terminal_input.move_standard_input()
    if not can_open():
        without = "sprig-tui send - -e development sends standard input, and sprig-tui preview - shows what it would be"
        diagnostics.failure(
            "the console needs a terminal",
            without
            if reads_stdin
            else "without one use sprig-tui send, log, run or demo; sprig-tui --help lists them all",
        )
        return ExitCode.USAGE
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.secret_reader import process_secrets
    from sprig_tui.config.settings import load_settings

    paths = find_paths()
    # read before the console has the screen: a command may ask a question here
    settings = read_secrets(load_settings(paths), quiet=True)
    sources = _sources(files or (STDIN,), descriptor, paths) if reads_stdin else files
    return _run_console(
        paths,
        settings,
        lambda: process_secrets.reread(load_settings(paths)),
        sources,
        read_only=read_only,
        engine=not no_engine,
    )


def _sources(files: tuple[str, ...], descriptor: int, paths: Paths) -> tuple[InputSource, ...]:
    """The files, with standard input in the place of `-`; it is read from now on."""
    from sprig_tui.console.payload.standard_input import StandardInput

    if files.count(STDIN) > 1:
        from click import UsageError

        raise UsageError("standard input (-) can be read once only")
    held = StandardInput(descriptor, paths.state_dir)
    held.start()
    return tuple(held if file == STDIN else file for file in files)


@without_garbage_collection()
def run_in_browser(*, read_only: bool, no_engine: bool) -> int:
    """Run the console of one browser; its packets are standard input and output."""
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.secret_reader import process_secrets
    from sprig_tui.config.settings import load_settings

    paths = find_paths()
    settings = read_secrets(load_settings(paths), quiet=True)
    return _run_console(
        paths,
        settings,
        lambda: process_secrets.reread(load_settings(paths)),
        (),
        read_only=read_only,
        engine=not no_engine,
        browser=True,
    )


@without_garbage_collection()
def open_demo(folder: Path, samples: Path) -> int:
    """Run the console on the sample payloads, against a fake Segment in this process; `folder` is thrown away after."""
    from sprig_tui.config.paths import paths_in_folder

    paths = paths_in_folder(str(folder))
    with _sink_in_thread() as url:
        settings = demo_settings(paths, url)
        return _run_console(paths, settings, lambda: settings, (str(samples),), config=False, label="demo")


def demo_settings(paths: Paths, url: str) -> Settings:
    """Production and development, both to the fake Segment, with made-up keys."""
    from sprig_tui.config.settings import make_settings
    from sprig_tui.config.toml_file import ConfigFile

    made_up = {
        name: {"write_key": f"demo{name:x<24}demo"[:32], "endpoint": url} for name in ("production", "development")
    }
    return make_settings(ConfigFile(paths.config_file, b"", {"environments": made_up}, None), paths, {})


def _run_console(
    paths: Paths,
    settings: Settings,
    load: Callable[[], Settings],
    files: tuple[InputSource, ...],
    *,
    label: str = "",
    **permissions: bool,
) -> int:
    """`load` reads the settings again."""
    from sprig_tui.console.commands.base import Permissions
    from sprig_tui.console.session import ConsoleDependencies
    from sprig_tui.journal.open import open_journal

    def make_engine(journal: Journal, settings: Settings) -> Engine:
        return _make_engine(journal, settings, paths)

    dependencies = ConsoleDependencies(
        paths,
        load,
        partial(open_journal, key_folder=paths.state_dir),
        make_engine,
        warm_up=_warm_up,
        label=label,
        list_sources=_list_sources,
        # the demo's keys belong to no workspace
        compare_counts=None if label == "demo" else partial(_compare_counts, paths),
        explain=partial(_explain, paths),
        setup=_setup_services,
    )
    return run_console(dependencies, settings, Permissions(**permissions), files=files)


def _make_engine(journal: Journal, settings: Settings, paths: Paths) -> Engine:
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.delivery.suppression_watch import SuppressionWatch

    watch = SuppressionWatch(paths.state_dir, settings.workspace)
    return Engine(journal, settings.environments, settings.delivery, role="console", suppression=watch)


async def _list_sources(settings: Settings) -> tuple[Source, ...]:
    from sprig_tui.cli.workspace import public_api

    # nothing is written while the console has the screen
    async with public_api(settings.workspace, on_wait=lambda _: None) as api:
        return await api.sources()


async def _compare_counts(
    paths: Paths, settings: Settings, journal: Journal, wanted: CountsRange, on_progress: Callable[[str], None]
) -> Report:
    from sprig_tui.cli.workspace import public_api
    from sprig_tui.clock import SystemClock
    from sprig_tui.reconcile import last_report, run

    def show(progress: Progress) -> None:
        on_progress(f"{progress.done:,} of {progress.planned:,}: {progress.what}")

    async with public_api(settings.workspace, on_wait=lambda seconds: on_progress(_wait_text(seconds))) as api:
        report = await run.reconcile(
            settings,
            journal,
            api,
            environments=(),
            since=wanted.since,
            until=wanted.until,
            clock=SystemClock(),
            on_progress=show,
            granularity=wanted.granularity,
            hold_back_ms=round(settings.reconcile_hold_back_s * 1000),
        )
    try:
        await asyncio.to_thread(last_report.save, paths, report)
    except ConfigError as error:
        # it is shown all the same
        _log.warning("the comparison is not kept for later: %s", error.message)
    return report


async def _explain(
    paths: Paths,
    settings: Settings,
    journal: Journal | None,
    detail: DeliveryDetail,
    send_payload: bool,
    on_wait: Callable[[str], None],
) -> AsyncGenerator[Line, None]:
    from sprig_tui.clock import SystemClock
    from sprig_tui.explain import explanation

    lines = explanation.explain(
        detail,
        settings,
        paths,
        clock=SystemClock(),
        send_payload=send_payload,
        on_wait=lambda seconds: on_wait(_wait_text(seconds)),
        journal=journal,
    )
    async for line in lines:
        yield line


def _wait_text(seconds: float) -> str:
    """What the console shows while Segment lets it wait."""
    return f"Segment asks to wait {format_duration(seconds)}"


def _setup_services() -> SetupServices:
    from sprig_tui.cli.setup_services import setup_services

    return setup_services()


def _warm_up() -> None:
    for module in ("sprig_tui.journal.sqlite", "sprig_tui.delivery.engine", "sprig_tui.segment.client"):
        importlib.import_module(module)


@contextmanager
def _sink_in_thread() -> Iterator[str]:
    """A fake Segment on its own thread: the console has the event loop of this one."""
    from sprig_tui.segment.sink import Sink

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fake-segment", daemon=True)
    thread.start()
    sink = Sink(faults=("503@1",))
    asyncio.run_coroutine_threadsafe(sink.start(), loop).result(10)
    try:
        yield sink.url
    finally:
        asyncio.run_coroutine_threadsafe(sink.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
