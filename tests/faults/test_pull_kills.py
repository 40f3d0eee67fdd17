"""Pulls killed at random moments, again and again: nothing is missing, and no pull begins again at the beginning."""

from __future__ import annotations

import asyncio
import json
import os
import random
from pathlib import Path
from typing import Any

from support import sprig_samples
from support.fake_sprig_api import FakeSprigApi
from support.forked import Begun, begin

from sprig_tui.journal.query import Query
from sprig_tui.journal.sqlite import SQLiteJournal

PAGES = 16


async def test_killed_pulls_miss_nothing(
    tmp_path: Path, rounds: int, sprig_api: FakeSprigApi, sprig_api_key: str
) -> None:
    total = PAGES * 1_000 - 500
    # ties at every edge of a page, and a few that are withheld
    records = [
        sprig_samples.response(
            n, sprig_samples.START + (n // 3) * 7, externalUserId=None if n % 400 == 399 else f"acct_{n}"
        )
        for n in range(total)
    ]
    withheld = sum(record["externalUserId"] is None for record in records)
    sprig_api.hold(records)
    sprig_api.delay = 0.02
    draw = random.Random(20261123)
    (tmp_path / "config.toml").write_text(
        f'[environments.production]\nsprig_api_key = "{sprig_api_key}"\n[sprig]\napi_url = "{sprig_api.url}"\n'
    )
    (tmp_path / "config.toml").chmod(0o600)
    resumed = 0
    for _ in range(rounds):
        process = await _start(tmp_path)
        await _killed(process, sprig_api, draw)
        resumed += await _unfinished(tmp_path)
    process = await _start(tmp_path, "--json")
    out, err = await process.communicate()
    assert process.returncode in (0, 1), err.decode()
    assert json.loads(out)["pulls"][0]["finished"]
    users = await _users(tmp_path)
    assert users == {"queued": {record["externalUserId"] for record in records} - {None}, "withheld": {""}}
    assert await _counts(tmp_path) == {"queued": total - withheld, "withheld": withheld}
    assert resumed
    # a kill repeats the page that was on the wire or being stored; a pull that was finished reads its overlap again
    assert len(sprig_api.asked()) <= PAGES + 2 * rounds + 4


async def _start(home: Path, *argv: str) -> Begun:
    environ = {**os.environ, "SPRIG_TUI_HOME": str(home)}
    asked = ("pull", "-e", "production", "--no-wait", *argv)
    begun: Begun = await begin(*asked, env=environ, stdout=asyncio.subprocess.PIPE)
    return begun


async def _killed(process: Begun, api: Any, draw: random.Random) -> None:
    """After one to four more pages were asked for, and up to 60 ms."""
    until = len(api.asked()) + draw.randint(1, 4)
    ended = asyncio.ensure_future(process.wait())
    while len(api.asked()) < until and not ended.done():
        await asyncio.wait((ended,), timeout=0.005)
    await asyncio.wait((ended,), timeout=draw.random() * 0.06)
    if not ended.done():
        process.kill()
    await process.communicate()


async def _counts(home: Path) -> dict[str, int]:
    async with SQLiteJournal(str(home / "journal.db")) as journal:
        found = (await journal.counts()).by_environment["production"]
        return {state.value: number for state, number in found.items() if number}


async def _unfinished(home: Path) -> bool:
    """Whether a pull was broken off in the middle, as the journal has it."""
    if not (home / "journal.db").exists():
        return False
    async with SQLiteJournal(str(home / "journal.db")) as journal:
        kept = await journal.positions("pull")
    return any(json.loads(one)["place"].get("unfinished") for one in kept.values())


async def _users(home: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    async with SQLiteJournal(str(home / "journal.db")) as journal:
        cursor, more = 0, True
        while more:
            page = await journal.page(Query(), cursor=cursor, limit=5_000, direction="newer")
            for delivery in page.deliveries:
                found.setdefault(delivery.state.value, set()).add(delivery.user_id)
            more = page.more and bool(page.deliveries)
            cursor = page.deliveries[-1].id if page.deliveries else cursor
    return found
