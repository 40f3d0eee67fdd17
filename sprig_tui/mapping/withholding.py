"""Withholding reason of a mapped response, if it must not be sent."""

from __future__ import annotations

import msgspec

from sprig_tui.reasons import Reason
from sprig_tui.segment.lints import EVENT_TOO_LARGE, TIMESTAMP_MISSING, Lint, lint
from sprig_tui.sprig.missing_fields import near_miss
from sprig_tui.sprig.records import StudyResponse

_MEMBER_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_READ_FIELDS = frozenset({"visitorId", "visitorUuid", "oldVisitorId", "externalUserId", "surveyId", "environmentId"})
"""Fields with a meaning of their own, which are never taken for a misspelt one."""

_ROLES = {"respondedAt": " as the time of the answer"}
"""Purpose of a field whose misspelling may be a name with another purpose."""
GROUP_MISSING = Lint(
    "group_missing", "properties.responseGroupId", "empty: answers of different people could not be told apart"
)


def withhold_reason(
    response: StudyResponse, body: bytes, environment: str, now_ms: int, faults: tuple[Lint, ...]
) -> tuple[Reason | None, str]:
    """The reason to withhold and its detail, or None and an empty text.

    Ordered by severity: the first match is the reason that remains even if the others are fixed. Deleted in Sprig (must
    never be sent), anonymous (cannot be sent), invalid, larger than Segment accepts, environment unknown (a change of
    the config fixes it).
    """
    if response.deleted_at:
        return Reason.DELETED, f"deleted in Sprig at {_excerpt(response.deleted_at, 40)}"
    if not (response.user_id or "").strip():
        return Reason.ANONYMOUS, f"userId: no User ID in the record{_as_suffix(other_id_clause(response))}"
    errors = [error for error in (*faults, *lint(body, now_ms)) if error.level == "error"]
    for error in errors:
        if error.code != EVENT_TOO_LARGE:
            suffix = _as_suffix(misnamed_clause(response, "respondedAt")) if error.code == TIMESTAMP_MISSING else ""
            return Reason.INVALID, f"{error.path}: {error.message}{suffix}" if error.path else error.message
    if errors:
        return Reason.TOO_LARGE, errors[0].message
    if not environment:
        return Reason.ENVIRONMENT_UNKNOWN, _unknown_environment_text(response)
    return None, ""


def other_id_clause(response: StudyResponse) -> str:
    """A clause about another id in the record; empty if there is none. That id is never sent as the User ID."""
    if not response.user_id_hint:
        return misnamed_clause(response, "userId")
    return f"{_excerpt(response.user_id_hint, 200)} is another id, and not used"


def misnamed_clause(response: StudyResponse, name: str) -> str:
    """A clause about a field that is probably a misspelling of `name`; empty if there is none."""
    try:
        members = _MEMBER_DECODER.decode(response.raw)
    except (ValueError, RecursionError):
        return ""
    misspelt = "" if name in members else near_miss(name, (key for key in members if key not in _READ_FIELDS))
    role = _ROLES.get(name, "")
    return f"the record has {_excerpt(misspelt, 80)}, which is not read{role}: call it {name}" if misspelt else ""


def _as_suffix(clause: str) -> str:
    """A clause as the end of a sentence."""
    return f"; {clause}" if clause else ""


def _unknown_environment_text(response: StudyResponse) -> str:
    if response.environment:
        return f"no environment is called {_excerpt(response.environment, 80)}"
    if response.environment_id:
        return f"no environment has the Sprig environment id {_excerpt(response.environment_id, 80)}"
    return "neither the record nor the command names an environment"


def _excerpt(text: str, limit: int) -> str:
    """The beginning of foreign text as valid UTF-8."""
    return text[:limit].encode("utf-8", "replace").decode()
