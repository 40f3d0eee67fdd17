"""From one webhook body to the journal: which environment it is for, what it becomes, and what is answered."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Callable, Mapping
from itertools import islice

import msgspec
from msgspec import Struct

from sprig_tui.clock import Clock
from sprig_tui.config.environment import Environment
from sprig_tui.errors import JournalError
from sprig_tui.ingest import EntryBuilder
from sprig_tui.journal.base import Journal
from sprig_tui.journal.records import AddResult, NewDelivery, State
from sprig_tui.mapping.records import Rules
from sprig_tui.reasons import Reason
from sprig_tui.server.responses import HTTPRejectionError
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.records import Origin, Record, StudyResponse, Unsendable
from sprig_tui.sprig.unsendable import invalid_record, json_fault
from sprig_tui.webhooks.group_commit import GroupCommitter

ORIGIN_NAME = "webhook"
MAX_RECORDS = 1_000
"""In one body: Sprig sends one, a REST page has at most so many; a megabyte could hold half a million bad ones."""
MAX_INLINE_PARSE_BYTES = 32_768
"""Longest body that is read on the event loop; one of that length takes some milliseconds."""
YIELD_EVERY_RECORDS = 50
"""Records that are mapped before others get a turn."""
RETRY_AFTER_S = "5"
"""Seconds that the sender is asked to wait while the journal takes nothing."""

_ORIGIN = Origin(ORIGIN_NAME)


class Receipt(Struct, frozen=True):
    """What became of one body's records; they are durable."""

    queued: int
    known: int
    """Were there before; nothing changed."""
    withheld: int


class WebhookHandler:
    """Takes bodies in. `wake` hears for which environment something was queued."""

    def __init__(
        self,
        journal: Journal,
        rules: Rules,
        environments: Mapping[str, Environment],
        *,
        on_queued: Callable[[str], None] = lambda _: None,
        on_entry: Callable[[NewDelivery, AddResult], None] = lambda _entry, _added: None,
        clock: Clock | None = None,
        store_seconds: float = 4.0,
    ) -> None:
        self.committer = GroupCommitter(journal, store_seconds)
        self._on_queued = on_queued
        self._on_entry = on_entry
        self._clock = clock
        self.reconfigure(rules, environments)

    def reconfigure(self, rules: Rules, environments: Mapping[str, Environment]) -> None:
        """Go on with other rules and environments; raises ConfigError, and all stays as it was then."""
        intakes = {name: EntryBuilder(rules, environments, name, clock=self._clock) for name in environments}
        self._shared_builder = EntryBuilder(rules, environments, clock=self._clock)
        self._builders = intakes

    def has_environment(self, environment: str) -> bool:
        """Whether there is an environment of this name."""
        return environment in self._builders

    async def handle(self, raw: bytes, environment: str, authorized: frozenset[str]) -> Receipt:
        """Store what a body holds; returns when it is durable.

        `environment` is the one that the path names, empty for the shared path, where each record goes by its own
        environment id. A record of an environment that is not in `opened` is withheld. Raises HTTPRejectionError:
        400 for a
        body that is no JSON (kept as withheld all the same, unless it is empty), 503 where it cannot be stored.
        """
        intake = self._builders[environment] if environment else self._shared_builder
        # a large body is read in another thread: others are answered meanwhile
        read = await asyncio.to_thread(_parse_body, raw) if len(raw) > MAX_INLINE_PARSE_BYTES else _parse_body(raw)
        records, fault = read
        if not records:
            raise HTTPRejectionError(400, "the body is empty; send JSON", body_read=True)
        if len(records) > MAX_RECORDS:
            raise HTTPRejectionError(413, f"the body holds more than {MAX_RECORDS:,} records", body_read=True)
        entries: list[NewDelivery] = []
        for record in records:
            entries.append(intake.entry(self._withhold_unauthorized(record, intake, authorized)))
            if not len(entries) % YIELD_EVERY_RECORDS:
                await asyncio.sleep(0)
        try:
            added = await self.committer.store(entries)
        except JournalError as error:
            raise HTTPRejectionError(
                503, "it could not be stored; send it again", headers={"retry-after": RETRY_AFTER_S}, body_read=True
            ) from error
        receipt = self._make_receipt(entries, added)
        if fault:
            kept = {"withheld": receipt.withheld, "known": receipt.known}
            raise HTTPRejectionError(400, f"the body is no JSON: {fault}", body_read=True, extra=kept)
        return receipt

    def _withhold_unauthorized(self, record: Record, builder: EntryBuilder, authorized: frozenset[str]) -> Record:
        """The record, or what stands for it where its sender may not send for its environment."""
        belongs = builder.route(record).environment
        if not belongs or belongs in authorized:
            return record
        said = record.environment_id or record.environment or ""
        return Unsendable(
            origin=record.origin,
            raw=record.raw,
            reason=Reason.ENVIRONMENT_UNKNOWN,
            detail=f"its environment id {said[:80]} is {belongs}'s, but it came without {belongs}'s webhook token",
        )

    def _make_receipt(self, entries: list[NewDelivery], added: list[AddResult]) -> Receipt:
        known = withheld = queued = 0
        for entry, one in zip(entries, added, strict=True):
            self._on_entry(entry, one)
            if one.outcome == "known":
                known += 1
            elif one.state is State.QUEUED:
                queued += 1
                self._on_queued(entry.environment)
            else:
                withheld += 1
        return Receipt(queued, known, withheld)


def _parse_body(raw: bytes) -> tuple[list[Record], str]:
    """The records of a body, more than MAX_RECORDS where it holds too many, and why it is no JSON where it is none.

    Of what is no JSON the answers that can be read are kept, and the body as one record beside them.
    """
    raw = raw.removeprefix(codecs.BOM_UTF8)
    records = list(islice(parse_document(raw, _ORIGIN), MAX_RECORDS + 1))
    if all(isinstance(record, StudyResponse) for record in records) or not (fault := _json_error(raw)):
        return records, ""
    answers: list[Record] = [record for record in records if isinstance(record, StudyResponse)]
    return [*answers[: MAX_RECORDS - 1], invalid_record(raw, _ORIGIN, f"the body is no JSON: {fault}")], fault


def _json_error(raw: bytes) -> str:
    """What is wrong with the body as JSON; empty where nothing is."""
    try:
        msgspec.json.decode(raw.decode(), type=object)
    except UnicodeDecodeError as error:
        return f"byte {error.start + 1} is not UTF-8"
    except msgspec.DecodeError as error:
        place, fault = json_fault(raw, error)
        return f"not valid JSON{place}: {fault}" if place else fault
    except RecursionError:
        return "nested too deeply"
    return ""
