"""Pull from the fake Sprig API into a list in place of the journal, in its own state folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.clocks import ManualClock
from support.fake_sprig_api import FakeSprigApi

from sprig_tui.clock import MonotonicClock, SystemClock
from sprig_tui.config.environment import Environment, SprigApiKey
from sprig_tui.config.paths import Paths, paths_in_folder
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.pull.checkpoint import CheckpointStore
from sprig_tui.pull.fetcher import PageFetcher
from sprig_tui.pull.pull import Puller
from sprig_tui.pull.request import PullProgress, PullRequest
from sprig_tui.sprig.api import SprigClient
from sprig_tui.sprig.records import Record, StudyResponse

START = 1_772_355_600_000
DAY = 86_400_000


class QuickTiming:
    """Waits take no time, and are noted; the monotonic clock goes on by them."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._now = 0.0

    def monotonic(self) -> float:
        return self._now

    async def wait(self, _event: Any, seconds: float) -> bool:
        self.waits.append(seconds)
        self._now += seconds
        return False


class Trial:
    """Pulls of one environment, one after the other; what was stored is kept in order."""

    def __init__(self, paths: Paths, url: str, key: str) -> None:
        self.paths = paths
        self.url = url
        self.journal = "journal.db"
        self.environment = Environment(name="production", sprig_api_key=SprigApiKey(key))
        self.clock = ManualClock(START + 30 * DAY)
        self.timing: MonotonicClock = QuickTiming()
        self.stored: list[Record] = []
        self.states: list[PullProgress] = []
        self.timeout = 5.0
        self.max_body = 10_000_000
        self.fail_after = -1
        """Pages after which storing fails, once."""

    async def pull(self, *, keep: bool = True, patience: float = 60.0, **asked: Any) -> PullProgress:
        client = SprigClient(
            self.url,
            self.environment.sprig_api_key,
            clock=SystemClock(),
            timeout=self.timeout,
            max_body=self.max_body,
        )
        async with client, SQLiteJournal(self.paths.state_dir / self.journal) as journal:
            fetcher = PageFetcher(client, timeout_s=patience, timing=self.timing, draw=lambda: 0.5)
            puller = Puller(
                self.environment,
                CheckpointStore(self.paths, "production", self.url, journal, self.journal),
                PullRequest(**asked),
                fetcher,
                clock=self.clock,
                save_state=keep,
                on_progress=self.states.append,
            )
            with puller.checkpoints.lock():
                await puller.pull_surveys()
                return await puller.pull_responses(self._store)

    async def _store(self, records: Sequence[Record]) -> None:
        self.fail_after -= 1
        if self.fail_after == -1:
            raise OSError("the disk is full")
        self.stored.extend(records)

    def with_key(self, key: str) -> None:
        self.environment = replace(self.environment, sprig_api_key=SprigApiKey(key))

    @property
    def answers(self) -> list[StudyResponse]:
        return [record for record in self.stored if isinstance(record, StudyResponse)]

    @property
    def groups(self) -> list[str]:
        return [record.response_group_id for record in self.answers]

    @property
    def waits(self) -> list[float]:
        assert isinstance(self.timing, QuickTiming)
        return self.timing.waits


@pytest.fixture
def trial(tmp_path: Path, sprig_api: FakeSprigApi, sprig_api_key: str) -> Trial:
    return Trial(paths_in_folder(str(tmp_path)), sprig_api.url, sprig_api_key)
