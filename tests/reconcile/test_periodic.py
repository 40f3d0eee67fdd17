"""Comparisons in the background: when they are due, which process asks, and what a failure does."""

from __future__ import annotations

import asyncio
import logging

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry, generate_latest
from support.clocks import NOW_MS, ManualClock

from sprig_tui.config.paths import paths_in_folder
from sprig_tui.config.settings import load_settings
from sprig_tui.errors import SegmentApiError
from sprig_tui.reconcile import last_report
from sprig_tui.reconcile.metrics import ReconcileMetrics
from sprig_tui.reconcile.model import Bucket, EnvironmentReport, Obstacle, Report, Verdict
from sprig_tui.reconcile.periodic import LOOK_INTERVAL_S, PeriodicComparison

HOUR = 3_600_000
CONFIG = """
[environments.production]
write_key = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
[segment]
public_api_token = "sgp_inventedTokenOfTheWorkspace0123456789abcdefghijk"
[reconcile]
every = "15m"
"""


def bucket(hour: int, **fields) -> Bucket:
    return Bucket(start=NOW_MS + hour * HOUR, end=NOW_MS + (hour + 1) * HOUR, **fields)


def report(asked_at: int, *names: str, **fields) -> Report:
    fields = {
        "verdict": Verdict.SHORT,
        "short": 3,
        "buckets": (
            bucket(-3, distinct=500, sends=510, received=497, verdict=Verdict.SHORT, short=3),
            bucket(-2, distinct=20, sends=20, received=20, verdict=Verdict.AGREES),
            bucket(-1, distinct=9, sends=9, received=1, verdict=Verdict.TOO_YOUNG),
        ),
        **fields,
    }
    return Report(
        asked_at=asked_at,
        since=NOW_MS - 24 * HOUR,
        until=NOW_MS,
        event="Answered",
        environments=tuple(EnvironmentReport(environment=name, **fields) for name in names or ("production",)),
    )


@pytest.fixture
def paths(tmp_path):
    found = paths_in_folder(str(tmp_path / "home"))
    found.config_file.parent.mkdir()
    found.config_file.write_text(CONFIG)
    found.config_file.chmod(0o600)
    return found


@pytest.fixture
def clock():
    return ManualClock()


class Asking:
    """Answers comparisons, and counts them."""

    def __init__(self, clock, answer=report):
        self.asked = 0
        self.was_asked = asyncio.Event()
        self.answer = answer
        self._clock = clock

    async def __call__(self, _settings):
        self.asked += 1
        self.was_asked.set()
        await asyncio.sleep(0)
        return self.answer(self._clock.now())


class Process:
    """One process with its registry."""

    def __init__(self, paths, clock, compare):
        self.registry = CollectorRegistry()
        self.comparison = PeriodicComparison(
            load_settings(paths, {}), paths, ReconcileMetrics(self.registry, clock), compare, clock=clock
        )

    def metrics(self):
        lines = generate_latest(self.registry).decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name.removeprefix("sprig_tui_reconcile_"): float(value) for name, value in pairs}


async def test_metrics_are_those_of_the_last_comparison(paths, clock):
    process = Process(paths, clock, Asking(clock))
    assert process.metrics() == {"failed": 0}
    assert await process.comparison.step() == LOOK_INTERVAL_S
    clock.advance(90)
    assert process.metrics() == {
        'sent{environment="production"}': 520,
        'received{environment="production"}': 517,
        'short{environment="production"}': 3,
        'compared{environment="production"}': 1,
        'age_seconds{environment="production"}': 90,
        "failed": 0,
    }
    assert last_report.load(paths).environments[0].short == 3


async def test_it_asks_again_only_after_the_interval(paths, clock):
    asking = Asking(clock)
    process = Process(paths, clock, asking)
    for seconds, asked in ((0, 1), (14 * 60 + 59, 1), (1, 2), (1, 2)):
        clock.advance(seconds)
        await process.comparison.step()
        assert asking.asked == asked
    clock.advance(14 * 60 + 30)
    assert await process.comparison.step() == 29


async def test_of_several_processes_one_asks(paths, clock):
    asking = Asking(clock)
    processes = [Process(paths, clock, asking) for _ in range(3)]
    await asyncio.gather(*(process.comparison.step() for process in processes))
    assert asking.asked == 1
    for process in processes:
        await process.comparison.step()
        assert process.metrics()['short{environment="production"}'] == 3
    assert asking.asked == 1


async def test_report_of_a_command_counts_but_not_one_of_another_environment(paths, clock):
    asking = Asking(clock)
    process = Process(paths, clock, asking)
    last_report.save(paths, report(clock.now() - 60_000, "development"))
    await process.comparison.step()
    assert asking.asked == 1
    clock.advance(16 * 60)
    last_report.save(paths, report(clock.now() - 60_000, "production"))
    await process.comparison.step()
    assert asking.asked == 1
    assert process.metrics()['age_seconds{environment="production"}'] == 60


async def test_report_from_the_future_is_not_waited_for(paths, clock):
    asking = Asking(clock)
    last_report.save(paths, report(clock.now() + 365 * 24 * HOUR))
    await Process(paths, clock, asking).comparison.step()
    assert asking.asked == 1


def unreachable(asked_at):
    return report(
        asked_at, verdict=Verdict.CANNOT_ASK, obstacle=Obstacle.UNREACHABLE, detail="no route to host", buckets=()
    )


def rejected(_asked_at):
    raise SegmentApiError("Segment's Public API refused the token", hint="make another")


@pytest.mark.parametrize(("answer", "text"), [(unreachable, "no route to host"), (rejected, "refused the token")])
async def test_failure_is_one_log_line_and_a_gauge(paths, clock, caplog, answer, text):
    asking = Asking(clock)
    process = Process(paths, clock, asking)
    await process.comparison.step()
    asking.answer = answer
    with caplog.at_level(logging.WARNING):
        for asked in (1, 2, 2, 3):
            clock.advance(8 * 60)
            await process.comparison.step()
            assert asking.asked == asked, "it is tried again after the interval"
    assert [text in record.getMessage() for record in caplog.records] == [True], "the same failure is said once"
    assert process.metrics()["failed"] == 1
    assert process.metrics()['short{environment="production"}'] == 3, "the comparison before it stands, with its age"
    asking.answer = report
    clock.advance(15 * 60)
    await process.comparison.step()
    assert process.metrics()["failed"] == 0


async def test_environment_that_cannot_be_asked_has_no_counts(paths, clock):
    asking = Asking(clock, lambda at: report(at, verdict=Verdict.CANNOT_ASK, obstacle=Obstacle.PERMISSION, buckets=()))
    process = Process(paths, clock, asking)
    await process.comparison.step()
    assert process.metrics() == {
        'compared{environment="production"}': 0,
        'age_seconds{environment="production"}': 0,
        "failed": 0,
    }


@pytest.mark.parametrize("removed", ["every = ", "public_api_token", "write_key"])
async def test_nothing_is_asked_without_interval_token_or_key(paths, clock, removed):
    paths.config_file.write_text("".join(line for line in CONFIG.splitlines(True) if not line.startswith(removed)))
    asking = Asking(clock)
    assert await Process(paths, clock, asking).comparison.step() is None
    assert asking.asked == 0


async def test_errors_of_the_program_do_not_end_it(paths, clock, caplog):
    asked = asyncio.Event()

    async def broken(_settings):
        asked.set()
        raise ZeroDivisionError("a bug")

    process = Process(paths, clock, broken)
    running = asyncio.create_task(process.comparison.run())
    async with asyncio.timeout(20):
        await asked.wait()
        asked.clear()
        process.comparison.reconfigure(load_settings(paths, {}))
        await asked.wait()
    assert not running.done()
    assert process.metrics()["failed"] == 1
    running.cancel()
    assert "ZeroDivisionError: a bug" in caplog.text


async def test_a_stop_cancels_it_at_once_and_leaves_the_turn_to_others(paths, clock):
    asked = asyncio.Event()

    async def hanging(_settings):
        asked.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(Process(paths, clock, hanging).comparison.run())
    async with asyncio.timeout(20):
        await asked.wait()
        asking = Asking(clock)
        other = Process(paths, clock, asking)
        assert await other.comparison.step() == LOOK_INTERVAL_S
        assert asking.asked == 0, "one is asking already"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await other.comparison.step()
    assert asking.asked == 1


async def test_new_settings_are_used_at_once(paths, clock):
    asking = Asking(clock)
    process = Process(paths, clock, asking)
    settings = load_settings(paths, {})
    process.comparison.reconfigure(replace(settings, reconcile_every_s=0.0))
    running = asyncio.create_task(process.comparison.run())
    await asyncio.sleep(0)
    process.comparison.reconfigure(settings)
    async with asyncio.timeout(20):
        await asking.was_asked.wait()
    running.cancel()
