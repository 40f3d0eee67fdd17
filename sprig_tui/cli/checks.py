"""The checks of `doctor` that need no network: config, keys, journal, disk, terminal."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from sprig_tui.cli.opening import journal_to_look_at
from sprig_tui.clock import SystemClock
from sprig_tui.config.document import dotted_key, nearest_key_hint
from sprig_tui.config.durations import format_duration
from sprig_tui.config.findings import check_environment_ids, check_keys
from sprig_tui.config.held import read_held_notes
from sprig_tui.config.keysource import WRITE_KEY_PREFIX, write_key_variable
from sprig_tui.config.paths import Paths, find_paths
from sprig_tui.config.sections import KNOWN_TABLES
from sprig_tui.config.starting import removed_since_last_use
from sprig_tui.errors import SprigTuiError
from sprig_tui.journal.address import is_server_url
from sprig_tui.journal.readiness import Readiness

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.contract import Journal
    from sprig_tui.journal.records import Lane

QUICK_CHECK = 10.0
"""Seconds that looking through the journal file may take."""
NOT_YET = "is not there yet: the first send makes it"
FAR_APART_MS = 5_000
LITTLE_SPACE = 500_000_000
"""Bytes free below which a full disk is near: 20,000 answers take about 40 MB."""


class Check(Struct, frozen=True):
    """One thing that was looked at."""

    name: Literal[
        "config",
        "keys",
        "environments",
        "journal",
        "lanes",
        "disk",
        "terminal",
        "proxy",
        "endpoint",
        "clock",
        "workspace",
        "source",
        "sprig",
    ]
    level: Literal["ok", "warning", "fault"]
    message: str
    hint: str = ""


def _preference_checks(settings: Settings) -> Iterator[Check]:
    """What the console refuses of `[console]` and `[keys]`: it alone knows, and is loaded only where there is some."""
    if settings.keys or settings.console:
        from sprig_tui.console.preferences import preferences

        for text in preferences(settings).faults:
            yield Check("config", "warning", f"{settings.document.file}: {text}", "the console goes on without it")


def config_checks(settings: Settings, environ: Mapping[str, str] = os.environ) -> Iterator[Check]:
    """The config file, keys and environments."""
    document = settings.document
    there = "is understood" if document.mode is not None else "is not there: the defaults hold"
    yield Check("config", "ok", f"{document.file} {there}")
    paths = find_paths()
    yield from (Check("config", "warning", text, hint) for text, hint in removed_since_last_use(paths, settings))
    yield from held_checks(paths)
    for name in settings.unknown_tables:
        kind = "table" if isinstance(document.tables[name], dict) else "key"
        yield Check(
            "config",
            "warning",
            f"{document.file}: the {kind} {dotted_key(name)[:60]} is none of ours, and is left alone",
            nearest_key_hint(name, KNOWN_TABLES),
        )
    yield from (Check("config", "warning", one.message, one.hint) for one in settings.warnings)
    yield from _preference_checks(settings)
    findings = check_keys(settings)
    yield from (Check("keys", finding.level, finding.message, finding.hint) for finding in findings)
    with_key = [name for name, found in settings.environments.items() if found.write_key is not None]
    for name in settings.environments:
        if name not in with_key:
            yield Check("keys", "warning", f"{name} has no write key", f"sprig-tui keys set {name}")
    if with_key and not findings:
        yield Check("keys", "ok", f"{', '.join(with_key)}: the key looks like one; Segment verifies none")
    variables = {write_key_variable(name) for name in settings.environments}
    for variable in sorted(environ):
        if variable.startswith(WRITE_KEY_PREFIX) and variable not in variables:
            yield Check(
                "keys",
                "warning",
                f"{variable} is set, but no environment is called so",
                nearest_key_hint(variable, variables),
            )
    clashes = check_environment_ids(settings)
    yield from (Check("environments", finding.level, finding.message, finding.hint) for finding in clashes)
    if not clashes:
        yield from _ids(settings)


def held_checks(paths: Paths) -> Iterator[Check]:
    """Processes that go on with the config from before, since what is on disk is not to be used."""
    for held in read_held_notes(paths):
        yield Check("config", "warning", f"process {held.pid} goes on with the one from before: {held.why}", held.hint)


def _ids(settings: Settings) -> Iterator[Check]:
    known = [name for name, found in settings.environments.items() if found.sprig_environment_id]
    if known:
        yield Check("environments", "ok", f"Sprig's environment id is known for {', '.join(known)}")
    else:
        yield Check(
            "environments",
            "ok",
            "no Sprig environment ids are set: webhook bodies need -e, and cannot be told apart by themselves",
        )


async def journal_checks(settings: Settings) -> list[Check]:
    """The journal's file, its integrity, its lanes, the disk; of a shared one, its server."""
    if is_server_url(settings.journal):
        return await _contents(settings, [])
    place = Path(settings.journal)
    disk = _disk(place)
    found = _file(place)
    if found is None:
        return [Check("journal", "ok", f"{place} {NOT_YET}"), *disk]
    if any(one.level == "fault" for one in found):
        return [*found, *disk]
    return [*await _contents(settings, found), *disk]


async def _contents(settings: Settings, found: list[Check]) -> list[Check]:
    try:
        async with journal_to_look_at(settings) as journal:
            if journal is None:
                return [*found, Check("journal", "ok", f"{settings.journal_name} {NOT_YET}")]
            counts = (await journal.counts()).by_environment
            lanes = await journal.lanes()
            # a real write, to the disk: what can be read may be full, or on a disk that fails
            standing = await Readiness(journal).check()
            if not standing.ready:
                found = [*found, Check("journal", "fault", standing.message, standing.hint)]
            if is_server_url(settings.journal):
                found = [*found, *await _server(journal)]
    except SprigTuiError as error:
        return [*found, Check("journal", "fault", error.message, error.hint)]
    total = sum(sum(states.values()) for states in counts.values())
    found.append(Check("journal", "ok", f"{settings.journal_name} holds {total:,} deliveries"))
    found += [check for name, lane in lanes.items() if (check := _lane(name, lane)) is not None]
    for name, states in counts.items():
        known = settings.environments.get(name)
        queued = states.get("queued", 0)  # type: ignore[call-overload]  # a State is its text
        if queued and (known is None or known.write_key is None):
            found.append(
                Check("lanes", "warning", f"{queued:,} are queued for {name}, which has no write key", "give it one")
            )
    return found


def _lane(name: str, lane: Lane) -> Check | None:
    said = f"{name} is {lane.state}: {lane.cause}"
    if lane.state == "waiting":
        return Check("lanes", "warning", said, "it goes on by itself")
    if lane.pauses:
        return Check(
            "lanes",
            "fault",
            f"{name} is paused: {lane.cause}",
            "a changed key or endpoint resumes it; if both are right, sprig-tui journal resume"
            f" {name} tries at once, and sprig-tui run or listen with one delivery{_next_probe(lane)}",
        )
    if lane.state == "paused":
        return Check("lanes", "warning", said, f"sprig-tui journal resume {name} lets it go on")
    return None


def _next_probe(lane: Lane) -> str:
    left = lane.until - SystemClock().now()
    return f" in {format_duration(left // 1000)}" if left >= 1000 else " soon"


async def _server(journal: Journal) -> list[Check]:
    """Whether a shared journal takes writes and keeps them, and how far apart the clocks are."""
    from sprig_tui.journal.postgres import PostgresJournal

    found = [_clocks(journal.clock.now() - SystemClock().now())]
    if isinstance(journal, PostgresJournal):
        lost = "what was acknowledged may be lost in a power cut: set it on"
        found += [Check("journal", "warning", doubt, lost) for doubt in await journal.durability_warnings()]
    return found


def _clocks(ahead_ms: int) -> Check:
    """The server's clock is the one that workers go by; ours shows in what people read beside it."""
    said = (
        f"the server's clock is {abs(ahead_ms) / 1000:,.1f} s {'ahead of' if ahead_ms > 0 else 'behind'} this machine's"
    )
    if abs(ahead_ms) < FAR_APART_MS:
        return Check("journal", "ok", said)
    return Check("journal", "warning", said, "workers go by the server's; set both by NTP")


def _file(place: Path) -> list[Check] | None:
    """The file by itself; None when there is none."""
    return [*_mode(place), *_integrity(place)] if place.exists() else None


def _integrity(place: Path) -> list[Check]:
    """SQLite's own quick check, read-only, for a limited time."""
    from sprig_tui.journal.sqlite.connecting import open_existing

    deadline = time.monotonic() + QUICK_CHECK
    try:
        connection = open_existing(place, "ro", 2.0)
        try:
            connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
            answer = connection.execute("PRAGMA quick_check(3)").fetchall()
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            return [Check("journal", "ok", f"no damage found in the first {QUICK_CHECK:.0f} s of looking")]
        return [Check("journal", "fault", f"{place} cannot be read: {error}", "check its owner and mode")]
    except sqlite3.DatabaseError as error:
        return [
            Check(
                "journal", "fault", f"{place}: {error}", f"sprig-tui journal salvage {place} NEW saves what can be read"
            )
        ]
    if answer != [("ok",)]:
        return [
            Check(
                "journal",
                "fault",
                f"{place} is damaged: {str(answer[0][0])[:200]}",
                f"sprig-tui journal salvage {place} NEW saves what can be read",
            )
        ]
    return []


def _mode(place: Path) -> list[Check]:
    mode = stat.S_IMODE(place.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        return [
            Check(
                "journal",
                "warning",
                f"{place} holds answers and others may read it (mode {mode:04o})",
                f"chmod 600 {place}",
            )
        ]
    return []


def _disk(place: Path) -> list[Check]:
    folder = next((parent for parent in place.absolute().parents if parent.is_dir()), None)
    if folder is None:
        return [Check("disk", "fault", f"there is no folder for {place}", "see sprig-tui paths")]
    if not os.access(folder, os.W_OK):
        return [Check("disk", "fault", f"{folder} cannot be written", "check its owner and mode")]
    try:
        tempfile.gettempdir()
    except OSError:
        temporary = [Check("disk", "warning", "no folder for temporary files can be written", "name one in TMPDIR")]
    else:
        temporary = []
    free = shutil.disk_usage(folder).free
    said = f"{free / 1e9:,.1f} GB free for the journal"
    if free < LITTLE_SPACE:
        return [
            Check("disk", "warning", said, "make room: a full disk stops everything, though nothing is lost"),
            *temporary,
        ]
    return [Check("disk", "ok", said), *temporary]


def terminal_check() -> Check:
    """Whether letters beyond ASCII can be shown."""
    encoding = getattr(sys.stdout, "encoding", "") or "unknown"
    if encoding.lower().replace("-", "") in ("utf8", "utf8sig", "cp65001"):
        return Check("terminal", "ok", f"writes {encoding}")
    return Check(
        "terminal", "warning", f"writes {encoding}: other letters are shown as escapes", "set LANG or PYTHONUTF8=1"
    )
