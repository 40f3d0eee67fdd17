"""What can be told of a Write Key by looking at it: Segment itself answers 200 to a wrong one."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

WRITE_KEY_CHARS = 32
"""Characters of a Write Key, letters and digits (observed; Segment documents no format)."""
MAX_WRITE_KEY_CHARS = 256
MIN_WRITE_KEY_CHARS = 8
"""Characters; what has fewer is a slip of the hand, whatever it looks like."""

FaultLevel = Literal["stripped", "warning", "error"]
_OnStripped = Callable[[str, str], None]


class SecretFault(Struct, frozen=True):
    """One thing that is off. `stripped` was put right; a `warning` can be forced; an `error` cannot."""

    name: str
    level: FaultLevel
    message: str
    hint: str = ""


class SecretLint(Struct, frozen=True):
    """The key as it would be stored (empty after an error), and the faults; never printed whole."""

    secret: str
    faults: tuple[SecretFault, ...]

    @property
    def errors(self) -> tuple[SecretFault, ...]:
        """Faults that no one can force."""
        return tuple(fault for fault in self.faults if fault.level == "error")

    @property
    def warnings(self) -> tuple[SecretFault, ...]:
        """Faults that a person may know better about."""
        return tuple(fault for fault in self.faults if fault.level == "warning")

    def __repr__(self) -> str:
        return f"KeyLint({', '.join(fault.name for fault in self.faults)})"


_WRITE_KEY_HINT = "copy the key from Segment: the source's Settings > API Keys"
_QUOTE_PAIRS = ('""', "''", "``", "“”", "‘’", "«»", "<>")  # noqa: RUF001 - quotes that word processors make
_ASSIGNMENT = re.compile(r"(?:export\s+)?[\"']?(?:[A-Za-z_]*write[_-]?key[A-Za-z_]*)[\"']?\s*[:=]\s*", re.IGNORECASE)
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9]+")
_INVISIBLE_CHARS = "\ufeff\u200b\u200c\u200d\u2060"


def write_key_faults(text: str) -> tuple[SecretFault, ...]:
    """The faults of a pasted key; empty when it looks like one."""
    return lint_write_key(text).faults


def lint_write_key(text: str) -> SecretLint:
    """The key without what is safe to strip (spaces, quotes, a Basic header's coding), and what was found."""
    if len(text) > 16 * MAX_WRITE_KEY_CHARS:
        return _rejected_key("too-long", f"{len(text):,} characters are no write key", [])
    key, faults = _strip_write_key(text)
    refusal = _find_error(key)
    if refusal is not None:
        return SecretLint(secret="", faults=(*faults, refusal))
    return SecretLint(secret=key, faults=(*faults, *_find_warnings(key)))


def _rejected_key(name: str, message: str, faults: list[SecretFault]) -> SecretLint:
    return SecretLint(secret="", faults=(*faults, SecretFault(name, "error", message, _WRITE_KEY_HINT)))


def _strip_write_key(text: str) -> tuple[str, list[SecretFault]]:
    faults: list[SecretFault] = []

    def took(name: str, message: str) -> None:
        if all(fault.name != name for fault in faults):
            faults.append(SecretFault(name, "stripped", message))

    before, key = None, text
    while key != before:
        before = key
        trimmed = key.strip().strip(_INVISIBLE_CHARS).strip()
        if trimmed != key:
            # The newline that ends a piped line is no fault of the person's.
            if key.removesuffix("\n").removesuffix("\r") != trimmed:
                took("spaces", "spaces around the key were taken off")
            key = trimmed
        assigned = _ASSIGNMENT.match(key)
        if assigned and assigned.end() < len(key):
            key = key[assigned.end() :]
            took("assignment", "the name before the key was taken off")
        if len(key) >= 2 and key[0] + key[-1] in _QUOTE_PAIRS:
            key = key[1:-1]
            took("quotes", "quotes around the key were taken off")
        key = _decode_basic(key, took)
        joined = "".join(part.strip() for part in key.splitlines())
        if joined != key and len(joined) == WRITE_KEY_CHARS and _ALPHANUMERIC.fullmatch(joined):
            # A mail or a terminal wrapped it: the two halves are one key.
            key = joined
            took("lines", "a line break inside the key was taken out")
    return key, faults


def _decode_basic(key: str, on_stripped: _OnStripped) -> str:
    key = re.sub(r"^authorization\s*:\s*", "", key, flags=re.IGNORECASE)
    scheme, _, rest = key.partition(" ")
    basic = scheme.lower() == "basic" and bool(rest.strip())
    coded = rest.strip() if basic else key
    decoded = _base64_key(coded)
    if decoded:
        on_stripped("basic", "an Authorization header's coding (base64 of key and colon) was undone")
        return decoded
    if basic:
        on_stripped("basic", "the word Basic before the key was taken off")
        return coded
    if key.endswith(":") and _ALPHANUMERIC.fullmatch(key[:-1]):
        on_stripped("colon", "the colon after the key was taken off")
        return key[:-1]
    return key


def _base64_key(text: str) -> str:
    """The key inside base64("KEY:"), or nothing."""
    try:
        decoded = base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
    return decoded[:-1] if decoded.endswith(":") and _ALPHANUMERIC.fullmatch(decoded[:-1]) else ""


def _find_error(key: str) -> SecretFault | None:
    tests: tuple[tuple[bool, str, str, str], ...] = (
        (not key, "empty", "there is no key", _WRITE_KEY_HINT),
        (
            "analytics.load" in key or "<script" in key.lower(),
            "snippet",
            "this is Segment's page snippet, not the key in it",
            "paste only what stands between the quotes after analytics.load",
        ),
        ("://" in key or key.lower().startswith("www."), "url", "this is an address, not a key", _WRITE_KEY_HINT),
        (key[:1] in ("{", "["), "json", "this is JSON, not a key", "paste only the text of its writeKey"),
        (
            key.lower().startswith(("bearer ", "api-key ")),
            "sprig-key",
            "this is an API key's header as Sprig uses it, not a Segment write key",
            _WRITE_KEY_HINT,
        ),
        (
            key.startswith("sgp_"),
            "public-api-token",
            "this is a token of Segment's Public API, not a write key",
            _WRITE_KEY_HINT,
        ),
        (len(key.splitlines()) > 1, "lines", _lines_message(key), "paste the key alone, on one line"),
        (
            not key.replace("\t", " ").isprintable() and key.isascii(),
            "control",
            "there are control characters",
            _WRITE_KEY_HINT,
        ),
        (not key.isascii(), "non-ascii", "there are letters other than A to Z", _WRITE_KEY_HINT),
        (" " in key or "\t" in key, "inner-spaces", "there are spaces inside", "paste the key alone"),
        (":" in key, "colon-inside", "there is a colon inside", "paste the key alone, without user or password"),
        (len(key) > MAX_WRITE_KEY_CHARS, "too-long", f"{len(key):,} characters are no write key", _WRITE_KEY_HINT),
    )
    for found, name, message, hint in tests:
        if found:
            return SecretFault(name, "error", message, hint)
    return None


def _lines_message(key: str) -> str:
    lines = key.splitlines()
    together = sum(len(line.strip()) for line in lines)
    return (
        f"there are {len(lines):,} lines, {together:,} characters together; a write key has "
        f"{WRITE_KEY_CHARS} on one line"
    )


def _find_warnings(key: str) -> list[SecretFault]:
    faults = []
    if len(key) < MIN_WRITE_KEY_CHARS and not ("write" in key.lower() and "key" in key.lower()):
        few = "1 character is" if len(key) == 1 else f"{len(key)} characters are"
        said = f"{few} too few for a write key, which has {WRITE_KEY_CHARS}"
        return [SecretFault("length", "warning", said, _WRITE_KEY_HINT)]
    if ("write" in key.lower() and "key" in key.lower()) or len(set(key)) < 4:
        faults.append(SecretFault("placeholder", "warning", "this looks like a placeholder", _WRITE_KEY_HINT))
    elif not _ALPHANUMERIC.fullmatch(key):
        faults.append(
            SecretFault("characters", "warning", "a write key holds letters and digits only", _WRITE_KEY_HINT)
        )
    if len(key) == 10 and _ALPHANUMERIC.fullmatch(key):
        faults.append(
            SecretFault(
                "sprig-environment-id",
                "warning",
                "10 characters, as Sprig's environment ids have them",
                _WRITE_KEY_HINT,
            )
        )
    elif len(key) != WRITE_KEY_CHARS:
        faults.append(
            SecretFault(
                "length", "warning", f"{len(key)} characters; write keys have {WRITE_KEY_CHARS}", _WRITE_KEY_HINT
            )
        )
    return faults
