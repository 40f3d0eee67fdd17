"""Local checks of `doctor`: config, keys, journal, disk, terminal."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from sprig_tui.cli.context import existing_journal_session
from sprig_tui.clock import SystemClock
from sprig_tui.config.checks import check_environment_ids, check_keys
from sprig_tui.config.oauth import describe_oauth, signing_problem
from sprig_tui.config.paths import Paths, find_paths
from sprig_tui.config.reload import read_held_notes
from sprig_tui.config.saved_filters import saved_filter_problems
from sprig_tui.config.schema import KNOWN_TABLES
from sprig_tui.config.secret_reader import secrets_read_elsewhere
from sprig_tui.config.secrets import WRITE_KEY, WRITE_KEY_PREFIX, write_key_variable
from sprig_tui.config.startup import removed_since_last_use
from sprig_tui.config.token_rejection import REJECTED_HINT, TokenRejectionStore
from sprig_tui.config.toml_file import dotted_key, nearest_key_hint
from sprig_tui.config.warnings import WarningCode
from sprig_tui.delivery.hold import read_holds
from sprig_tui.delivery.retry import OAUTH_PAUSES
from sprig_tui.errors import ConfigError, JournalError, SprigTuiError
from sprig_tui.formatting import format_duration
from sprig_tui.journal.readiness import Readiness
from sprig_tui.journal.url import is_server_url

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.hold import Hold
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.records import Lane

INTEGRITY_CHECK_TIMEOUT_S = 10.0
"""Seconds that the integrity check of the journal file may take."""
NOT_CREATED_TEXT = "is not there yet: the first send makes it"
MAX_CLOCK_SKEW_MS = 5_000
LOW_DISK_BYTES = 500_000_000
"""Bytes free below which a full disk is near: 20,000 answers take about 40 MB."""


class CheckResult(Struct, frozen=True):
    """Result of one check."""

    name: Literal[
        "config",
        "keys",
        "oauth",
        "environments",
        "journal",
        "lanes",
        "disk",
        "terminal",
        "proxy",
        "endpoint",
        "clock",
        "workspace",
        "profile",
        "source",
        "suppressed",
        "serve",
        "sprig",
    ]
    level: Literal["ok", "warning", "fault"]
    message: str
    hint: str = ""


def _preference_checks(settings: Settings) -> Iterator[CheckResult]:
    """Problems of `[console]` and `[keys]`; the console is loaded only where the config has them."""
    if settings.keys or settings.console:
        from sprig_tui.console.preferences import preferences

        for text in preferences(settings).faults:
            yield CheckResult("config", "warning", f"{settings.document.file}: {text}", "the console ignores it")


def _mapping_checks(settings: Settings) -> Iterator[CheckResult]:
    from sprig_tui.mapping.rules import keyed_hash

    try:
        keyed_hash(settings.rules)
    except ConfigError as error:
        yield CheckResult("keys", "fault", error.message, error.hint)


def _saved_filter_checks(settings: Settings) -> Iterator[CheckResult]:
    for text, hint in saved_filter_problems(settings.filters, SystemClock().now()):
        yield CheckResult("config", "warning", f"{settings.document.file}: {text}", hint)


def config_checks(settings: Settings, environ: Mapping[str, str] = os.environ) -> Iterator[CheckResult]:
    """The config file, keys and environments."""
    document = settings.document
    state = "is understood" if document.mode is not None else "is not there: the defaults hold"
    yield CheckResult("config", "ok", f"{document.file} {state}")
    paths = find_paths()
    yield from (CheckResult("config", "warning", text, hint) for text, hint in removed_since_last_use(paths, settings))
    yield from held_config_checks(paths)
    for name in settings.unknown_tables:
        kind = "table" if isinstance(document.tables[name], dict) else "key"
        yield CheckResult(
            "config",
            "warning",
            f"{document.file}: the {kind} {dotted_key(name)[:60]} is unknown, and is left alone",
            nearest_key_hint(name, KNOWN_TABLES),
        )
    # a private key that cannot be used has a check of its own
    warnings = [one for one in settings.warnings if one.code is not WarningCode.PRIVATE_KEY_UNUSABLE]
    yield from (CheckResult("config", "warning", warning.message, warning.hint) for warning in warnings)
    yield from _mapping_checks(settings)
    yield from _preference_checks(settings)
    yield from _saved_filter_checks(settings)
    findings = check_keys(settings)
    for label, place in secrets_read_elsewhere(settings):
        yield CheckResult("keys", "ok", f"{label} was read from the {place}")
    yield from (CheckResult("keys", finding.level, finding.message, finding.hint) for finding in findings)
    with_key = [name for name, found in settings.environments.items() if found.write_key is not None]
    for name in settings.environments:
        # one that cannot be read was told with the config
        if name not in with_key and settings.secret_problem(WRITE_KEY, name) is None:
            yield CheckResult("keys", "warning", f"{name} has no write key", f"sprig-tui keys set {name}")
    if with_key and not findings:
        yield CheckResult("keys", "ok", f"{', '.join(with_key)}: the key looks like one; Segment verifies none")
    variables = {write_key_variable(name) for name in settings.environments}
    for variable in sorted(environ):
        if variable.startswith(WRITE_KEY_PREFIX) and variable not in variables:
            yield CheckResult(
                "keys",
                "warning",
                f"{variable} is set, but no environment is called so",
                nearest_key_hint(variable, variables),
            )
    yield from _oauth_checks(settings)
    clashes = check_environment_ids(settings.environments)
    yield from (CheckResult("environments", finding.level, finding.message, finding.hint) for finding in clashes)
    if not clashes:
        yield from _environment_id_checks(settings)


def _oauth_checks(settings: Settings) -> Iterator[CheckResult]:
    """Environments with OAuth, and whether their keys can sign; whether Segment knows them shows at the first send."""
    for name, found in settings.environments.items():
        if found.oauth is None:
            continue
        problem, hint = signing_problem(found.oauth.key)
        if problem:
            yield CheckResult("oauth", "fault", f"{name}: {problem}", hint)
        else:
            yield CheckResult("oauth", "ok", f"{name}: {describe_oauth(found)}; its private key can sign")


def held_config_checks(paths: Paths) -> Iterator[CheckResult]:
    """Processes that keep the previous config because the one on disk is rejected."""
    for held in read_held_notes(paths):
        yield CheckResult(
            "config", "warning", f"process {held.pid} goes on with the one from before: {held.why}", held.hint
        )


def serve_checks(settings: Settings) -> Iterator[CheckResult]:
    """The token of `serve`, where one is named; its command runs, and the keyring is asked."""
    from sprig_tui.cli.commands.serve import read_token

    token = settings.serve_token
    if token is None:
        return
    try:
        read_token(settings)
    except ConfigError as error:
        yield CheckResult("serve", "fault", f"serve cannot start: {error.message}", error.hint)
    else:
        yield CheckResult("serve", "ok", f"its token can be read ({token.read_from})")


def token_checks(settings: Settings) -> Iterator[CheckResult]:
    """A token of the Public API that Segment rejected when it was used last."""
    rejection = TokenRejectionStore(find_paths().state_dir, settings.workspace).load()
    if rejection is not None:
        yield CheckResult("workspace", "fault", rejection.message, REJECTED_HINT)


def _environment_id_checks(settings: Settings) -> Iterator[CheckResult]:
    known = [name for name, found in settings.environments.items() if found.sprig_environment_id]
    if known:
        yield CheckResult("environments", "ok", f"Sprig's environment id is known for {', '.join(known)}")
    else:
        yield CheckResult(
            "environments",
            "ok",
            "no Sprig environment ids are set: webhook bodies need -e, and are not routed automatically",
        )


async def journal_checks(settings: Settings) -> list[CheckResult]:
    """The journal's file, its integrity, its lanes, the disk; of a shared one, its server."""
    if is_server_url(settings.journal):
        return await _content_checks(settings, [])
    place = Path(settings.journal)
    disk = _disk_checks(place)
    found = _file_checks(place)
    if found is None:
        return [CheckResult("journal", "ok", f"{place} {NOT_CREATED_TEXT}"), *disk]
    if any(check.level == "fault" for check in found):
        return [*found, *disk]
    return [*await _content_checks(settings, found), *disk]


async def _content_checks(settings: Settings, found: list[CheckResult]) -> list[CheckResult]:
    try:
        async with existing_journal_session(settings) as journal:
            if journal is None:
                return [*found, CheckResult("journal", "ok", f"{settings.journal_name} {NOT_CREATED_TEXT}")]
            counts = (await journal.counts()).by_environment
            lanes = await journal.lanes()
            holds = await read_holds(journal)
            # a real write: a readable journal may be on a full or failing disk
            standing = await Readiness(journal).check()
            if not standing.ready:
                found = [*found, CheckResult("journal", "fault", standing.message, standing.hint)]
            found = [*found, *await _forget_checks(journal)]
            if is_server_url(settings.journal):
                found = [*found, *await _server_checks(journal)]
    except SprigTuiError as error:
        return [*found, CheckResult("journal", "fault", error.message, error.hint)]
    total = sum(sum(states.values()) for states in counts.values())
    found.append(CheckResult("journal", "ok", f"{settings.journal_name} holds {total:,} deliveries"))
    now = SystemClock().now()
    found += [_hold_check(hold, now) for hold in holds.values()]
    found += [check for name, lane in lanes.items() if name not in holds and (check := _lane_check(name, lane))]
    for name, states in counts.items():
        known = settings.environments.get(name)
        queued = states.get("queued", 0)  # type: ignore[call-overload]  # a State is its text
        if queued and (known is None or known.write_key is None):
            found.append(
                CheckResult(
                    "lanes", "warning", f"{queued:,} are queued for {name}, which has no write key", "give it one"
                )
            )
    return found


def _hold_check(hold: Hold, now: int) -> CheckResult:
    return CheckResult(
        "lanes",
        "warning",
        f"{hold.environment} is {hold.text(now)}; {hold.queue_text(now)}",
        f"sprig-tui log is:held shows what waits, sprig-tui resume {hold.environment} sends it",
    )


def _lane_check(name: str, lane: Lane) -> CheckResult | None:
    message = f"{name} is {lane.state}: {lane.cause}"
    if lane.state == "waiting":
        return CheckResult("lanes", "warning", message, "it resumes automatically")
    if lane.pauses:
        oauth = lane.reason in OAUTH_PAUSES
        change = "a change of oauth, its key file or the endpoint" if oauth else "a changed key or endpoint"
        return CheckResult(
            "lanes",
            "fault",
            f"{name} is paused: {lane.cause}",
            f"{change} resumes it; if both are right, sprig-tui resume"
            f" {name} tries at once, and sprig-tui run or listen with one delivery{_next_probe_text(lane)}",
        )
    if lane.state == "paused":
        return CheckResult("lanes", "warning", message, f"sprig-tui resume {name} resumes it")
    return None


def _next_probe_text(lane: Lane) -> str:
    left = lane.until - SystemClock().now()
    return f" in {format_duration(left // 1000)}" if left >= 1000 else " soon"


async def _forget_checks(journal: Journal) -> list[CheckResult]:
    """Whether forgotten persons can be recognised, and whether all that was asked for was removed."""
    found: list[CheckResult] = []
    if await journal.forgotten():
        try:
            await journal.forgotten_matcher()
        except JournalError as error:
            # nothing can be added
            found.append(CheckResult("journal", "fault", error.message, error.hint))
    found += [
        CheckResult(
            "journal",
            "warning",
            f"a forget was interrupted (receipt {receipt.id}): content of theirs may be left",
            "sprig-tui forget --resume removes it",
        )
        for receipt in await journal.forget_receipts()
        if not receipt.ended_at
    ]
    return found


async def _server_checks(journal: Journal) -> list[CheckResult]:
    """Whether a shared journal takes writes and keeps them, and how far apart the clocks are."""
    from sprig_tui.journal.postgres import PostgresJournal

    found = [_clock_checks(journal.clock.now() - SystemClock().now())]
    if isinstance(journal, PostgresJournal):
        lost = "what was acknowledged may be lost in a power cut: set it on"
        found += [CheckResult("journal", "warning", doubt, lost) for doubt in await journal.durability_warnings()]
    return found


def _clock_checks(ahead_ms: int) -> CheckResult:
    """The server's clock is the one that workers go by; ours shows in what people read beside it."""
    message = (
        f"the server's clock is {abs(ahead_ms) / 1000:,.1f} s {'ahead of' if ahead_ms > 0 else 'behind'} this machine's"
    )
    if abs(ahead_ms) < MAX_CLOCK_SKEW_MS:
        return CheckResult("journal", "ok", message)
    return CheckResult("journal", "warning", message, "workers go by the server's; set both by NTP")


def _file_checks(path: Path) -> list[CheckResult] | None:
    """Checks of the journal file; None where there is none."""
    return [*_mode_checks(path), *_integrity_checks(path)] if path.exists() else None


def _integrity_checks(path: Path) -> list[CheckResult]:
    """The store's own quick check, read-only, for a limited time."""
    from sprig_tui.journal.sqlite import check_file

    try:
        report = check_file(path, INTEGRITY_CHECK_TIMEOUT_S)
    except JournalError as error:
        return [CheckResult("journal", "fault", error.message, error.hint)]
    if report.problems:
        message = f"{path} is damaged: {report.problems[0][:200]}"
        return [
            CheckResult("journal", "fault", message, f"sprig-tui journal salvage {path} NEW saves what can be read")
        ]
    if not report.complete:
        return [CheckResult("journal", "ok", f"no damage found in the first {INTEGRITY_CHECK_TIMEOUT_S:.0f} s")]
    return []


def _mode_checks(path: Path) -> list[CheckResult]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        return [
            CheckResult(
                "journal",
                "warning",
                f"{path} holds answers and others may read it (mode {mode:04o})",
                f"chmod 600 {path}",
            )
        ]
    return []


def _disk_checks(path: Path) -> list[CheckResult]:
    folder = next((parent for parent in path.absolute().parents if parent.is_dir()), None)
    if folder is None:
        return [CheckResult("disk", "fault", f"there is no folder for {path}", "see sprig-tui paths")]
    if not os.access(folder, os.W_OK):
        return [CheckResult("disk", "fault", f"{folder} cannot be written", "check its owner and mode")]
    try:
        tempfile.gettempdir()
    except OSError:
        temporary = [
            CheckResult("disk", "warning", "no folder for temporary files can be written", "name one in TMPDIR")
        ]
    else:
        temporary = []
    free = shutil.disk_usage(folder).free
    message = f"{free / 1e9:,.1f} GB free for the journal"
    if free < LOW_DISK_BYTES:
        return [
            CheckResult("disk", "warning", message, "make room: a full disk stops everything, though nothing is lost"),
            *temporary,
        ]
    return [CheckResult("disk", "ok", message), *temporary]


def terminal_check() -> CheckResult:
    """Whether letters beyond ASCII can be shown."""
    encoding = getattr(sys.stdout, "encoding", "") or "unknown"
    if encoding.lower().replace("-", "") in ("utf8", "utf8sig", "cp65001"):
        return CheckResult("terminal", "ok", f"writes {encoding}")
    return CheckResult(
        "terminal", "warning", f"writes {encoding}: other letters are shown as escapes", "set LANG or PYTHONUTF8=1"
    )
