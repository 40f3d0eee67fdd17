"""Missing fields of a record in one sentence, with the misspelt names in their place."""

from __future__ import annotations

from collections.abc import Iterable

MINIMAL_RECORD = """\
{"userId": "acct_1042", "responseGroupId": "group-1042",
 "question": "How easy was checkout?", "questionType": "LIKERT",
 "response": 4, "respondedAt": "2026-03-04T16:21:09Z"}"""
"""A flat record, in lines that fit a narrow pane.

`responseGroupId` is the same for all answers that one person gave to one study at one time.
"""

_REQUIRED = {
    "webhook": ("responseGroupUid", "question", "questionType", "response"),
    "rest": ("responseGroupUid", "questionText", "questionType", "response"),
    "flat": ("responseGroupId", "question", "questionType", "response"),
}
_NEEDED_TO_SEND = {
    "webhook": (("userId",), ("createdAt", "timestamp")),
    "rest": (("externalUserId",), ("createdAt",)),
    "flat": (("userId", "externalUserId"), ("respondedAt", "timestamp")),
}
"""Groups of fields; a record without one field of each group can be read, but not sent."""
_USER_ID_NAMES = frozenset(
    {"userid", "uid", "user", "customerid", "externaluserid", "externalid", "personid", "accountid"}
)
_GROUP_ID_NAMES = frozenset(
    {"responsegroupid", "responsegroupuid", "responsegroup", "groupid", "groupuid", "responseid", "submissionid"}
)
_QUESTION_NAMES = frozenset({"question", "questiontext", "questionname", "questiontitle", "prompt"})
_TIME_NAMES = frozenset(
    {"createdat", "respondedat", "answeredat", "submittedat", "completedat", "timestamp", "time", "date"}
)
_QUESTION_TYPE_NAMES = frozenset({"type", "kind", "questionkind"})
_RESPONSE_NAMES = frozenset({"answer", "answertext", "answervalue", "responsetext", "responsevalue", "value", "result"})
_OTHER_NAMES = {
    "userId": _USER_ID_NAMES,
    "externalUserId": _USER_ID_NAMES,
    "responseGroupId": _GROUP_ID_NAMES,
    "responseGroupUid": _GROUP_ID_NAMES,
    "question": _QUESTION_NAMES,
    "questionText": _QUESTION_NAMES,
    "questionType": _QUESTION_TYPE_NAMES,
    "response": _RESPONSE_NAMES,
    "createdAt": _TIME_NAMES,
    "respondedAt": _TIME_NAMES,
}
_MIN_SIMILARITY = 0.84
_MAX_NAME_CHARS = 40
_MAX_NAMES = 200


def missing_fields(form: str, given: Iterable[str]) -> tuple[str, str]:
    """Path and sentence for the missing fields of a record of this form; both empty if none is missing.

    A record without a form is treated as a flat one, but only if it has a misspelt field of the flat form.
    """
    names = dict.fromkeys(given)
    known = form or "flat"
    missing = [name for name in _REQUIRED[known] if name not in names]
    if known == "flat" and "responseGroupUid" in names:
        missing = [name for name in missing if name != "responseGroupId"]
    if not missing:
        return "", ""
    missing += [group[0] for group in _NEEDED_TO_SEND[known] if names.keys().isdisjoint(group)]
    near = {name: misspelt for name in missing if (misspelt := near_miss(name, names))}
    if not form and not near:
        return "", ""
    parts = [f"{name} (the record has {near[name]})" if name in near else name for name in missing]
    if len(parts) == 1:
        return missing[0], f"is missing (the record has {near[missing[0]]})" if near else "is missing"
    return "", f"these fields are missing: {', '.join(parts[:-1])} and {parts[-1]}"


def near_miss(name: str, given: Iterable[str]) -> str:
    """The given name that is probably a misspelling of `name`, such as `user_id` for `userId`; empty without one."""
    from difflib import SequenceMatcher  # imported late: most inputs have no such name

    synonyms = _OTHER_NAMES.get(name, frozenset())
    normalized = _normalize_name(name)
    best_ratio, best_name = _MIN_SIMILARITY, ""
    for number, candidate in enumerate(given):
        if number >= _MAX_NAMES:
            break
        if candidate == name or len(candidate) > _MAX_NAME_CHARS:
            continue
        spelling = _normalize_name(candidate)
        if spelling == normalized:
            return candidate
        ratio = 0.95 if spelling in synonyms else SequenceMatcher(None, spelling, normalized).ratio()
        if ratio > best_ratio:
            best_ratio, best_name = ratio, candidate
    return best_name


def _normalize_name(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
