"""Entry builder: turns a record into a journal entry by choosing its environment, mapping it and making its preview."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Protocol

import msgspec
from msgspec import Raw, Struct

from sprig_tui.clock import Clock, SystemClock
from sprig_tui.errors import ConfigError
from sprig_tui.journal.dedup import identity_key, with_message_id
from sprig_tui.journal.entry_columns import EntryColumns
from sprig_tui.journal.records import NewDelivery, State
from sprig_tui.mapping.mapper import Mapper
from sprig_tui.mapping.records import Rules
from sprig_tui.reasons import Reason
from sprig_tui.segment.placeholder_ids import is_placeholder_user_id
from sprig_tui.segment.track import repeated_message_id, withheld_message_id
from sprig_tui.sprig.records import Record, StudyResponse, Unsendable

PREVIEW_CHARS = 120
"""Characters of an answer kept for lists."""
_MAX_PREVIEW_BYTES = 4 * PREVIEW_CHARS + 8
"""Enough for `PREVIEW_CHARS` characters of any length in UTF-8, and the quote."""
MAX_LIST_TEXT_CHARS = 500
"""Characters of a name or id kept for lists; the payload has all of it."""
_ROUTE_CACHE_SIZE = 1_024
"""Cached routes; limited, because a hostile file may name a new environment in every record."""

_MAX_SEEN_RECORDS = 100_000
"""Records without an identity that are remembered per input, some 10 MB. Equal ones beyond that count as one."""

_decode_text = msgspec.json.Decoder(str).decode


class EnvironmentRoute(Struct, frozen=True, gc=False):
    """Environment of a record."""

    environment: str
    """Name; empty when unknown, and then `detail` says why and what to set."""
    detail: str = ""
    """May also hold a remark on a route that was found."""


class MappingEnvironment(Protocol):
    """Environment, as the entry builder uses it."""

    @property
    def sprig_environment_id(self) -> str | None:
        """Sprig's id of the environment."""

    @property
    def override_url(self) -> str:
        """URL of this run if it differs from the environment's own; else empty."""


class EntryBuilder:
    """Makes entries of records, for `send`, `listen`, `pull` and the console.

    `default_environment` is the chosen one (`-e`). It applies to records without an environment and to those with an
    environment id that is not configured, never to a record that names another environment. Raises ConfigError for a
    default environment that is not configured and for invalid rules. Not thread-safe.
    """

    def __init__(
        self,
        rules: Rules,
        environments: Mapping[str, MappingEnvironment],
        default_environment: str | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        if default_environment is not None and default_environment not in environments:
            raise ConfigError(
                f"no environment is called {default_environment}",
                hint=f"use one of: {', '.join(environments)}" if environments else "add one to the config",
            )
        self.mapper = Mapper(rules)
        self._store_raw = rules.store_raw
        self.placeholder_user_ids = 0
        """Sendable entries so far whose User ID is a placeholder, such as `null`."""
        self._queued = 0
        """Sendable entries so far."""
        self._reasons: Counter[str] = Counter()
        """Withheld entries so far, by reason."""
        self.environments = environments
        self.elsewhere = {name: item.override_url for name, item in environments.items() if item.override_url}
        """URL of this run by environment, where it differs from the environment's own."""
        self._surveys = rules.surveys
        self.default_environment = default_environment
        self._by_id = {e.sprig_environment_id: name for name, e in environments.items() if e.sprig_environment_id}
        self.clock = clock or SystemClock()
        self._routes: dict[tuple[str | None, str | None], EnvironmentRoute] = {}
        self._seen_counts: dict[int, int] | None = None
        """Occurrences of each record without an identity in the current input; None outside of an input."""

    def entry(self, record: Record, *, edited: bool = False) -> NewDelivery:
        """The entry for one record; never raises for its content. `edited`: the user changed it."""
        entry = self.uncounted_entry(record, edited=edited)
        if reason := entry.reason:
            self._reasons[reason] += 1
        else:
            self._queued += 1
            if is_placeholder_user_id(entry.user_id):
                self.placeholder_user_ids += 1
        return entry

    def uncounted_entry(self, record: Record, *, edited: bool = False) -> NewDelivery:
        """The same, for entries that another process counts (`add_counts`)."""
        if isinstance(record, Unsendable):
            return self._unsendable_entry(record)
        return self._response_entry(record, edited)

    @property
    def stats(self) -> Counter[tuple[State, str]]:
        """Entries made so far by (state, reason), before the journal finds repeats among them."""
        counts = Counter({(State.WITHHELD, reason): number for reason, number in self._reasons.items()})
        if self._queued:
            counts[State.QUEUED, ""] = self._queued
        return counts

    def entries(self, records: Iterable[Record]) -> Iterator[NewDelivery]:
        """One entry per record, in order, made on demand; `records` are one input (`begin_input`)."""
        self.begin_input()
        return map(self.entry, records)

    def begin_input(self) -> None:
        """Start an input: equal records without an identity are numbered from here on.

        An unreadable line is identified by its bytes, so that sending the same file twice adds nothing, wherever the
        file is and whatever precedes the line. The second of two equal lines in one input is a record of its own: its
        id is made of the first one's and of its number. Single records (a webhook, an edited record) are not numbered,
        so that receiving one twice adds nothing.
        """
        self._seen_counts = {}

    def add_counts(self, entries: EntryColumns) -> None:
        """Count entries made by a subprocess in `stats` and `placeholder_user_ids`."""
        sendable, reasons = entries.column("user_id"), entries.column("reason")
        if any(reasons):
            self._reasons.update(filter(None, reasons))
            sendable = [user_id for user_id, reason in zip(sendable, reasons, strict=True) if not reason]
        self._queued += len(sendable)
        self.placeholder_user_ids += sum(map(is_placeholder_user_id, sendable))

    # -- environment --------------------------------------------------------------------------------------------------

    def route(self, record: Record) -> EnvironmentRoute:
        """The environment that a record names, or the default one."""
        return self.route_of(record.environment, record.environment_id)

    def route_of(self, name: str | None, sprig_id: str | None) -> EnvironmentRoute:
        """The same for these names of an environment: its own, and Sprig's id of it."""
        key = (name, sprig_id)
        route = self._routes.get(key)
        if route is None:
            if len(self._routes) >= _ROUTE_CACHE_SIZE:
                self._routes.clear()
            route = self._routes[key] = self._find_route((key[0] or "").strip().lower(), (key[1] or "").strip())
        return route

    def _find_route(self, name: str, sprig_id: str) -> EnvironmentRoute:
        chosen = self.default_environment
        by_id = self._by_id.get(sprig_id, "") if sprig_id else ""
        if name and name not in self.environments:
            return EnvironmentRoute(
                "", f"this record names environment {name[:80]}, and there is none of that name: add it, or correct it"
            )
        if name and by_id and name != by_id:
            return EnvironmentRoute(
                "", f"this record names environment {name}, but Sprig environment {sprig_id[:80]} is that of {by_id}"
            )
        own = name or by_id
        if own and chosen and own != chosen:
            origin = f"names {own}" if name else f"is from Sprig environment {sprig_id[:80]}, which is that of {own}"
            return EnvironmentRoute("", f"this record {origin}, but you chose {chosen}: send it to {own}")
        if own:
            return EnvironmentRoute(own)
        if not sprig_id:
            return EnvironmentRoute(chosen or "", "" if chosen else self._no_environment_text())
        return self._unknown_id(sprig_id[:80])

    def _unknown_id(self, sprig_id: str) -> EnvironmentRoute:
        chosen = self.default_environment
        if not chosen:
            return EnvironmentRoute(
                "",
                f"this record names Sprig environment {sprig_id}, which none of yours has: set sprig_environment_id of"
                f" the right one, or choose one (-e {self._example_environment()})",
            )
        own = self.environments[chosen].sprig_environment_id
        if own:
            return EnvironmentRoute(
                "",
                f"this record names Sprig environment {sprig_id}, but {chosen} has {own[:80]}:"
                " set sprig_environment_id of the environment it belongs to",
            )
        return EnvironmentRoute(
            chosen,
            f"this record names Sprig environment {sprig_id}, which none of yours has; using your choice, {chosen}",
        )

    def _no_environment_text(self) -> str:
        return f"this record names no environment: choose one (-e {self._example_environment()})"

    def _example_environment(self) -> str:
        """An environment to name in a hint: development, where a mistake does the least harm."""
        usual = "development"
        return usual if usual in self.environments else next(iter(self.environments), usual)

    # -- entry --------------------------------------------------------------------------------------------------------

    def _response_entry(self, record: StudyResponse, edited: bool) -> NewDelivery:
        route = self.route(record)
        mapping = self.mapper.map(record, environment=route.environment, now_ms=self.clock.now())
        reason, detail = mapping.withheld or "", mapping.detail
        if not reason or reason is Reason.ENVIRONMENT_UNKNOWN:
            detail = route.detail
        response = mapping.response
        survey_id = "" if response.survey_id is None else str(response.survey_id)
        survey_name, user_id = response.survey_name or "", response.user_id or ""
        if not survey_name and survey_id in self._surveys:
            survey_name = self._surveys[survey_id].name or ""
        question_type, question_id = response.question_type, response.question_id
        together = survey_id + survey_name + user_id + question_type + question_id
        if len(together) > MAX_LIST_TEXT_CHARS or not together.isascii():
            survey_id, survey_name, user_id = (
                _truncate_list_text(survey_id),
                _truncate_list_text(survey_name),
                _truncate_list_text(user_id),
            )
            question_type, question_id = _truncate_list_text(question_type), _truncate_list_text(question_id)
        raw, answer, body = record.raw, mapping.answer, mapping.body if route.environment else b""
        if self._store_raw != "full":
            raw, answer = b"", self.mapper.sent_answer(mapping)
            if self._store_raw == "none":
                answer, body = b"", b"" if reason else body
        entry = NewDelivery(
            route.environment,
            mapping.message_id,
            mapping.digest,
            reason,
            detail,
            survey_id,
            survey_name,
            user_id,
            question_type,
            question_id,
            preview(answer),
            mapping.answered_ms,
            mapping.updated_ms,
            fit_name(record.origin.name),
            record.origin.line,
            edited,
            raw,
            body,
            self.elsewhere.get(route.environment, "") if self.elsewhere else "",
        )
        return self._with_repeat_id(entry) if reason and not (response.response_group_id or "").strip() else entry

    def _unsendable_entry(self, record: Unsendable) -> NewDelivery:
        environment = self.route(record).environment
        entry = NewDelivery(
            environment=environment,
            message_id=withheld_message_id(environment, record.raw),
            reason=record.reason,
            detail=_truncate_list_text(record.explanation),
            survey_id=_truncate_list_text(record.survey_id),
            survey_name=_truncate_list_text(record.survey_name),
            user_id=_truncate_list_text(record.user_id),
            source=_truncate_list_text(record.origin.name),
            line=record.origin.line,
            raw=record.raw if self._store_raw == "full" else b"",
            endpoint=self.elsewhere.get(environment, ""),
        )
        return self._with_repeat_id(entry)

    def _with_repeat_id(self, entry: NewDelivery) -> NewDelivery:
        """The entry, with an id of its own if an equal one preceded it in this input."""
        if self._seen_counts is None:
            return entry
        key = identity_key(entry.environment, entry.message_id)
        number = self._seen_counts.get(key, 0) + 1
        if number == 1 and len(self._seen_counts) >= _MAX_SEEN_RECORDS:
            return entry
        self._seen_counts[key] = number
        return entry if number == 1 else with_message_id(entry, repeated_message_id(entry.message_id, number))


def preview(answer: Raw | bytes) -> str:
    """An answer for lists: a string without quotes, other JSON as written; at most `PREVIEW_CHARS` characters."""
    json = bytes(answer)
    if json[:1] != b'"':
        text = json[:_MAX_PREVIEW_BYTES].decode("utf-8", "ignore")  # keywords take a tenth of a microsecond
    elif json.find(b"\\") < 0:  # `in` takes twice as long
        cut = json[1:_MAX_PREVIEW_BYTES] if len(json) > _MAX_PREVIEW_BYTES else json[1:-1]
        text = cut.decode("utf-8", "ignore")
    else:
        try:
            text = _decode_text(json)
        except ValueError:
            # half of a surrogate pair, which JSON allows and text does not
            text = json[1:-1].decode(errors="replace")
    return text if len(text) <= PREVIEW_CHARS else text[: PREVIEW_CHARS - 1] + "…"


def _truncate_list_text(text: str) -> str:
    """A text cut for lists, and made valid Unicode."""
    text = text[:MAX_LIST_TEXT_CHARS]
    return text if text.isascii() else text.encode(errors="replace").decode()


fit_name = lru_cache(maxsize=16)(_truncate_list_text)
"""Cached, for the names of inputs: each occurs in many records."""
