"""The process that the fault runs kill: feeds a file and delivers, until all of it has an end state.

    python worker.py JOURNAL INPUT URL [patient]

A patient one waits long for answers, so that a busy machine does not make it send anything twice.

Prints `accepted N` after each chunk that the journal has taken, `settled` at the end.
"""

from __future__ import annotations

import asyncio
import sys

from sprig_tui.config.environment import DeliverySettings, Environment, WriteKey
from sprig_tui.delivery.engine import Engine
from sprig_tui.delivery.wait import wait_until_settled
from sprig_tui.ingest import EntryBuilder
from sprig_tui.ingest.ingest import IngestResult, ingest_records
from sprig_tui.journal.open import open_journal
from sprig_tui.mapping.records import Rules
from sprig_tui.sprig.reader import read_responses

SETTINGS = DeliverySettings(timeout=0.4, lease=1.5, connections=3)
PATIENT = DeliverySettings(timeout=60, lease=120, connections=3)
PRODUCTION = Environment(
    name="production", write_key=WriteKey("F" * 32), requests_per_second=200, sprig_environment_id="QmK7x2dTfa"
)


def told(fed: IngestResult) -> None:
    """Say how much the journal has acknowledged."""
    print("accepted", fed.records, flush=True)


async def main(place: str, source: str, url: str, temper: str = "") -> None:
    """Feed and deliver."""
    from msgspec.structs import replace

    settings = PATIENT if temper == "patient" else SETTINGS
    environments = {"production": replace(PRODUCTION, endpoint=url)}
    async with open_journal(place) as journal, Engine(journal, environments, settings) as engine:
        fed = await ingest_records(
            read_responses([source]), EntryBuilder(Rules(), environments), journal, engine, on_progress=told
        )
        waited = await wait_until_settled(journal, fed.ids, fed.environments, engine=engine, timeout_s=600)
        print("settled" if not waited.queued else f"stands still: {waited.stalls}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
