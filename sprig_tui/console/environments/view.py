"""What the console shows of an environment: an immutable picture of its config, its lane and its numbers."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from sprig_tui.config.environment import Environment
from sprig_tui.console.commands import Permissions
from sprig_tui.console.environments.standing import EnvironmentStatus, StatusInputs, status_of
from sprig_tui.delivery.snapshot import LaneSnapshot
from sprig_tui.journal.records import Lane, State

REGIONS = {"us": "US  api.segment.io", "eu": "EU  events.eu1.segmentapis.com"}


class EnvironmentView(Struct, frozen=True, kw_only=True):
    """One environment at one moment; equal pictures need no repaint."""

    name: str
    key: str = ""
    """Masked; empty where there is none."""
    key_source: str = ""
    """`config`, or the variable it comes from."""
    endpoint: str = "us"
    requests_per_second: float = 50.0
    protected: bool = False
    sprig_id: str = ""
    status: EnvironmentStatus = EnvironmentStatus("·", "")
    paused_or_waiting: bool = False
    """Whether the lane is paused or waits, so that there is something to resume."""
    queued: int = 0
    """For its own endpoint."""
    elsewhere: int = 0
    """Queued for the endpoint of a run with `--endpoint` alone."""
    failed: int = 0
    withheld: int = 0
    delivered: int = 0
    in_flight: int = 0
    rate: int = 0
    """Deliveries per second."""
    history: tuple[int, ...] = ()
    """The rate in the last seconds, oldest first."""

    @property
    def title(self) -> str:
        """The name as a title."""
        return self.name[:1].upper() + self.name[1:]

    @property
    def place(self) -> str:
        """Region and host, or the address."""
        return REGIONS.get(self.endpoint, self.endpoint)


def view_of(  # noqa: PLR0913 - each a fact of its own, all by name
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
    held: tuple[str, str] = ("", ""),
) -> EnvironmentView:
    """The picture of one environment.

    Args:
        environment: as the config has it.
        lane: as the journal tells it; None where it was never used.
        live: the engine's own lane, None without an engine here.
        counts: deliveries by state.
        leased: of the queued ones, those in the hands of any process.
        elsewhere: of the queued ones, those bound for the endpoint of a run with `--endpoint`.
        history: deliveries per second in the last seconds, oldest first.
        now: ms since 1970.
        permissions: what this console may do, so whether it delivers.
        opened: whether the journal has told anything yet.
        held: what workers that are gone still hold, and until when.
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
        held=held,
        trouble=live.local_error if live else "",
    )
    key = environment.write_key
    return EnvironmentView(
        name=environment.name,
        key=key.masked() if key else "",
        key_source=key.read_from if key else "",
        endpoint=environment.endpoint,
        requests_per_second=environment.requests_per_second,
        protected=environment.protected,
        sprig_id=environment.sprig_environment_id or "",
        status=status_of(facts, now),
        paused_or_waiting=lane.state == "paused" or (lane.state == "waiting" and lane.until > now),
        queued=queued,
        elsewhere=elsewhere,
        failed=counts.get(State.FAILED, 0),
        withheld=counts.get(State.WITHHELD, 0),
        delivered=counts.get(State.DELIVERED, 0),
        in_flight=in_flight,
        rate=rate,
        history=history,
    )
