"""Shapes of secrets: what a Write Key, a key of Sprig's API and a token of Segment's Public API look like."""

from __future__ import annotations

import re
from enum import Enum

MAX_SECRET_CHARS = 200
"""Longest text taken for a secret; Write Keys have 32 characters, keys of Sprig's API and tokens fewer than 100."""
MIN_DIFFERENT_CHARS = 8
"""Least number of different characters in a text that is taken for a secret of unknown kind."""
MAX_SNIPPET_CHARS = 4_096
"""Longest text that is searched for a Write Key with its name."""

_TOKEN = r"sgp_\S{8,}"  # noqa: S105 - a shape
_SPRIG_KEY = r"spk_\S{8,}"
_WRITE_KEY = r"(?=[A-Za-z]*\d)(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])[A-Za-z0-9]{32}"
SECRET_PATTERN = re.compile(f"{_TOKEN}|{_SPRIG_KEY}|{_WRITE_KEY}")
"""A whole word that has the shape of one of them."""
_WORD_END = re.compile(r"""[\s:"'()<>=]+""")
_ANY_SECRET = re.compile(r"[A-Za-z0-9_\-.+/=]{16,}")
_HEADER_WORD = re.compile(r"(?:authorization\s*:\s*)?(?:bearer|basic|api-key)\s+", re.IGNORECASE)
_NAMED_WRITE_KEY = re.compile(
    r"""(?:write[_-]?key["']?\s*[:=]|analytics\.load\()\s*["']?(?P<secret>[a-z0-9]{32})\b""", re.IGNORECASE
)
_ASSIGNED_SECRET = re.compile(r"""(?:export\s+)?[A-Z0-9_]*(?:KEY|TOKEN)[A-Z0-9_]*=["']?(?P<secret>[^\s"']+)""")


class SecretKind(Enum):
    """Which secret a text looks like."""

    WRITE_KEY = "Write Key"
    SPRIG_KEY = "key of Sprig's API"
    TOKEN = "token of Segment's Public API"  # noqa: S105 - a name
    UNKNOWN = "key"


def certain_secret(text: str) -> SecretKind | None:
    """The secret that a text is, by a shape that nothing else has; None for any other text."""
    text = text.strip().strip("'\"`")
    if len(text) > MAX_SECRET_CHARS or not SECRET_PATTERN.fullmatch(text):
        return None
    if text.startswith("sgp_"):
        return SecretKind.TOKEN
    return SecretKind.SPRIG_KEY if text.startswith("spk_") else SecretKind.WRITE_KEY


def holds_secret(text: str) -> bool:
    """Whether a word of a text, such as a filter, is a secret for certain: the text is not kept for later."""
    return any(certain_secret(word) is not None for word in _WORD_END.split(text))


def likely_secret(text: str) -> SecretKind | None:
    """The secret that a text is or holds, where it is no word of a person: alone, in a header, or after its name.

    A secret may come broken over two lines.
    """
    text = text.strip()
    if not text or len(text) > MAX_SNIPPET_CHARS:
        return None
    words = [line.strip().strip("'\"`") for line in text.splitlines() if line.strip()]
    alone = _HEADER_WORD.sub("", "".join(words), count=1) if len(words) <= 2 else ""
    if alone and (kind := certain_secret(alone)) is not None:
        return kind
    if _is_secret(alone):
        return SecretKind.UNKNOWN
    named = _NAMED_WRITE_KEY.search(text) or _ASSIGNED_SECRET.match(text)
    if named is not None and _is_secret(named["secret"]):
        return certain_secret(named["secret"]) or SecretKind.UNKNOWN
    return None


def _is_secret(text: str) -> bool:
    return (
        len(text) <= MAX_SECRET_CHARS
        and len(set(text)) >= MIN_DIFFERENT_CHARS
        and _ANY_SECRET.fullmatch(text) is not None
    )
