"""The console's numbers: what was delivered before it looked is no rate; a line that says the same is not painted."""

from __future__ import annotations

from msgspec.structs import replace

from sprig_tui.config.paths import paths_in_folder
from sprig_tui.config.save import save_environment
from sprig_tui.config.settings import load_settings
from sprig_tui.console.commands.base import Permissions
from sprig_tui.console.environments.status import EnvironmentStatus, EnvironmentView
from sprig_tui.console.session import ConsoleDependencies, Session
from sprig_tui.console.snapshot import ConsoleSnapshot, SnapshotPoller
from sprig_tui.console.status_line import StatusLine
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.records import Attempt, NewDelivery, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal


async def deliver(journal: SQLiteJournal, clock, *names: str) -> None:
    await journal.add([NewDelivery(environment="production", message_id=f"sprig-{name}", body=b"{}") for name in names])
    claim = await journal.claim(ClaimRequest("production", events=100, payload_bytes=475_000, lease_ms=60_000))
    attempt = Attempt(started_at=clock.now(), status=200, outcome="delivered", events=len(claim.ids))
    await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED, attempt=attempt)])


async def test_rate_without_engine_starts_at_first_count(tmp_path, clock, journal):
    paths = paths_in_folder(str(tmp_path / "home"))
    settings = load_settings(paths)
    core = Session(
        ConsoleDependencies(paths, lambda: settings, SQLiteJournal, None),
        settings,
        Permissions(read_only=True),
        clock=clock,
    )
    await deliver(journal, clock, "a", "b", "c")
    pulse = SnapshotPoller(core)
    pulse.build()
    clock.advance(1)
    core._journal = journal
    rates = []
    for names in ((), (), ("d", "e"), ()):
        if names:
            await deliver(journal, clock, *names)
        rates.append((await pulse.poll()).environments[0].rate)
        clock.advance(1)
    assert rates == [0, 0, 2, 0]


async def test_leases_of_dead_worker_are_shown(tmp_path, clock, journal):
    paths = paths_in_folder(str(tmp_path / "home"))
    settings = load_settings(paths)
    core = Session(
        ConsoleDependencies(paths, lambda: settings, SQLiteJournal, None),
        settings,
        Permissions(engine=False),
        clock=clock,
    )
    core._journal = journal
    await journal.add([NewDelivery(environment="production", message_id="sprig-a", body=b"{}")])
    await journal.claim(ClaimRequest("production", events=100, payload_bytes=475_000, lease_ms=60_000))
    pulse = SnapshotPoller(core)
    save_environment(paths, "production", {"write_key": "Zq8TinventedKeyOfThirtyTwoChE1Rk"})
    core.settings = load_settings(paths)
    held = "1 claimed by a worker that is gone, until 14:15"
    assert (await pulse.poll()).environments[0].status.text == held
    clock.advance(61)
    claim = await journal.claim(ClaimRequest("production", events=100, payload_bytes=475_000, lease_ms=60_000))
    attempt = Attempt(started_at=clock.now(), status=200, outcome="delivered", events=1)
    await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED, attempt=attempt)])
    assert "held" not in (await pulse.poll()).environments[0].status.text


async def test_status_line_repaints_only_when_its_text_changes(host):
    line = StatusLine()
    painted = []
    line.render_lines, render = lambda crop: painted.append(crop) or render(crop), line.render_lines
    view = EnvironmentView(
        name="production", key="Zq8T…e1Rk", status=EnvironmentStatus("·", "nothing queued", last="200")
    )
    async with host(line).run_test(size=(100, 24)) as pilot:
        line.selected = "production"
        line.snapshot = ConsoleSnapshot(environments=(view,))
        await pilot.pause()
        painted.clear()
        line.snapshot = ConsoleSnapshot(
            environments=(replace(view, status=replace(view.status, last="200, 10 s ago")),)
        )
        await pilot.pause()
        assert not painted
        line.snapshot = replace(line.snapshot, queued=1)
        await pilot.pause()
        assert painted


async def test_deliveries_for_another_endpoint_are_counted_apart(tmp_path, clock, journal):
    paths = paths_in_folder(str(tmp_path / "home"))
    settings = load_settings(paths)
    core = Session(
        ConsoleDependencies(paths, lambda: settings, SQLiteJournal, None),
        settings,
        Permissions(read_only=True),
        clock=clock,
    )
    own = NewDelivery(environment="production", message_id="sprig-a", body=b"{}")
    trial = NewDelivery(environment="production", message_id="sprig-b", body=b"{}", endpoint="http://127.0.0.1:8080")
    await journal.add([own, trial])
    core._journal = journal
    snapshot = await SnapshotPoller(core).poll()
    (view,) = (one for one in snapshot.environments if one.name == "production")
    assert (snapshot.queued, view.queued, view.elsewhere) == (1, 1, 1)
