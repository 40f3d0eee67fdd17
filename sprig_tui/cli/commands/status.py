"""Command `status`: lanes, counts and live workers, once or repeatedly."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.context import existing_journal_session, journal_exists, open_settings, run_within_read_timeout
from sprig_tui.cli.options import DURATION_TYPE, command, json_option
from sprig_tui.errors import ExitCode, JournalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.records import Counts, Lane, State, WorkerInfo, WorkerLeases
    from sprig_tui.reconcile.model import EnvironmentReport

DEFAULT_INTERVAL_S = 2.0
"""Seconds between two updates of `--watch`."""
MIN_INTERVAL_S = 0.2


@command("status")
@json_option
@click.option(
    "--watch",
    type=DURATION_TYPE,
    is_flag=False,
    flag_value=DEFAULT_INTERVAL_S,
    metavar="[SECONDS]",
    help="Look again so often (2s), until Ctrl-C.",
)
def status(as_json: bool, watch: float | None) -> int:
    """What the journal holds, how the lanes stand, and who is at work on it.

    For each environment: its lane, deliveries by state, how many are leased to a worker, and for how long the one at
    the head of the queue has been there. Then the live workers of every machine that shares the journal: each
    `run`, `listen`, console and their like that was heard of within 30 s.

    With --json: one object, with --watch one per look. Exit code 1 when a lane is held or paused: nothing is sent there
    until somebody looks, or a probe gets through. 3 when the journal's server does not answer, 2 when the journal
    cannot be used.
    """
    return asyncio.run(_status(as_json=as_json, watch=watch))


async def _status(*, as_json: bool, watch: float | None) -> int:
    settings = open_settings(quiet=True)
    if watch is not None:
        await _watch_status(settings, max(watch, MIN_INTERVAL_S), as_json=as_json)
        return ExitCode.OK
    async with existing_journal_session(settings) as journal:
        found = await _take_snapshot(journal, settings)
    _write_snapshot(found, as_json=as_json)
    return ExitCode.REJECTED if any(found.is_paused(name) for name in found.names) else ExitCode.OK


async def _watch_status(settings: Settings, interval_s: float, *, as_json: bool) -> None:
    """Update until cancelled. A journal that cannot be read is reported once; a new one is shown when it exists."""
    told, looks = "", 0
    while True:
        async with existing_journal_session(settings) as journal:
            while True:
                try:
                    found = await _take_snapshot(journal, settings)
                except JournalError as error:
                    if error.message != told:
                        diagnostics.warning(f"trying again: {error.message}", error.hint)
                    told = error.message
                else:
                    told = ""
                    looks += 1
                    if not as_json and not output.clear() and looks > 1:
                        output.write_line()
                    _write_snapshot(found, as_json=as_json)
                    output.flush()
                await asyncio.sleep(interval_s)
                if journal is None and journal_exists(settings):
                    break


class _StatusSnapshot:
    """State of the journal at one moment."""

    def __init__(
        self,
        settings: Settings,
        counts: Counts,
        lanes: dict[str, Lane],
        oldest: dict[str, int],
        workers: tuple[WorkerInfo, ...],
        orphans: tuple[WorkerLeases, ...],
        repaired: dict[str, dict[State, int]],
    ) -> None:
        from sprig_tui.clock import SystemClock
        from sprig_tui.config.paths import find_paths
        from sprig_tui.config.reload import read_held_notes
        from sprig_tui.config.token_rejection import TokenRejectionStore
        from sprig_tui.delivery.hold import hold_of

        self.settings = settings
        self.counts = counts
        self.lanes = lanes
        self.oldest = oldest
        self.workers = workers
        self.orphans = orphans
        self.repaired = repaired
        self.held_configs = read_held_notes(find_paths())
        self.token_rejection = TokenRejectionStore(find_paths().state_dir, settings.workspace).load()
        self.holds = {
            name: hold for name, lane in lanes.items() if name and (hold := hold_of(lane, counts, oldest)) is not None
        }
        self.comparisons = _last_comparisons(settings)
        """The last comparison of each environment with Segment's counts, and when it was."""
        self.now = SystemClock().now()
        known = {*counts.by_environment, *lanes}
        self.names = [*settings.environments, *sorted(known - {*settings.environments, ""})]
        if any(counts.by_environment.get("", {}).values()):
            self.names.append("")

    def lane_text(self, name: str) -> str:
        """The lane in words."""
        from sprig_tui.formatting import format_duration

        lane, found = self.lanes.get(name), self.settings.environments.get(name)
        if not name:
            return "-"
        if lane is None or lane.state == "open":
            return "open" if found is None or found.write_key is not None else "open, no key here"
        if name in self.holds:
            return "held"
        left = max(0, lane.until - self.now) // 1000
        wait = f" {format_duration(left)}" if lane.state == "waiting" and left else ""
        wait = f", tried again in {format_duration(left)}" if lane.state == "paused" and left else wait
        return f"{lane.state}{wait}: {lane.cause}" if lane.cause else f"{lane.state}{wait}"

    def is_paused(self, name: str) -> bool:
        """Whether the lane is held or paused, with at most a probe now and then."""
        lane = self.lanes.get(name)
        return lane is not None and (lane.state == "paused" or lane.pauses > 0)

    def waited_s(self, name: str) -> float | None:
        """Seconds since the oldest queued delivery was added; None where none is queued."""
        return max(0, self.now - self.oldest[name]) / 1000 if name in self.oldest else None


def _last_comparisons(settings: Settings) -> dict[str, tuple[int, EnvironmentReport]]:
    from sprig_tui.config.paths import find_paths
    from sprig_tui.reconcile.last_report import load_by_environment

    return {
        found.environment: (report.asked_at, found)
        for report in load_by_environment(find_paths()).values()
        for found in report.environments
        if found.environment in settings.environments
    }


async def _take_snapshot(journal: Journal | None, settings: Settings) -> _StatusSnapshot:
    """Raises JournalError."""
    if journal is None:
        from sprig_tui.journal.records import Counts

        return _StatusSnapshot(settings, Counts(by_environment={}), {}, {}, (), (), {})
    return await run_within_read_timeout(_read_snapshot(journal, settings), settings)


async def _read_snapshot(journal: Journal, settings: Settings) -> _StatusSnapshot:
    from sprig_tui.delivery.worker_table import orphaned_leases

    return _StatusSnapshot(
        settings,
        await journal.counts(),
        await journal.lanes(),
        await journal.oldest_queued(),
        await journal.workers(),
        await orphaned_leases(journal),
        await journal.repaired(),
    )


def _write_snapshot(snapshot: _StatusSnapshot, *, as_json: bool) -> None:
    if as_json:
        output.write_json(_snapshot_json(snapshot))
        return
    from sprig_tui.cli.log_format import fit_text

    width = output.terminal_columns()
    for line in _snapshot_lines(snapshot):
        output.write_line(fit_text(line, width).rstrip() if width else line)


def _snapshot_lines(snapshot: _StatusSnapshot) -> Iterator[str]:
    from sprig_tui.config.token_rejection import REJECTED_HINT
    from sprig_tui.delivery.worker_table import format_orphaned_leases, format_table, format_workers, summarize_workers
    from sprig_tui.formatting import format_duration
    from sprig_tui.journal.records import State
    from sprig_tui.text import one_line

    headings = ("environment", *(state.value for state in State), "leased", "oldest", "lane")
    rows = []
    for name in snapshot.names:
        states = snapshot.counts.by_environment.get(name, {})
        waited = snapshot.waited_s(name)
        rows.append(
            (
                one_line(name, limit=24) or "(unknown)",
                *(f"{states.get(state, 0):,}" for state in State),
                f"{snapshot.counts.leased.get(name, 0):,}",
                "-" if waited is None else format_duration(round(waited)),
                one_line(snapshot.lane_text(name), limit=200),
            )
        )
    yield from format_table(headings, rows, right_aligned=frozenset(headings[1:-1]))
    yield ""
    for name, hold in snapshot.holds.items():
        yield f"{one_line(name, limit=24)} is {hold.text(snapshot.now)}: {hold.queue_text(snapshot.now)}"
        yield f"  sprig-tui log is:held shows them, sprig-tui resume {one_line(name, limit=24)} sends them"
    for name in dict.fromkeys(lease.environment for lease in snapshot.orphans):
        leased = format_orphaned_leases([lease for lease in snapshot.orphans if lease.environment == name])
        yield f"{one_line(name, limit=24)}: {leased}; then others send them"
    for note in snapshot.held_configs:
        yield f"process {note.pid} goes on with the config from before: {one_line(note.why, limit=300)}"
    if snapshot.token_rejection is not None:
        yield f"{snapshot.token_rejection.message}; {REJECTED_HINT}"
    for name, number in sorted(snapshot.counts.queued_elsewhere.items()):
        yield f"{one_line(name, limit=24)}: {number:,} of the queued go only to the address of a run with --endpoint"
        yield "  sprig-tui run with that --endpoint delivers them, sprig-tui withdraw takes them back"
    yield from _share_lines(snapshot)
    yield from _comparison_lines(snapshot)
    yield summarize_workers(snapshot.workers)
    if snapshot.workers:
        yield from format_workers(snapshot.workers, snapshot.now)
    elif any(states.get(State.QUEUED) for states in snapshot.counts.by_environment.values()):
        yield "  sprig-tui run delivers what is queued"


def _share_lines(snapshot: _StatusSnapshot) -> Iterator[str]:
    """Those of the counted deliveries that need nothing any more."""
    from sprig_tui.text import one_line

    for name, forgotten in sorted(snapshot.counts.forgotten.items()):
        shown = one_line(name, limit=24) or "(unknown)"
        yield f"{shown}: of these, {_state_counts(forgotten)} are of forgotten persons"
    for name, repaired in sorted(snapshot.repaired.items()):
        shown = one_line(name, limit=24) or "(unknown)"
        yield f"{shown}: of these, {_state_counts(repaired)} are repaired: another delivery takes their place"
    if snapshot.repaired:
        yield "  sprig-tui log status:failed,withheld -is:repaired shows what is left to repair"


def _state_counts(numbers: Mapping[State, int]) -> str:
    """Such as `3 delivered, 1 withheld`."""
    return ", ".join(f"{number:,} {state.value}" for state, number in numbers.items() if number)


def _comparison_lines(snapshot: _StatusSnapshot) -> Iterator[str]:
    """The last comparison of environments that had something to compare."""
    from sprig_tui.cli.commands.reconcile_text import verdict_sentence
    from sprig_tui.formatting import time_ago

    for name, (at, found) in snapshot.comparisons.items():
        if found.source_id:
            yield f"{name}, compared with Segment {time_ago(at, snapshot.now)}: {verdict_sentence(found)}"


def _snapshot_json(snapshot: _StatusSnapshot) -> dict[str, Any]:
    import msgspec

    from sprig_tui.cli.commands.hold import hold_json
    from sprig_tui.formatting import iso_time
    from sprig_tui.journal.records import Lane, State

    environments = {}
    for name in snapshot.names:
        lane = snapshot.lanes.get(name) or Lane(environment=name)
        states = snapshot.counts.by_environment.get(name, {})
        waited = snapshot.waited_s(name)
        environments[name] = {
            "lane": lane.state if name else None,
            "cause": lane.cause,
            "reason": lane.reason or None,
            "until": iso_time(lane.until) if lane.state != "open" and lane.until > 1 else None,
            "held": hold_json(snapshot.holds.get(name)),
            "failures": lane.failures,
            "last_status": lane.last_status or None,
            "last_at": iso_time(lane.last_at),
            **{state.value: states.get(state, 0) for state in State},
            "queued_elsewhere": snapshot.counts.queued_elsewhere.get(name, 0),
            "forgotten": snapshot.counts.forgotten.get(name, {}),
            "repaired": snapshot.repaired.get(name, {}),
            "leased": snapshot.counts.leased.get(name, 0),
            "oldest_queued_seconds": waited,
            "compared": _comparison_json(snapshot, name),
        }
    workers = []
    for worker in snapshot.workers:
        fields = msgspec.structs.asdict(worker)
        times = {"started_at": iso_time(worker.started_at), "seen_at": iso_time(worker.seen_at)}
        workers.append({**fields, **times, "rate": round(worker.rate, 1)})
    orphans = [{**msgspec.structs.asdict(hold), "until": iso_time(hold.until)} for hold in snapshot.orphans]
    held = [
        {"pid": note.pid, "why": note.why, "hint": note.hint, "since": iso_time(note.since)}
        for note in snapshot.held_configs
    ]
    rejection = snapshot.token_rejection
    return {
        "at": iso_time(snapshot.now),
        "environments": environments,
        "workers": workers,
        "held_by_gone": orphans,
        "config_held": held,
        "token_rejected_at": iso_time(rejection.rejected_at) if rejection is not None else None,
    }


def _comparison_json(snapshot: _StatusSnapshot, name: str) -> dict[str, Any] | None:
    from sprig_tui.formatting import iso_time

    if name not in snapshot.comparisons:
        return None
    at, found = snapshot.comparisons[name]
    return {"at": iso_time(at), "verdict": found.verdict, "short": found.short, "obstacle": found.obstacle or None}
