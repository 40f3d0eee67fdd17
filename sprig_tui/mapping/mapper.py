"""Mapper of a StudyResponse to a track call. It is pure, and on the hot path of every delivery."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, Raw, UnsetType
from msgspec.structs import astuple

from sprig_tui.mapping.digest import digest
from sprig_tui.mapping.properties import PROPERTY_PATHS, Properties, property_maker
from sprig_tui.mapping.records import FieldTrace, Mapping, Rules, Value
from sprig_tui.mapping.rules import apply_rules, check_rules, hash_value, hashed_paths, keyed_hash, subpaths
from sprig_tui.mapping.sanitize import (
    MAX_SAFE_NUMBER_BYTES,
    find_huge_numbers,
    may_hold_huge_number,
    sanitize,
    validate_json,
)
from sprig_tui.mapping.withholding import GROUP_MISSING, withhold_reason
from sprig_tui.segment.limits import MAX_EVENT_BYTES
from sprig_tui.segment.lints import Lint
from sprig_tui.segment.timestamps import parse_instant, parse_usual_ms
from sprig_tui.segment.track import Track, encode_track, message_id, withheld_message_id
from sprig_tui.sprig.records import StudyResponse

if TYPE_CHECKING:
    from sprig_tui.mapping.field_notes import PropertySpec

_QUOTE = ord('"')
"""First byte of a JSON text, which holds no number."""
_RESPONSE_POSITION = PROPERTY_PATHS.index("properties.response")
_MAX_SAFE_ID = 1 << 63
"""Largest id that is not checked for being beyond a double."""


class Mapper:
    """Mapper for one set of rules; everything that is the same for all answers is computed once."""

    def __init__(self, rules: Rules) -> None:
        """Raises ConfigError for an invalid rule, and for `hmac` without its key."""
        check_rules(rules)
        keyed_hash(rules)
        self.rules = rules
        self._plain = property_maker(rules)
        ruled = rules.omit or rules.hash or rules.hmac
        self._edits = tuple(_make_edit(path, rules) for path in PROPERTY_PATHS) if ruled else ()
        """A function for each property that applies the rules to its value; empty without such rules."""
        self._event = rules.event
        integration = {"name": rules.integration_name, "version": rules.integration_version}
        self._context = Raw(msgspec.json.encode({"integration": integration}))
        self._integrations = UNSET if rules.integrations is None else Raw(msgspec.json.encode(rules.integrations))

    def map(self, response: StudyResponse, *, environment: str, now_ms: int) -> Mapping:
        """Map one response for an environment, by name; `now_ms` is the wall time in milliseconds since 1970.

        An empty name is an unknown environment. Never raises: a response that cannot be sent is withheld with a reason.
        """
        try:
            return self._map(response, environment, now_ms, ())
        except (ValueError, RecursionError):
            # Text or JSON that cannot be sent as it is. It is rare, so only a failed mapping checks for it.
            sanitized, faults = sanitize(response)
            return self._map(sanitized, environment, now_ms, faults)

    def trace(self, mapping: Mapping) -> tuple[FieldTrace, ...]:
        """One FieldTrace per field, in the order of Sprig's table."""
        from sprig_tui.mapping.trace import trace  # imported late, as in `_specs`

        plain = self._plain(mapping.response)
        return trace(mapping, self.rules, self._specs, astuple(plain), astuple(self._apply_rules(plain)))

    @cached_property
    def _specs(self) -> tuple[PropertySpec, ...]:
        from sprig_tui.mapping.field_notes import property_specs  # imported late: sending traces nothing

        return property_specs(self.rules)

    def encode_call(
        self, message_id: str, user_id: str | UnsetType, properties: Properties, timestamp: str | UnsetType
    ) -> bytes:
        """The call with these fields as JSON. Raises ValueError for text and numbers that cannot be encoded."""
        return encode_track(
            Track(message_id, user_id, self._event, "track", properties, self._context, timestamp, self._integrations)
        )

    def sent_answer(self, mapping: Mapping) -> bytes:
        """The JSON of the answer as it is sent: hashed, or without parts, where the rules ask for that; or empty."""
        if not self._edits:
            return mapping.answer
        value = self._edits[_RESPONSE_POSITION](Raw(mapping.answer))
        if value is UNSET:
            return b""
        return bytes(value) if isinstance(value, Raw) else msgspec.json.encode(value)

    def _apply_rules(self, plain: Properties) -> Properties:
        """The properties under the rules: omitted ones are UNSET, hashed ones hold the hash."""
        if not self._edits:
            return plain
        return Properties(*(edit(value) for edit, value in zip(self._edits, astuple(plain), strict=True)))

    def _map(self, response: StudyResponse, environment: str, now_ms: int, faults: tuple[Lint, ...]) -> Mapping:
        user_id = (response.user_id or "").strip()
        group = response.response_group_id
        if group and not group.isspace():
            identity = message_id(environment, group, response.question, response.question_type)
        else:
            identity = withheld_message_id(environment, response.raw)
            faults = (*faults, GROUP_MISSING)
        answered = response.answered_at or ""
        ms = parse_usual_ms(answered)
        if ms is None:
            instant = parse_instant(answered)
            if instant is not None:
                answered, ms = instant.text, instant.ms
        body = self.encode_call(identity, user_id or UNSET, self._apply_rules(self._plain(response)), answered or UNSET)
        # Foreign JSON is copied unparsed: bytes that are not one whole value could add fields to the call.
        answer = bytes(response.response)
        validate_json(answer)
        attributes = response.attributes
        if isinstance(attributes, Raw):
            validate_json(attributes)
        survey_id = response.survey_id
        if (
            (isinstance(attributes, Raw) and may_hold_huge_number(attributes))
            or (len(answer) > MAX_SAFE_NUMBER_BYTES and answer[0] != _QUOTE and may_hold_huge_number(answer))
            or (isinstance(survey_id, int) and survey_id > _MAX_SAFE_ID)
        ):
            faults = (*faults, *find_huge_numbers(response))
        if not body.isascii():
            body.decode()
        withheld, detail = None, ""
        if (
            not user_id
            or ms is None
            or ms < 0
            or len(body) > MAX_EVENT_BYTES
            or faults
            or not environment
            or response.deleted_at
        ):
            withheld, detail = withhold_reason(response, body, environment, now_ms, faults)
        updated_ms = 0
        if response.updated_at:
            updated_ms = (ms or 0) if response.updated_at == response.answered_at else _parse_ms(response.updated_at)
        return Mapping(
            environment,
            identity,
            body,
            response,
            now_ms,
            self,
            withheld,
            detail,
            digest(answer),
            ms or 0,
            updated_ms,
            faults,
            answer,
        )


def map_response(response: StudyResponse, rules: Rules, *, environment: str, now_ms: int) -> Mapping:
    """Map one response; for many under the same rules, make one `Mapper`. Raises ConfigError for bad rules only."""
    return Mapper(rules).map(response, environment=environment, now_ms=now_ms)


def _parse_ms(text: str) -> int:
    ms = parse_usual_ms(text)
    if ms is None:
        instant = parse_instant(text)
        return 0 if instant is None else instant.ms
    return ms


def _make_edit(path: str, rules: Rules) -> Callable[[Value], Value]:
    if path in rules.omit:
        return _omit
    if path in rules.hash:
        return hash_value
    if path in rules.hmac:
        return keyed_hash(rules)
    omit, hashes = subpaths(rules.omit, path), hashed_paths(rules, path)
    if not omit and not hashes:
        return _keep
    return lambda value: apply_rules(value, omit, hashes) if isinstance(value, Raw) else value


def _omit(_value: Value) -> Value:
    return UNSET


def _keep(value: Value) -> Value:
    return value
