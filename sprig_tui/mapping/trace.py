"""The inspector's rows: every field of the call in the table's order, with where it came from and what is off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import UNSET, Raw

from sprig_tui.mapping.field_rules import Value
from sprig_tui.mapping.properties import PropertySpec
from sprig_tui.mapping.records import FieldTrace, Level, Mapping, Rules
from sprig_tui.mapping.rules import subpaths
from sprig_tui.mapping.withholding import other_id_clause
from sprig_tui.segment.lints import Lint
from sprig_tui.segment.timestamps import parse_instant
from sprig_tui.sprig.records import Note, StudyResponse, note_text

_DEFAULTS = Rules()
_NOTED_FIELDS = {
    Note.TYPE_INFERRED: "properties.questionType",
    Note.TYPE_NOT_NAMED: "properties.questionType",
    Note.ODD_VISITOR: "properties.visitorId",
}
"""Field that a note bears on; the others bear on the record as a whole."""


def trace(
    mapping: Mapping, rules: Rules, rows: Sequence[PropertySpec], plain: Sequence[Value], sent: Sequence[Value]
) -> tuple[FieldTrace, ...]:
    """One row per field: userId, event, type, the properties, context, the times, messageId, integrations.

    `rows` has a row for each property, `plain` its value before the rules, `sent` its value under them.
    """
    response = mapping.response
    read = _reading_notes(response)
    fields = [
        _user_id(response),
        FieldTrace("event", rules.event, _rule_origin(rules.event, _DEFAULTS.event)),
        FieldTrace("type", "track", "default", _joined(read["type"]), "warning" if read["type"] else "ok"),
        *(
            _property(response, row, values, rules, read.get(row.path, ()))
            for row, *values in zip(rows, plain, sent, strict=True)
        ),
        _integration(rules),
        FieldTrace("sentAt", UNSET, "at send", "stamped on each attempt"),
        _timestamp(response),
        FieldTrace("receivedAt", UNSET, "", "never sent: Segment sets it on arrival"),
        FieldTrace("messageId", mapping.message_id, "computed"),
        _integrations(rules),
    ]
    lints = mapping.lints
    return tuple(_add_lints(field, lints) for field in fields)


def _rule_origin(value: object, default: object) -> str:
    return "default" if value == default else "config"


def _user_id(response: StudyResponse) -> FieldTrace:
    value = (response.user_id or "").strip()
    note = "" if value else other_id_clause(response)
    return FieldTrace("userId", value or UNSET, response.paths.get("user_id", ""), note)


def _reading_notes(response: StudyResponse) -> dict[str, list[str]]:
    """What was noted while reading, by the field it bears on; `type` takes what bears on the record as a whole."""
    notes: dict[str, list[str]] = {"type": [], "properties.questionType": [], "properties.visitorId": []}
    for note in response.notes:
        notes[_NOTED_FIELDS.get(note, "type")].append(note_text(note))
    return notes


def _property(
    response: StudyResponse, row: PropertySpec, values: Sequence[Value], rules: Rules, read: Sequence[str]
) -> FieldTrace:
    plain, value = values
    if row.path in rules.omit:
        return FieldTrace(row.path, UNSET, "config", "left out, as the rules ask")
    said = row.said(response, plain)
    origin = said.origin or response.paths.get(row.attribute, "")
    notes = [*(read or (said.note,)), *_edits(row, value, plain, rules)]
    return FieldTrace(row.path, value, origin, _joined(notes), "warning" if read else said.level)


def _edits(row: PropertySpec, value: Value, plain: Value, rules: Rules) -> Iterable[str]:
    if row.path in rules.hash:
        if value is not UNSET and value is not None:
            yield "sha256 of its trimmed lower-case text, as the rules ask"
    elif value is not plain and isinstance(value, Raw):
        if left_out := subpaths(rules.omit, row.path):
            yield f"left out, as the rules ask: {', '.join(left_out)}"
        if hashed := subpaths(rules.hash, row.path):
            yield f"hashed, as the rules ask: {', '.join(hashed)}"


def _integration(rules: Rules) -> FieldTrace:
    value = {"name": rules.integration_name, "version": rules.integration_version}
    default = {"name": _DEFAULTS.integration_name, "version": _DEFAULTS.integration_version}
    return FieldTrace("context.integration", value, _rule_origin(value, default))


def _timestamp(response: StudyResponse) -> FieldTrace:
    written = response.answered_at or ""
    origin = response.paths.get("answered_at", "")
    instant = parse_instant(written)
    if instant is not None:
        return FieldTrace("timestamp", instant.text, origin, instant.note)
    note = "the time of the last change is not the answer's, and not used" if response.updated_at else ""
    return FieldTrace("timestamp", written or UNSET, origin, note)


def _integrations(rules: Rules) -> FieldTrace:
    if rules.integrations is None:
        return FieldTrace("integrations", UNSET, "default", "every destination of the source")
    return FieldTrace("integrations", dict(rules.integrations), "config")


def _add_lints(field: FieldTrace, lints: Sequence[Lint]) -> FieldTrace:
    inside = (f"{field.path}.", f"{field.path}[")
    found = [
        one
        for one in lints
        if one.path == field.path or (field.path.startswith("properties.") and one.path.startswith(inside))
    ]
    if not found:
        return field
    level: Level = "error" if any(one.level == "error" for one in found) else "warning"
    if field.level == "error":
        level = "error"
    return FieldTrace(
        field.path,
        field.value,
        field.origin,
        _joined([*(_lint_text(one, field.path) for one in found), field.note]),
        level,
    )


def _lint_text(lint: Lint, path: str) -> str:
    """What a lint says, with the place inside the field where it is about one."""
    place = lint.path.removeprefix(path).removeprefix(".")
    return f"{place}: {lint.message}" if place else lint.message


def _joined(notes: Iterable[str]) -> str:
    return "; ".join(note for note in notes if note)
