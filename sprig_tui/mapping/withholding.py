"""Whether a mapped response may be sent, and if not, why: one reason, the one that matters most."""

from __future__ import annotations

import msgspec

from sprig_tui.reasons import Reason
from sprig_tui.segment.lints import EVENT_TOO_LARGE, TIMESTAMP_MISSING, Lint, lint
from sprig_tui.sprig.missing_fields import near_miss
from sprig_tui.sprig.records import StudyResponse

_MEMBER_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_READ_FIELDS = frozenset({"visitorId", "visitorUuid", "oldVisitorId", "externalUserId", "surveyId", "environmentId"})
"""Fields that are read as what they are called."""

_ROLES = {"respondedAt": " as the time of the answer"}
"""What a field is for, where one that is taken for it may be read as something else."""
GROUP_MISSING = Lint(
    "group_missing", "properties.responseGroupId", "empty: answers of different people could not be told apart"
)


def withhold_reason(
    response: StudyResponse, body: bytes, environment: str, now_ms: int, faults: tuple[Lint, ...]
) -> tuple[Reason | None, str]:
    """The reason to withhold and its detail, or None and an empty text.

    In this order, so that the first is the one no repair of the others would lift: deleted in Sprig (it must never be
    sent), anonymous (nobody could send it), invalid, larger than Segment takes, environment unknown (a config away
    from being sent).
    """
    if response.deleted_at:
        return Reason.DELETED, f"deleted in Sprig at {_excerpt(response.deleted_at, 40)}"
    if not (response.user_id or "").strip():
        return Reason.ANONYMOUS, f"userId: no User ID in the record{_as_suffix(other_id_clause(response))}"
    errors = [one for one in (*faults, *lint(body, now_ms)) if one.level == "error"]
    for one in errors:
        if one.code != EVENT_TOO_LARGE:
            also = _as_suffix(misnamed_clause(response, "respondedAt")) if one.code == TIMESTAMP_MISSING else ""
            return Reason.INVALID, f"{one.path}: {one.message}{also}" if one.path else one.message
    if errors:
        return Reason.TOO_LARGE, errors[0].message
    if not environment:
        return Reason.ENVIRONMENT_UNKNOWN, _unknown_environment_text(response)
    return None, ""


def other_id_clause(response: StudyResponse) -> str:
    """Another id that could be meant, in words; empty for none. It is never sent in place of the User ID."""
    if not response.user_id_hint:
        return misnamed_clause(response, "userId")
    return f"{_excerpt(response.user_id_hint, 200)} is another id, and not used"


def misnamed_clause(response: StudyResponse, name: str) -> str:
    """A field that is probably meant to be this one, in words; empty where none is."""
    try:
        given = _MEMBER_DECODER.decode(response.raw)
    except (ValueError, RecursionError):
        return ""
    found = "" if name in given else near_miss(name, (key for key in given if key not in _READ_FIELDS))
    role = _ROLES.get(name, "")
    return f"the record has {_excerpt(found, 80)}, which is not read{role}: call it {name}" if found else ""


def _as_suffix(clause: str) -> str:
    """A clause as an addition to a sentence."""
    return f"; {clause}" if clause else ""


def _unknown_environment_text(response: StudyResponse) -> str:
    if response.environment:
        return f"no environment is called {_excerpt(response.environment, 80)}"
    if response.environment_id:
        return f"no environment has the Sprig environment id {_excerpt(response.environment_id, 80)}"
    return "neither the record nor the command names an environment"


def _excerpt(text: str, limit: int) -> str:
    """The beginning of foreign text, fit to be stored."""
    return text[:limit].encode("utf-8", "replace").decode()
