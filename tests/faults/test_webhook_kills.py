"""`sprig-tui listen` killed at random moments under load: every webhook it acknowledged is in the journal."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from support import reconcile
from support.programs import Programs
from support.webhook_senders import Senders, anonymous

from sprig_tui.journal.records import State
from sprig_tui.segment.sink import Sink

MISBEHAVIOUR = ("503:6%", "reset+accept:4%", "reset:3%", "close:3%", "hang@every:41", "slow=0.05:10%")


async def test_killed_under_load(tmp_path, journal_place, rounds):
    rng = random.Random(rounds)
    async with (
        Sink(faults=MISBEHAVIOUR, seed=rounds, keep=1_000_000) as sink,
        Programs(tmp_path / "home") as programs,
    ):
        programs.configure(journal_place, sink.url)
        receiver, port = await programs.listen()
        senders = Senders([port])
        for _ in range(rounds):
            hammering = asyncio.create_task(senders.hammer())
            await asyncio.wait((hammering,), timeout=rng.uniform(0.05, 0.9))
            await receiver.kill()
            await hammering
            stored = await reconcile.by_answer(journal_place)
            assert {f"answer {number}" for number in senders.acknowledged} <= set(stored)
            receiver, port = await programs.listen(port)
        await senders.finish()
        assert len(senders.acknowledged) == senders.derived > rounds
        async with asyncio.timeout(60):
            assert await receiver.stop() == 0
        stored = await reconcile.by_answer(journal_place)
        made = range(1, senders.derived + 1)
        assert set(stored) == {f"answer {number}" for number in made}
        withheld = {f"answer {number}" for number in made if anonymous(number)}
        assert {answer for answer, state in stored.items() if state is State.WITHHELD} == withheld
        received = Counter(event["userId"] for event in sink.events)
    assert set(senders.statuses) == {200}
    assert State.FAILED not in stored.values()
    assert set(received.values()) <= {1}, "the sink drops repeats by their id, so none came under another"
