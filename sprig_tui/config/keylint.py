"""What can be told of a Write Key by looking at it: Segment itself answers 200 to a wrong one."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

KEY_LENGTH = 32
"""Characters of a Write Key, letters and digits (observed; Segment documents no format)."""
LONGEST = 256
SHORTEST = 8
"""Characters; what has fewer is a slip of the hand, whatever it looks like."""

Level = Literal["stripped", "warning", "error"]
_Took = Callable[[str, str], None]


class KeyFault(Struct, frozen=True):
    """One thing that is off. `stripped` was put right; a `warning` can be forced; an `error` cannot."""

    name: str
    level: Level
    message: str
    hint: str = ""


class KeyLint(Struct, frozen=True):
    """The key as it would be stored (empty after an error), and the faults; never printed whole."""

    key: str
    faults: tuple[KeyFault, ...]

    @property
    def errors(self) -> tuple[KeyFault, ...]:
        """Faults that no one can force."""
        return tuple(fault for fault in self.faults if fault.level == "error")

    @property
    def warnings(self) -> tuple[KeyFault, ...]:
        """Faults that a person may know better about."""
        return tuple(fault for fault in self.faults if fault.level == "warning")

    def __repr__(self) -> str:
        return f"KeyLint({', '.join(fault.name for fault in self.faults)})"


_COPY = "copy the key from Segment: the source's Settings > API Keys"
_QUOTES = ('""', "''", "``", "“”", "‘’", "«»", "<>")  # noqa: RUF001 - quotes that word processors make
_ASSIGNED = re.compile(r"(?:export\s+)?[\"']?(?:[A-Za-z_]*write[_-]?key[A-Za-z_]*)[\"']?\s*[:=]\s*", re.IGNORECASE)
_BARE = re.compile(r"[A-Za-z0-9]+")
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060"


def keys_lint(text: str) -> tuple[KeyFault, ...]:
    """The faults of a pasted key; empty when it looks like one."""
    return lint_key(text).faults


def lint_key(text: str) -> KeyLint:
    """The key without what is safe to strip (spaces, quotes, a Basic header's coding), and what was found."""
    if len(text) > 16 * LONGEST:
        return _refused("too-long", f"{len(text):,} characters are no write key", [])
    key, faults = _strip(text)
    refusal = _not_a_key(key)
    if refusal is not None:
        return KeyLint(key="", faults=(*faults, refusal))
    return KeyLint(key=key, faults=(*faults, *_oddities(key)))


def _refused(name: str, message: str, faults: list[KeyFault]) -> KeyLint:
    return KeyLint(key="", faults=(*faults, KeyFault(name, "error", message, _COPY)))


def _strip(text: str) -> tuple[str, list[KeyFault]]:
    faults: list[KeyFault] = []

    def took(name: str, message: str) -> None:
        if all(fault.name != name for fault in faults):
            faults.append(KeyFault(name, "stripped", message))

    before, key = None, text
    while key != before:
        before = key
        trimmed = key.strip().strip(_INVISIBLE).strip()
        if trimmed != key:
            # The newline that ends a piped line is no fault of the person's.
            if key.removesuffix("\n").removesuffix("\r") != trimmed:
                took("spaces", "spaces around the key were taken off")
            key = trimmed
        assigned = _ASSIGNED.match(key)
        if assigned and assigned.end() < len(key):
            key = key[assigned.end() :]
            took("assignment", "the name before the key was taken off")
        if len(key) >= 2 and key[0] + key[-1] in _QUOTES:
            key = key[1:-1]
            took("quotes", "quotes around the key were taken off")
        key = _decode_basic(key, took)
        joined = "".join(part.strip() for part in key.splitlines())
        if joined != key and len(joined) == KEY_LENGTH and _BARE.fullmatch(joined):
            # A mail or a terminal wrapped it: the two halves are one key.
            key = joined
            took("lines", "a line break inside the key was taken out")
    return key, faults


def _decode_basic(key: str, took: _Took) -> str:
    key = re.sub(r"^authorization\s*:\s*", "", key, flags=re.IGNORECASE)
    scheme, _, rest = key.partition(" ")
    basic = scheme.lower() == "basic" and bool(rest.strip())
    coded = rest.strip() if basic else key
    decoded = _base64_key(coded)
    if decoded:
        took("basic", "an Authorization header's coding (base64 of key and colon) was undone")
        return decoded
    if basic:
        took("basic", "the word Basic before the key was taken off")
        return coded
    if key.endswith(":") and _BARE.fullmatch(key[:-1]):
        took("colon", "the colon after the key was taken off")
        return key[:-1]
    return key


def _base64_key(text: str) -> str:
    """The key inside base64("KEY:"), or nothing."""
    try:
        decoded = base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
    return decoded[:-1] if decoded.endswith(":") and _BARE.fullmatch(decoded[:-1]) else ""


def _not_a_key(key: str) -> KeyFault | None:
    tests: tuple[tuple[bool, str, str, str], ...] = (
        (not key, "empty", "there is no key", _COPY),
        (
            "analytics.load" in key or "<script" in key.lower(),
            "snippet",
            "this is Segment's page snippet, not the key in it",
            "paste only what stands between the quotes after analytics.load",
        ),
        ("://" in key or key.lower().startswith("www."), "url", "this is an address, not a key", _COPY),
        (key[:1] in ("{", "["), "json", "this is JSON, not a key", "paste only the text of its writeKey"),
        (
            key.lower().startswith(("bearer ", "api-key ")),
            "sprig-key",
            "this is an API key's header as Sprig uses it, not a Segment write key",
            _COPY,
        ),
        (key.startswith("sgp_"), "public-api-token", "this is a token of Segment's Public API, not a write key", _COPY),
        (len(key.splitlines()) > 1, "lines", _lines(key), "paste the key alone, on one line"),
        (not key.replace("\t", " ").isprintable() and key.isascii(), "control", "there are control characters", _COPY),
        (not key.isascii(), "non-ascii", "there are letters other than A to Z", _COPY),
        (" " in key or "\t" in key, "inner-spaces", "there are spaces inside", "paste the key alone"),
        (":" in key, "colon-inside", "there is a colon inside", "paste the key alone, without user or password"),
        (len(key) > LONGEST, "too-long", f"{len(key):,} characters are no write key", _COPY),
    )
    for found, name, message, hint in tests:
        if found:
            return KeyFault(name, "error", message, hint)
    return None


def _lines(key: str) -> str:
    lines = key.splitlines()
    together = sum(len(line.strip()) for line in lines)
    return f"there are {len(lines):,} lines, {together:,} characters together; a write key has {KEY_LENGTH} on one line"


def _oddities(key: str) -> list[KeyFault]:
    faults = []
    if len(key) < SHORTEST and not ("write" in key.lower() and "key" in key.lower()):
        few = "1 character is" if len(key) == 1 else f"{len(key)} characters are"
        said = f"{few} too few for a write key, which has {KEY_LENGTH}"
        return [KeyFault("length", "warning", said, _COPY)]
    if ("write" in key.lower() and "key" in key.lower()) or len(set(key)) < 4:
        faults.append(KeyFault("placeholder", "warning", "this looks like a placeholder", _COPY))
    elif not _BARE.fullmatch(key):
        faults.append(KeyFault("characters", "warning", "a write key holds letters and digits only", _COPY))
    if len(key) == 10 and _BARE.fullmatch(key):
        faults.append(
            KeyFault("sprig-environment-id", "warning", "10 characters, as Sprig's environment ids have them", _COPY)
        )
    elif len(key) != KEY_LENGTH:
        faults.append(KeyFault("length", "warning", f"{len(key)} characters; write keys have {KEY_LENGTH}", _COPY))
    return faults
