"""Placeholder user ids: texts that programs and spreadsheets write for a missing or damaged id."""

from __future__ import annotations

import re

_PLACEHOLDERS = frozenset(
    {
        *(
            "null",
            "(null)",
            "<null>",
            "undefined",
            "none",
            "nil",
            "nan",
            "n/a",
            "na",
            "void",
            "empty",
            "blank",
            "unknown",
        ),
        *("anonymous", "guest", "[object object]", "true", "false", "0", "-1", "?"),
        *("#ref!", "#n/a", "#value!", "#name?", "#div/0!", "#null!", "#num!", "#error!", "#####"),
        *("00000000-0000-0000-0000-000000000000", "user_id", "userid", "externaluserid"),
        # the Hangul fillers are letters that cannot be seen
        *("\u115f", "\u1160", "\u3164", "\uffa0"),
    }
)
_PLACEHOLDER_LENGTHS = frozenset(map(len, _PLACEHOLDERS))
_MAX_PLACEHOLDER_CHARS = 40
_match_rounded_number = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,3}").fullmatch
"""A long number rounded by a spreadsheet: the digits that distinguished people are lost."""
_match_template = re.compile(r"\{\{.*\}\}|\$\{.*\}|%[A-Za-z_]+%|<%.*%>").fullmatch
"""A template variable that was not filled in."""
_find_letter_or_digit = re.compile(r"[^\W_]").search


def is_placeholder_user_id(user_id: str) -> bool:
    """Whether a User ID is one that many people would share, such as `null`, `N/A`, `#REF!` or a lone U+200B.

    Only the user can tell for certain, so such an id is sent anyway, with a note.
    """
    length = len(user_id)
    if length > _MAX_PLACEHOLDER_CHARS:
        return False
    if user_id[:1].isalnum():  # nearly all ids: this path must be fast
        if length in _PLACEHOLDER_LENGTHS and user_id.lower() in _PLACEHOLDERS:
            return True
        return "+" in user_id and _match_rounded_number(user_id) is not None
    if _find_letter_or_digit(user_id) is None:
        return True
    return user_id.lower() in _PLACEHOLDERS or _match_template(user_id) is not None


def placeholder_note(user_id: str) -> str:
    """Why an id is a placeholder, in words."""
    if _match_rounded_number(user_id) is not None:
        return "a long number that a spreadsheet rounded, so that it stands for many"
    if _match_template(user_id) is not None:
        return "a placeholder that was not filled in"
    if _find_letter_or_digit(user_id) is None and not user_id.isascii():
        return "no letter and no digit in it, such as characters that cannot be seen"
    return "stands for nobody"
