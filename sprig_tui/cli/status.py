"""`sprig-tui status`: lanes, counts and live workers, at once or again and again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.commands import DURATION, command, json_option
from sprig_tui.cli.opening import journal_exists, journal_to_look_at, open_settings, within_look
from sprig_tui.errors import ExitCode, JournalError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.contract import Journal
    from sprig_tui.journal.records import Counts, Lane, WorkerInfo, WorkerLeases

EVERY = 2.0
"""Seconds between two looks of `--watch`."""
LEAST = 0.2


@command("status")
@json_option
@click.option(
    "--watch",
    type=DURATION,
    is_flag=False,
    flag_value=EVERY,
    metavar="[SECONDS]",
    help="Look again so often (2s), until Ctrl-C.",
)
def status(as_json: bool, watch: float | None) -> int:
    """What the journal holds, how the lanes stand, and who is at work on it.

    For each environment: its lane, deliveries by state, how many are leased to a worker, and for how long the one at
    the head of the queue has been there. Then the live workers of every machine that shares the journal: each
    `run`, `listen`, console and their like that was heard of within 30 s.

    With --json: one object, with --watch one per look. Exit code 1 when a lane is paused: nothing is sent there until
    somebody looks, or a probe gets through. 3 when the journal's server does not answer, 2 when the journal cannot be
    used.
    """
    return asyncio.run(_status(as_json=as_json, watch=watch))


async def _status(*, as_json: bool, watch: float | None) -> int:
    settings = open_settings(quiet=True)
    if watch is not None:
        await _go_on(settings, max(watch, LEAST), as_json=as_json)
        return ExitCode.OK
    async with journal_to_look_at(settings) as journal:
        found = await _look(journal, settings)
    _write(found, as_json=as_json)
    return ExitCode.REJECTED if any(found.is_paused(name) for name in found.names) else ExitCode.OK


async def _go_on(settings: Settings, every: float, *, as_json: bool) -> None:
    """Look until cancelled; a journal that cannot be read for a while is said once, one that is made is taken up."""
    told, looks = "", 0
    while True:
        async with journal_to_look_at(settings) as journal:
            while True:
                try:
                    found = await _look(journal, settings)
                except JournalError as error:
                    if error.message != told:
                        diagnostics.warning(f"trying again: {error.message}", error.hint)
                    told = error.message
                else:
                    told = ""
                    looks += 1
                    if not as_json and not output.clear() and looks > 1:
                        output.write_line()
                    _write(found, as_json=as_json)
                    output.flush()
                await asyncio.sleep(every)
                if journal is None and journal_exists(settings):
                    break


class _Look:
    """What was found at one moment."""

    def __init__(
        self,
        settings: Settings,
        counts: Counts,
        lanes: dict[str, Lane],
        oldest: dict[str, int],
        workers: tuple[WorkerInfo, ...],
        orphans: tuple[WorkerLeases, ...],
    ) -> None:
        from sprig_tui.clock import SystemClock
        from sprig_tui.config.held import read_held_notes
        from sprig_tui.config.paths import find_paths

        self.settings = settings
        self.counts = counts
        self.lanes = lanes
        self.oldest = oldest
        self.workers = workers
        self.orphans = orphans
        self.held = read_held_notes(find_paths())
        self.now = SystemClock().now()
        known = {*counts.by_environment, *lanes}
        self.names = [*settings.environments, *sorted(known - {*settings.environments, ""})]
        if any(counts.by_environment.get("", {}).values()):
            self.names.append("")

    def standing(self, name: str) -> str:
        """The lane in words."""
        from sprig_tui.config.durations import format_duration

        lane, found = self.lanes.get(name), self.settings.environments.get(name)
        if not name:
            return "-"
        if lane is None or lane.state == "open":
            return "open" if found is None or found.write_key is not None else "open, no key here"
        left = max(0, lane.until - self.now) // 1000
        wait = f" {format_duration(left)}" if lane.state == "waiting" and left else ""
        wait = f", tried again in {format_duration(left)}" if lane.state == "paused" and left else wait
        return f"{lane.state}{wait}: {lane.cause}" if lane.cause else f"{lane.state}{wait}"

    def is_paused(self, name: str) -> bool:
        """Whether nothing is sent there, but for a probe now and then."""
        lane = self.lanes.get(name)
        return lane is not None and (lane.state == "paused" or lane.pauses > 0)

    def waited(self, name: str) -> float | None:
        """Seconds since the delivery at the head of the queue came; None where none waits."""
        return max(0, self.now - self.oldest[name]) / 1000 if name in self.oldest else None


async def _look(journal: Journal | None, settings: Settings) -> _Look:
    """Raises JournalError."""
    if journal is None:
        from sprig_tui.journal.records import Counts

        return _Look(settings, Counts(by_environment={}), {}, {}, (), ())
    return await within_look(_looked(journal, settings), settings)


async def _looked(journal: Journal, settings: Settings) -> _Look:
    from sprig_tui.delivery.orphans import orphaned_leases

    return _Look(
        settings,
        await journal.counts(),
        await journal.lanes(),
        await journal.oldest_queued(),
        await journal.workers(),
        await orphaned_leases(journal),
    )


def _write(found: _Look, *, as_json: bool) -> None:
    if as_json:
        output.write_json(_as_json(found))
        return
    from sprig_tui.cli.log_lines import fit

    width = output.columns()
    for line in _lines(found):
        output.write_line(fit(line, width).rstrip() if width else line)


def _lines(found: _Look) -> Iterator[str]:
    from sprig_tui.config.durations import format_duration
    from sprig_tui.delivery.orphans import format_orphaned_leases
    from sprig_tui.delivery.roster import format_table, format_workers, summarize_workers
    from sprig_tui.journal.records import State
    from sprig_tui.text import one_line

    headings = ("environment", *(state.value for state in State), "leased", "oldest", "lane")
    rows = []
    for name in found.names:
        states = found.counts.by_environment.get(name, {})
        waited = found.waited(name)
        rows.append(
            (
                one_line(name, limit=24) or "(unknown)",
                *(f"{states.get(state, 0):,}" for state in State),
                f"{found.counts.leased.get(name, 0):,}",
                "-" if waited is None else format_duration(round(waited)),
                one_line(found.standing(name), limit=200),
            )
        )
    yield from format_table(headings, rows, right_aligned=frozenset(headings[1:-1]))
    yield ""
    for name in dict.fromkeys(hold.environment for hold in found.orphans):
        held = format_orphaned_leases([hold for hold in found.orphans if hold.environment == name])
        yield f"{one_line(name, limit=24)}: {held}; then others send them"
    for one in found.held:
        yield f"process {one.pid} goes on with the config from before: {one_line(one.why, limit=300)}"
    for name, number in sorted(found.counts.queued_elsewhere.items()):
        yield f"{one_line(name, limit=24)}: {number:,} of the queued go only to the address of a run with --endpoint"
        yield "  sprig-tui run with that --endpoint delivers them, sprig-tui withdraw takes them back"
    yield summarize_workers(found.workers)
    if found.workers:
        yield from format_workers(found.workers, found.now)
    elif any(states.get(State.QUEUED) for states in found.counts.by_environment.values()):
        yield "  sprig-tui run delivers what is queued"


def _as_json(found: _Look) -> dict[str, Any]:
    import msgspec

    from sprig_tui.cli.log_lines import iso_time
    from sprig_tui.journal.records import Lane, State

    environments = {}
    for name in found.names:
        lane = found.lanes.get(name) or Lane(environment=name)
        states = found.counts.by_environment.get(name, {})
        waited = found.waited(name)
        environments[name] = {
            "lane": lane.state if name else None,
            "cause": lane.cause,
            "reason": lane.reason or None,
            "until": iso_time(lane.until) if lane.state != "open" and lane.until > 1 else None,
            "failures": lane.failures,
            "last_status": lane.last_status or None,
            "last_at": iso_time(lane.last_at),
            **{state.value: states.get(state, 0) for state in State},
            "queued_elsewhere": found.counts.queued_elsewhere.get(name, 0),
            "leased": found.counts.leased.get(name, 0),
            "oldest_queued_seconds": waited,
        }
    workers = []
    for worker in found.workers:
        fields = msgspec.structs.asdict(worker)
        times = {"started_at": iso_time(worker.started_at), "seen_at": iso_time(worker.seen_at)}
        workers.append({**fields, **times, "rate": round(worker.rate, 1)})
    orphans = [{**msgspec.structs.asdict(hold), "until": iso_time(hold.until)} for hold in found.orphans]
    held = [{"pid": one.pid, "why": one.why, "hint": one.hint, "since": iso_time(one.since)} for one in found.held]
    return {
        "at": iso_time(found.now),
        "environments": environments,
        "workers": workers,
        "held_by_gone": orphans,
        "config_held": held,
    }
