"""Webhook handler: parses one body, finds the environment of each record and stores the entries.

`webhooks.app` makes the HTTP response of what is returned or raised here.
"""

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
"""Records in one body. Sprig sends one, a REST page has at most 1,000; a hostile megabyte could hold 500,000."""
MAX_INLINE_PARSE_BYTES = 32_768
"""Longest body that is parsed on the event loop, which takes some milliseconds; longer ones go to a thread."""
YIELD_EVERY_RECORDS = 50
"""Records that are mapped before other requests get a turn on the event loop."""
RETRY_AFTER_S = "5"
"""Retry-After in seconds while the journal stores nothing."""

_ORIGIN = Origin(ORIGIN_NAME)


class Receipt(Struct, frozen=True):
    """Counts of the records of one body, all of them durable."""

    queued: int
    known: int
    """Already in the journal; nothing changed."""
    withheld: int
    is_forgotten: bool = False
    """Whether one of them is of a forgotten person: nothing of the body may be kept."""


class WebhookHandler:
    """Stores webhook bodies in the journal.

    `on_queued` is called with the environment of each delivery that was queued, `on_entry` with each entry and its
    result.
    """

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
        """Use these rules and environments from now on; raises ConfigError, and changes nothing then."""
        builders = {name: EntryBuilder(rules, environments, name, clock=self._clock) for name in environments}
        self._shared_builder = EntryBuilder(rules, environments, clock=self._clock)
        self._builders = builders

    def has_environment(self, environment: str) -> bool:
        """Whether an environment of this name is configured."""
        return environment in self._builders

    async def handle(self, raw: bytes, environment: str, authorized: frozenset[str]) -> Receipt:
        """Store the records of a body; returns when they are durable.

        `environment` is the one in the path. It is empty for the shared path, where each record is routed by its
        environment id. A record of an environment that is not in `authorized` is withheld. Raises HTTPRejectionError:
        400 for a body that is not JSON (stored as withheld, unless it is empty), 503 if the journal stores nothing.
        """
        builder = self._builders[environment] if environment else self._shared_builder
        if len(raw) > MAX_INLINE_PARSE_BYTES:
            records, fault = await asyncio.to_thread(_parse_body, raw)
        else:
            records, fault = _parse_body(raw)
        if not records:
            raise HTTPRejectionError(400, "the body is empty; send JSON", body_read=True)
        if len(records) > MAX_RECORDS:
            raise HTTPRejectionError(413, f"the body holds more than {MAX_RECORDS:,} records", body_read=True)
        entries: list[NewDelivery] = []
        for record in records:
            entries.append(builder.entry(_withhold_unauthorized(record, builder, authorized)))
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
            counts = {"withheld": receipt.withheld, "known": receipt.known}
            raise HTTPRejectionError(400, f"the body is not JSON: {fault}", body_read=True, extra=counts)
        return receipt

    def _make_receipt(self, entries: list[NewDelivery], added: list[AddResult]) -> Receipt:
        known = withheld = queued = 0
        is_forgotten = any(result.reason == Reason.FORGOTTEN for result in added)
        for entry, result in zip(entries, added, strict=True):
            self._on_entry(entry, result)
            if result.outcome == "known":
                known += 1
            elif result.state is State.QUEUED:
                queued += 1
                self._on_queued(entry.environment)
            else:
                withheld += 1
        return Receipt(queued, known, withheld, is_forgotten)


def _withhold_unauthorized(record: Record, builder: EntryBuilder, authorized: frozenset[str]) -> Record:
    """The record; or, if the request has no token for the record's environment, a withheld one in its place."""
    owner = builder.route(record).environment
    if not owner or owner in authorized:
        return record
    environment_id = record.environment_id or record.environment or ""
    return Unsendable(
        origin=record.origin,
        raw=record.raw,
        reason=Reason.ENVIRONMENT_UNKNOWN,
        detail=f"its environment id {environment_id[:80]} is {owner}'s, but it came without {owner}'s webhook token",
    )


def _parse_body(raw: bytes) -> tuple[list[Record], str]:
    """The records of a body, at most MAX_RECORDS + 1, and the JSON error; an empty text where the body is JSON.

    Of a body that is not JSON, the answers that can be read are returned, and the whole body as one invalid record.
    """
    raw = raw.removeprefix(codecs.BOM_UTF8)
    records = list(islice(parse_document(raw, _ORIGIN), MAX_RECORDS + 1))
    if all(isinstance(record, StudyResponse) for record in records) or not (fault := _json_error(raw)):
        return records, ""
    answers: list[Record] = [record for record in records if isinstance(record, StudyResponse)]
    return [*answers[: MAX_RECORDS - 1], invalid_record(raw, _ORIGIN, f"the body is not JSON: {fault}")], fault


def _json_error(raw: bytes) -> str:
    """The JSON error of a body; empty if the body is JSON."""
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
