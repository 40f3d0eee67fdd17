"""Field trace of a mapping: every field of the call with its origin and its notes, the rows of the inspector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import UNSET

from sprig_tui.mapping.field_notes import PropertySpec, reading_notes, rule_notes
from sprig_tui.mapping.records import FieldTrace, Level, Mapping, Rules, Value
from sprig_tui.mapping.withholding import other_id_clause
from sprig_tui.segment.lints import Lint
from sprig_tui.segment.timestamps import parse_instant
from sprig_tui.sprig.records import StudyResponse

_DEFAULTS = Rules()


def trace(
    mapping: Mapping, rules: Rules, specs: Sequence[PropertySpec], plain: Sequence[Value], sent: Sequence[Value]
) -> tuple[FieldTrace, ...]:
    """One row per field: userId, event, type, the properties, context, the times, messageId, integrations.

    `specs` describes each property, `plain` is its value before the rules, `sent` its value under them.
    """
    response = mapping.response
    read = reading_notes(response)
    fields = [
        _user_id(response),
        FieldTrace("event", rules.event, _rule_origin(rules.event, _DEFAULTS.event)),
        FieldTrace("type", "track", "default", _joined(read["type"]), "warning" if read["type"] else "ok"),
        *(
            _property(response, spec, values, rules, read.get(spec.path, ()))
            for spec, *values in zip(specs, plain, sent, strict=True)
        ),
        _integration(rules),
        FieldTrace("sentAt", UNSET, "at send", "stamped on each attempt"),
        _timestamp(response),
        FieldTrace("receivedAt", UNSET, "", "never sent: Segment sets it on arrival"),
        FieldTrace("messageId", mapping.message_id, "computed"),
        _integrations(rules),
    ]
    return _with_lints(fields, mapping.lints)


def add_plan_lints(fields: Sequence[FieldTrace], lints: Sequence[Lint]) -> tuple[FieldTrace, ...]:
    """The rows with lints of a tracking plan; a field that the call does not have gets a row of its own."""
    marked = _with_lints(fields, lints)
    paths = [field.path for field in fields]
    missing: dict[str, Lint] = {}
    for lint in lints:
        if lint.path and not any(lint.path == path or _is_inside(lint.path, path) for path in paths):
            missing.setdefault(lint.path, lint)
    return (*marked, *(FieldTrace(path, UNSET, "", lint.message, lint.level) for path, lint in missing.items()))


def _with_lints(fields: Sequence[FieldTrace], lints: Sequence[Lint]) -> tuple[FieldTrace, ...]:
    return tuple(_add_lints(field, lints) for field in fields) if lints else tuple(fields)


def _is_inside(path: str, field: str) -> bool:
    """Whether a path is a part of a property's value, whose problems its row shows."""
    return field.startswith("properties.") and path.startswith((f"{field}.", f"{field}["))


def _rule_origin(value: object, default: object) -> str:
    return "default" if value == default else "config"


def _user_id(response: StudyResponse) -> FieldTrace:
    value = (response.user_id or "").strip()
    note = "" if value else other_id_clause(response)
    return FieldTrace("userId", value or UNSET, response.paths.get("user_id", ""), note)


def _property(
    response: StudyResponse, spec: PropertySpec, values: Sequence[Value], rules: Rules, read: Sequence[str]
) -> FieldTrace:
    plain, value = values
    if spec.path in rules.omit:
        return FieldTrace(spec.path, UNSET, "config", "left out, as the rules ask")
    note = spec.note(response, plain)
    origin = note.origin or response.paths.get(spec.attribute, "")
    notes = [*(read or (note.text,)), *rule_notes(spec, value, plain, rules)]
    return FieldTrace(spec.path, value, origin, _joined(notes), "warning" if read else note.level)


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
    own_lints = [lint for lint in lints if lint.path == field.path or _is_inside(lint.path, field.path)]
    if not own_lints:
        return field
    level: Level = "error" if any(lint.level == "error" for lint in own_lints) else "warning"
    if field.level == "error":
        level = "error"
    return FieldTrace(
        field.path,
        field.value,
        field.origin,
        _joined([*(_lint_text(lint, field.path) for lint in own_lints), field.note]),
        level,
    )


def _lint_text(lint: Lint, path: str) -> str:
    """Message of a lint, after its place inside the field if it has one."""
    place = lint.path.removeprefix(path).removeprefix(".")
    return f"{place}: {lint.message}" if place else lint.message


def _joined(notes: Iterable[str]) -> str:
    return "; ".join(note for note in notes if note)
