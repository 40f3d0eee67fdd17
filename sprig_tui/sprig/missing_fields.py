"""Missing fields of a record, and what stands there under another name: all of them in one sentence."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

MINIMAL_RECORD = """\
{"userId": "acct_1042", "responseGroupId": "group-1042",
 "question": "How easy was checkout?", "questionType": "LIKERT",
 "response": 4, "respondedAt": "2026-03-04T16:21:09Z"}"""
"""A flat record. `responseGroupId` is the same for all answers that one person gave to one study at one time.

Its lines fit a narrow pane.
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
"""Without one of each a record can be read, and not be sent."""
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
    """The path and the sentence for what a record of this form lacks; both empty where it lacks nothing required.

    A record without a form is taken for a flat one, and only where a field of it stands there under another name.
    """
    names = dict.fromkeys(given)
    known = form or "flat"
    lacked = [name for name in _REQUIRED[known] if name not in names]
    if known == "flat" and "responseGroupUid" in names:
        lacked = [name for name in lacked if name != "responseGroupId"]
    if not lacked:
        return "", ""
    lacked += [also[0] for also in _NEEDED_TO_SEND[known] if names.keys().isdisjoint(also)]
    near = {name: found for name in lacked if (found := near_miss(name, names))}
    if not form and not near:
        return "", ""
    said = [f"{name} (the record has {near[name]})" if name in near else name for name in lacked]
    if len(said) == 1:
        return lacked[0], f"is missing (the record has {near[lacked[0]]})" if near else "is missing"
    return "", f"these fields are missing: {', '.join(said[:-1])} and {said[-1]}"


def near_miss(name: str, given: Iterable[str]) -> str:
    """Which of these names is probably meant to be `name`, such as `user_id` for `userId`; empty where none is."""
    others = _OTHER_NAMES.get(name, frozenset())
    plain = _normalize_name(name)
    best, found = _MIN_SIMILARITY, ""
    for number, one in enumerate(given):
        if number >= _MAX_NAMES:
            break
        if one == name or len(one) > _MAX_NAME_CHARS:
            continue
        spelt = _normalize_name(one)
        if spelt == plain:
            return one
        alike = 0.95 if spelt in others else SequenceMatcher(None, spelt, plain).ratio()
        if alike > best:
            best, found = alike, one
    return found


def _normalize_name(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
