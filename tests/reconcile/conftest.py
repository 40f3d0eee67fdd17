"""A journal whose deliveries were accepted at given times, and a fake Public API that counts what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support import workspace_lookalike
from support.accepted_deliveries import deliver_at
from support.clocks import ManualClock
from support.counted_workspace import CountedWorkspace

from sprig_tui.config.environment import PublicApiToken
from sprig_tui.config.paths import paths_in_folder
from sprig_tui.config.settings import Settings, load_settings
from sprig_tui.journal.base import Journal
from sprig_tui.journal.open import open_journal
from sprig_tui.reconcile.model import Report
from sprig_tui.reconcile.run import reconcile
from sprig_tui.segment.public_api import PublicApiClient

HOUR = 3_600_000


@pytest.fixture
def clock() -> ManualClock:
    """Twenty past an hour."""
    clock = ManualClock()
    clock.ms = clock.ms // HOUR * HOUR + HOUR // 3
    return clock


@pytest.fixture
def counts(clock: ManualClock) -> Iterator[CountedWorkspace]:
    with CountedWorkspace(clock) as api:
        yield api


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., Settings]:
    """Settings with these keys; of the fake workspace's own sources unless told otherwise."""

    def make(**keys: str) -> Settings:
        keys = keys or {
            "production": workspace_lookalike.PRODUCTION_KEY,
            "development": workspace_lookalike.DEVELOPMENT_KEY,
        }
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        (home / "config.toml").write_text(
            "".join(f'[environments.{name}]\nwrite_key = "{key}"\n' for name, key in keys.items())
        )
        return load_settings(paths_in_folder(str(home)), {})

    return make


@pytest.fixture
async def journal(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Journal]:
    async with open_journal(str(tmp_path / "journal.db"), clock=clock) as opened:
        yield opened


@pytest.fixture
def send(journal: Journal) -> Callable[..., Any]:
    """Journal so many answers, and let Segment take them at this time."""
    return partial(deliver_at, journal)


@pytest.fixture
def compare_with_segment(
    journal: Journal, counts: CountedWorkspace, clock: ManualClock, configure: Callable[..., Settings]
) -> Callable[..., Any]:
    """One reconciliation of the last day, or of what is given, through the real client."""

    async def run(*, token: str = workspace_lookalike.TOKEN, settings: Settings | None = None, **scope: Any) -> Report:
        async def no_sleep(_: float) -> None:
            return None

        given = {"environments": (), "since": clock.now() - 24 * HOUR, "until": clock.now(), **scope}
        async with PublicApiClient(counts.url, PublicApiToken(token), clock=clock, timeout=5.0, sleep=no_sleep) as api:
            return await reconcile(settings or configure(), journal, api, clock=clock, **given)

    return run
