"""Environment status: the sentence shown for each environment, and the view that the pane draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from sprig_tui.config.environment import Environment
from sprig_tui.console.commands.base import Permissions
from sprig_tui.delivery.hold import Hold
from sprig_tui.delivery.retry import OAUTH_PAUSES
from sprig_tui.delivery.snapshot import LaneSnapshot
from sprig_tui.formatting import relative_time, time_ago, time_left
from sprig_tui.journal.pause_reasons import PauseReason
from sprig_tui.journal.records import Lane, State

Level = Literal["", "muted", "good", "warning", "bad"]


class EnvironmentStatus(Struct, frozen=True, gc=False):
    """Mark, sentence and last response. Never claims that a key is right: Segment answers 200 to a wrong one too."""

    mark: str
    text: str
    level: Level = ""
    last: str = ""
    """Such as `last answer 200, 2 s ago` or `never used`."""
    brief: str = ""
    """The beginning of the sentence, for narrow places; empty where the sentence is short."""


class StatusInputs(Struct, frozen=True, kw_only=True):
    """Facts that the sentence is made from."""

    lane: Lane
    has_key: bool
    queued: int
    in_flight: int
    """Deliveries being sent, by any process."""
    rate: int
    """Deliveries per second."""
    orphaned: tuple[str, str] = ("", "")
    """Leases of dead workers and when they expire, as two texts; empty for none."""
    hold: Hold | None = None
    """The hold of the lane; None where it is not held."""
    engine: bool
    """Whether this console delivers."""
    read_only: bool = False
    opened: bool = True
    """Whether the journal was read yet; before that the lane is unknown."""
    trouble: str = ""
    """Local error that stops the lane; empty for none."""


def status_of(facts: StatusInputs, now: int) -> EnvironmentStatus:
    """The most important fact as a sentence; `now` is ms since 1970."""
    busy = bool(facts.rate or facts.in_flight)
    last = _last_activity(facts.lane, now, busy=busy) if facts.has_key or facts.lane.last_status else ""
    if (unready := _unready_status(facts, last)) is not None:
        return unready
    lane = facts.lane
    if lane.state == "paused":
        return _held_status(facts.hold, now, last) if facts.hold is not None else _paused_status(lane, now, last)
    if lane.state == "probing" and lane.pauses and lane.until > now:
        return _brief_status("◌", "trying one answer", f": {lane.cause}", "warning", last)
    if lane.state in ("waiting", "probing") and lane.until > now:
        return _waiting_status(lane, now, last)
    if lane.state in ("waiting", "probing") and facts.queued:
        return _brief_status("◌", "next try is due", f": {lane.cause}", "warning", last)
    return _open_status(facts, last)


def _unready_status(facts: StatusInputs, last: str) -> EnvironmentStatus | None:
    """Status for local obstacles: an error, no key, the journal not opened."""
    if facts.trouble:
        return EnvironmentStatus("✗", facts.trouble, "bad", last)
    if not facts.has_key:
        waiting = f", {facts.queued:,} queued" if facts.queued else ""
        return _brief_status(
            "·", "no key", f"{waiting}: press a to add one", "warning" if facts.queued else "muted", last
        )
    return None if facts.opened else EnvironmentStatus("·", "opening the journal", "muted")


def _last_activity(lane: Lane, now: int, *, busy: bool) -> str:
    if lane.last_status:
        return f"last answer {lane.last_status}, {time_ago(lane.last_at, now)}"
    return "" if lane.failures or busy else "never used"


def _paused_status(lane: Lane, now: int, last: str) -> EnvironmentStatus:
    again = f" now, or it is tried in {time_left(lane.until, now)}" if lane.until > now else ""
    if lane.reason is PauseReason.KEY_REFUSED:
        rest = f", Segment rejects the key: {lane.cause}; a replaces it, p tries again{again}"
        return _brief_status("‖", "paused", rest, "bad", last)
    if lane.reason is PauseReason.WRONG_ENDPOINT:
        return _brief_status("‖", "paused", f", {lane.cause}; e changes it, p tries again{again}", "bad", last)
    if lane.reason in OAUTH_PAUSES:
        return _brief_status("‖", "paused", f", {lane.cause}; p tries again{again}", "bad", last)
    return _brief_status("‖", "paused", f" ({lane.cause}); p resumes{again}", "warning", last)


def _held_status(hold: Hold, now: int, last: str) -> EnvironmentStatus:
    """The queue and the keys before who and why: a narrow pane cuts the end."""
    if not hold.waiting:
        brief = f"held, {hold.queue_text(now)}"
        return _brief_status("‖", brief, f"; p resumes it; {hold.text(now).removeprefix('held ')}", "warning", last)
    keys = "w shows them, p sends them"
    return _brief_status("‖", hold.queue_text(now), f"; {keys}; {hold.text(now)}", "warning", last)


def _waiting_status(lane: Lane, now: int, last: str) -> EnvironmentStatus:
    if lane.state == "probing":
        return _brief_status("◌", "trying one batch", f": {lane.cause}" if lane.cause else "", "warning", last)
    wait = time_left(lane.until, now)
    if lane.reason is PauseReason.RETRY_AFTER:
        return _brief_status("◷", f"waiting {wait}", f" (Segment asked, {lane.detail.status})", "warning", last)
    if lane.reason is PauseReason.TOKEN_SERVER_FAILED:
        return _brief_status("◷", f"waiting {wait}", f": {lane.cause}", "warning", last)
    since = f" since {relative_time(lane.since, now)}" if lane.since else ""
    if lane.reason is PauseReason.HTTP_ERROR:
        return _brief_status("◷", "failing", f"{since}: {lane.cause}; next try in {wait}", "warning", last)
    return _brief_status("◷", "unreachable", f"{since}: {lane.cause}; next try in {wait}", "bad", last)


def _brief_status(mark: str, brief: str, rest: str, level: Level, last: str) -> EnvironmentStatus:
    return EnvironmentStatus(mark, brief + rest, level, last, brief)


def _open_status(facts: StatusInputs, last: str) -> EnvironmentStatus:
    orphaned, until = facts.orphaned
    if orphaned and not facts.rate:
        return _brief_status("◷", orphaned, f", {until}", "warning", last)
    if facts.rate or facts.in_flight:
        return EnvironmentStatus("▲", f"delivering {facts.rate:,}/s", "good", last)
    if facts.queued and not facts.engine:
        why = "read-only" if facts.read_only else "--no-engine"
        return _brief_status("○", f"{facts.queued:,} queued", f", not delivered from here ({why})", "warning", last)
    if facts.queued:
        return EnvironmentStatus("·", f"{facts.queued:,} queued", "", last)
    return EnvironmentStatus("·", "nothing queued", "muted", last)


def environment_title(name: str) -> str:
    """An environment's name with a capital, such as `Production`."""
    return name[:1].upper() + name[1:]


REGIONS = {"us": "US  api.segment.io", "eu": "EU  events.eu1.segmentapis.com"}


class EnvironmentView(Struct, frozen=True, kw_only=True):
    """Immutable view of one environment; equal views need no repaint."""

    name: str
    key: str = ""
    """Masked; empty for none."""
    key_source: str = ""
    is_key_in_variable: bool = False
    """Whether `key_source` is the name of a variable."""
    """`config`, or the name of the environment variable."""
    endpoint: str = "us"
    requests_per_second: float = 50.0
    protected: bool = False
    oauth: str = ""
    """App ID of its OAuth client; empty without OAuth."""
    sprig_id: str = ""
    status: EnvironmentStatus = EnvironmentStatus("·", "")
    hold: Hold | None = None
    """The hold of its lane; None where it is not held."""
    paused_or_waiting: bool = False
    """Whether the lane can be resumed."""
    queued: int = 0
    """For the configured endpoint."""
    elsewhere: int = 0
    """Queued for another endpoint, by a run with `--endpoint`."""
    failed: int = 0
    withheld: int = 0
    delivered: int = 0
    in_flight: int = 0
    rate: int = 0
    """Deliveries per second."""
    history: tuple[int, ...] = ()
    """The rate in the last seconds, oldest first."""
    counted: str = ""
    """What the last comparison with Segment's counts said, and when; empty before it is known."""
    counted_level: Level = ""

    @property
    def title(self) -> str:
        return environment_title(self.name)

    @property
    def place(self) -> str:
        """Region and host, or the URL."""
        return REGIONS.get(self.endpoint, self.endpoint)


def view_of(  # noqa: PLR0913 - separate facts, all passed by keyword
    environment: Environment,
    *,
    lane: Lane | None,
    live: LaneSnapshot | None,
    counts: Mapping[State, int],
    leased: int,
    elsewhere: int = 0,
    history: tuple[int, ...],
    now: int,
    permissions: Permissions,
    opened: bool = True,
    orphaned: tuple[str, str] = ("", ""),
    hold: Hold | None = None,
    counted: tuple[str, Level] = ("", ""),
) -> EnvironmentView:
    """The view of one environment.

    Args:
        environment: its config.
        lane: its lane in the journal; None if it was never used.
        live: the lane of this console's engine; None without an engine.
        counts: deliveries by state.
        leased: queued deliveries that are leased by any process.
        elsewhere: queued deliveries for another endpoint, by a run with `--endpoint`.
        history: deliveries per second in the last seconds, oldest first.
        now: ms since 1970.
        permissions: whether this console delivers.
        opened: whether the journal was read yet.
        orphaned: leases of dead workers and when they expire, as two texts.
        hold: the hold of its lane.
        counted: what the last comparison with Segment's counts said.
    """
    lane = lane or (live.lane if live else Lane(environment=environment.name))
    queued = max(0, counts.get(State.QUEUED, 0) - elsewhere)
    rate = round(live.rate) if live else (history[-1] if history else 0)
    in_flight = max(leased, live.in_flight if live else 0)
    facts = StatusInputs(
        lane=lane,
        has_key=environment.write_key is not None,
        queued=queued,
        in_flight=in_flight,
        rate=rate,
        engine=permissions.engine and not permissions.read_only,
        read_only=permissions.read_only,
        opened=opened,
        orphaned=orphaned,
        hold=hold,
        trouble=live.local_error if live else "",
    )
    key = environment.write_key
    return EnvironmentView(
        name=environment.name,
        key=key.masked() if key else "",
        key_source=key.read_from if key else "",
        is_key_in_variable=key is not None and key.is_from_variable,
        endpoint=environment.endpoint,
        requests_per_second=environment.requests_per_second,
        protected=environment.protected,
        oauth=environment.oauth.client_id if environment.oauth else "",
        sprig_id=environment.sprig_environment_id or "",
        status=status_of(facts, now),
        hold=hold,
        paused_or_waiting=lane.state == "paused" or (lane.state == "waiting" and lane.until > now),
        queued=queued,
        elsewhere=elsewhere,
        failed=counts.get(State.FAILED, 0),
        withheld=counts.get(State.WITHHELD, 0),
        delivered=counts.get(State.DELIVERED, 0),
        in_flight=in_flight,
        rate=rate,
        history=history,
        counted=counted[0],
        counted_level=counted[1],
    )
