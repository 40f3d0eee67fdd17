"""Tracking plans of the fake Segment: unplanned events and violations, by a small part of JSON Schema.

Known are type, properties, required, enum, const, pattern, minLength, maxLength, minimum, maximum, items and
additionalProperties; other keywords are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sprig_tui.segment.sink.workspace.model import Workspace

UNPLANNED = "unplanned"
SCHEMA_VIOLATION = "schema_violation"
_MAX_DEPTH = 30
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def plan_reason(workspace: Workspace, source_id: str, event: Mapping[str, Any]) -> str:
    """Why the source's tracking plan drops a track call; empty if it lets it pass."""
    plan = workspace.tracking_plans.get(workspace.plan_of_source.get(source_id, ""))
    settings = (workspace.source_settings.get(source_id) or {}).get("track") or {}
    if plan is None or event.get("type") != "track":
        return ""
    rule = next((one for one in plan if one.get("type") == "TRACK" and one.get("key") == event.get("event")), None)
    if rule is None:
        return UNPLANNED if settings.get("allowUnplannedEvents") is False else ""
    if settings.get("allowEventOnViolations") is not False:
        return ""
    try:
        return "" if conforms(event, rule.get("jsonSchema")) else SCHEMA_VIOLATION
    except (TypeError, ValueError, AttributeError):
        return ""  # a schema that cannot be read blocks nothing


def conforms(value: object, schema: object, depth: int = 0) -> bool:
    """Whether a value fulfils the known keywords of a schema."""
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return True
    allowed = schema.get("enum", [value]), [schema.get("const", value)]
    if not _has_type(value, schema.get("type")) or any(value not in values for values in allowed):
        return False
    if isinstance(value, str):
        return _text_conforms(value, schema)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    if isinstance(value, list):
        return all(conforms(one, schema.get("items"), depth + 1) for one in value)
    return not isinstance(value, Mapping) or _object_conforms(value, schema, depth)


def _has_type(value: object, wanted: object) -> bool:
    names = wanted if isinstance(wanted, list) else [wanted] if isinstance(wanted, str) else []
    known = [_TYPES[name] for name in names if name in _TYPES]
    if isinstance(value, bool):
        return not known or any(bool in types for types in known)
    return not known or any(isinstance(value, types) for types in known)


def _text_conforms(value: str, schema: Mapping[str, Any]) -> bool:
    pattern = schema.get("pattern")
    try:
        fits = not isinstance(pattern, str) or re.search(pattern, value) is not None
    except re.error:
        fits = True
    return fits and schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))


def _object_conforms(value: Mapping[str, Any], schema: Mapping[str, Any], depth: int) -> bool:
    properties = schema.get("properties") or {}
    if any(name not in value for name in schema.get("required") or ()):
        return False
    if schema.get("additionalProperties") is False and any(name not in properties for name in value):
        return False
    return all(conforms(value[name], properties[name], depth + 1) for name in properties if name in value)
