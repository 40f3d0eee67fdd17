"""`[reconcile] every`: what Segment counted, in the metrics of `run` and `listen`."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import workspace_lookalike
from support.accepted_deliveries import write_journal
from support.counted_workspace import HOUR, CountedWorkspace, Happened
from support.live_sink import LiveSink
from support.plain_http import PLAIN

PRODUCTION = f"src{1:019d}"


@pytest.fixture
def counts() -> Iterator[CountedWorkspace]:
    with CountedWorkspace() as api:
        yield api


@pytest.fixture
def short_by_three(home: Path, counts: CountedWorkspace, sink: LiveSink) -> Path:
    """Twelve deliveries three hours ago, of which Segment counted nine."""
    home.mkdir()
    config = home / "config.toml"
    config.write_text(
        f'[segment]\npublic_api_token = "{workspace_lookalike.TOKEN}"\nregion = "{counts.url}"\n'
        f'[environments.production]\nwrite_key = "{workspace_lookalike.PRODUCTION_KEY}"\nendpoint = "{sink.url}"\n'
        '[reconcile]\nevery = "15m"\n'
    )
    config.chmod(0o600)
    at = time.time_ns() // 1_000_000 // HOUR * HOUR - 3 * HOUR + HOUR // 2
    asyncio.run(write_journal(str(home / "journal.db"), [(at, 12, "production")], sink.url))
    counts.happen([Happened("successfully-received", PRODUCTION, at, 9)])
    return config


def metrics_with(url: str, part: str) -> str:
    """The metrics, once they have this."""
    with httpx.Client(trust_env=False, verify=PLAIN) as monitor:
        while part not in (text := monitor.get(f"{url}/metrics").text):
            pass
    return text


def reconcile_lines(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"^sprig_tui_reconcile_(\S+) (\S+)$", text, re.MULTILINE)}


def test_run_and_listen_show_the_comparison_and_only_one_asks(
    short_by_three: Path, counts: CountedWorkspace, start: Callable[..., Any]
) -> None:
    running = start("run", "--metrics", "0", "--status-every", "0")
    url = running.until("monitors ask").split("monitors ask ")[1].split("/healthz")[0]
    lines = reconcile_lines(metrics_with(url, "sprig_tui_reconcile_short{"))
    age = lines.pop('age_seconds{environment="production"}')
    assert 0 <= age < 60
    assert lines == {
        'sent{environment="production"}': 12,
        'received{environment="production"}': 9,
        'short{environment="production"}': 3,
        'compared{environment="production"}': 1,
        "failed": 0,
    }
    asked = len(counts.asked)
    listening = start("listen", "--port", "0", "--status-every", "0")
    text = metrics_with(listening.url(), "sprig_tui_reconcile_short{")
    assert reconcile_lines(text)['short{environment="production"}'] == 3
    assert len(counts.asked) == asked, "the report of the other process is young enough"
    assert running.stop() == listening.stop() == 0


def test_workspace_that_does_not_answer_is_a_line_and_stops_nothing(
    short_by_three: Path, counts: CountedWorkspace, start: Callable[..., Any]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    short_by_three.write_text(short_by_three.read_text().replace(counts.url, nobody))
    running = start("run", "--metrics", "0", "--status-every", "0")
    url = running.until("monitors ask").split("monitors ask ")[1].split("/healthz")[0]
    running.until("the comparison with Segment's counts failed")
    assert reconcile_lines(metrics_with(url, "sprig_tui_reconcile_failed 1.0"))["failed"] == 1
    assert running.stop() == 0
