"""Tracking plans that were fetched from Segment, one for each environment, to check calls before they are sent.

The file is `tracking_plans.json` in the state folder, mode 0600. Nothing here asks Segment: `sprig-tui explain` does,
and stores what it got. A plan is used only while there is a token, and while the environment has the key of the source
that the plan belongs to.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from sprig_tui.config.environment import WriteKey
from sprig_tui.config.paths import Paths
from sprig_tui.errors import ConfigError
from sprig_tui.segment.lints import PLAN_UNCHECKED, SCHEMA_VIOLATION, UNPLANNED, Lint
from sprig_tui.segment.tracking_plan import PlanChecker, PlanVerdict, TrackingPlan

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings

FILE_NAME = "tracking_plans.json"
FILE_VERSION = 1
MAX_FILE_BYTES = 16_000_000
"""A larger file is not read: the plans of one event are a few kilobytes for each environment."""
_HINT = "remove it: sprig-tui explain --refresh-plan writes it again"


class StoredPlan(Struct, frozen=True, kw_only=True):
    """The plan of one environment as it was fetched."""

    plan: TrackingPlan | None
    """None if the source has no tracking plan."""
    source_id: str
    key_digest: str
    """Of the Write Key; the plan is another's once the key changes."""
    fetched_at: int
    """ms since 1970 UTC."""


class _File(Struct, frozen=True):
    version: int = FILE_VERSION
    plans: dict[str, StoredPlan] = {}


class PlanFinding(Struct, frozen=True, kw_only=True):
    """What the stored plan of an environment says of one call."""

    verdict: PlanVerdict
    event: str
    fetched_at: int

    @property
    def lints(self) -> tuple[Lint, ...]:
        """The same as lints of the call: errors where the source would drop it, else warnings."""
        verdict = self.verdict
        level: Literal["warning", "error"] = "error" if verdict.blocked else "warning"
        found = [
            Lint(SCHEMA_VIOLATION, violation.path, f"tracking plan: {violation.message}", level)
            for violation in verdict.violations
        ]
        if not verdict.planned:
            found.append(Lint(UNPLANNED, "event", "tracking plan: it does not have this event", level))
        if verdict.problem is not None:
            found.append(
                Lint(PLAN_UNCHECKED, "", f"tracking plan: its schema is not checked, {verdict.problem}", "warning")
            )
        return tuple(found)

    @property
    def outcome(self) -> str:
        """What the source does with the call because of the plan, in words."""
        if not self.verdict.breaks:
            return "the call fits it" if self.verdict.problem is None else "the call could not be checked"
        return _OUTCOMES[self.verdict.blocked]


_OUTCOMES = {
    True: "the source would drop the call",
    False: "the source would only mark the call",
    None: "the source may drop the call",
}


class PlanLints:
    """The stored plans that may be used with these settings; each is compiled at its first call."""

    def __init__(self, plans: dict[str, StoredPlan]) -> None:
        self._plans = plans
        self._checkers: dict[str, PlanChecker] = {}

    def __bool__(self) -> bool:
        return bool(self._plans)

    def check(self, environment: str, body: bytes) -> PlanFinding | None:
        """What the plan says of the JSON of a track call; None where there is no plan for it."""
        stored = self._plans.get(environment)
        if stored is None or stored.plan is None:
            return None
        try:
            call = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if not isinstance(call, dict) or call.get("event") != stored.plan.event:
            return None
        checker = self._checkers.get(environment)
        if checker is None:
            checker = self._checkers[environment] = PlanChecker(stored.plan)
        return PlanFinding(verdict=checker.check(call), event=stored.plan.event, fetched_at=stored.fetched_at)


class PlanCache:
    """The stored plans for a console that stays open: the file is read again when it has changed."""

    def __init__(self, settings: Settings, paths: Paths) -> None:
        self._settings = settings
        self._paths = paths
        self._stamp: tuple[int, int] | None = None
        self._plans = PlanLints({})

    def lints(self, environment: str, body: bytes) -> tuple[Lint, ...]:
        """The lints of a call; none where the plans cannot be read. Never raises."""
        if self._settings.workspace.token is None:
            return ()
        stamp = _stamp(plans_file(self._paths))
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._plans = load_plan_lints(self._settings, self._paths)
            except ConfigError:
                self._plans = PlanLints({})
        finding = self._plans.check(environment, body)
        return finding.lints if finding is not None else ()


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def plans_file(paths: Paths) -> Path:
    """The file of all plans."""
    return paths.state_dir / FILE_NAME


def load_plan_lints(settings: Settings, paths: Paths) -> PlanLints:
    """The plans that may be used now; none without a token. Raises ConfigError for an unusable file."""
    if settings.workspace.token is None:
        return PlanLints({})
    return PlanLints(
        {
            name: stored
            for name, stored in read_plans(paths).items()
            if (found := settings.environments.get(name)) is not None
            and found.write_key is not None
            and key_digest(found.write_key) == stored.key_digest
        }
    )


def read_plans(paths: Paths) -> dict[str, StoredPlan]:
    """All stored plans by environment; none if there is no file. Raises ConfigError."""
    file = plans_file(paths)
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}", hint="check its owner and mode") from error
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"{file} is too large", hint=_HINT)
    try:
        found = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{file} holds no tracking plans", hint=_HINT) from error
    if found.version > FILE_VERSION:
        raise ConfigError(f"{file} was written by a newer version of sprig-tui", hint="use that version, or remove it")
    return found.plans


def save_plan(paths: Paths, environment: str, stored: StoredPlan) -> None:
    """Store the plan of one environment; a file that cannot be used is replaced. Raises ConfigError."""
    from sprig_tui.files import file_lock, make_folder, write_atomically

    file = plans_file(paths)
    make_folder(file.parent)
    with file_lock(file):
        try:
            plans = read_plans(paths)
        except ConfigError:
            plans = {}
        write_atomically(file, msgspec.json.encode(_File(plans={**plans, environment: stored})))


def key_digest(key: WriteKey) -> str:
    """A digest that tells two keys apart, and does not give them away."""
    return hashlib.sha256(b"tracking plan of\0" + key.identity.encode()).hexdigest()[:16]
