"""What can be told of a key of Sprig's REST API by looking at it; Sprig documents no format."""

from __future__ import annotations

import re

from sprig_tui.config.keylint import KeyFault, KeyLint

LONGEST = 4_096
"""Characters; more than any header line should hold."""
SHORTEST = 16

_COPY = "copy the key from Sprig: Integrations > Enrichment > Data Import API"
_QUOTES = ('""', "''", "``", "“”", "‘’", "«»", "<>")  # noqa: RUF001 - quotes that word processors make
_HEADER = re.compile(r"authorization\s*:\s*", re.IGNORECASE)
_SCHEME = re.compile(r"(?:bearer|api-key)(?:\s+|$)", re.IGNORECASE)


def lint_api_key(text: str) -> KeyLint:
    """The key without what is safe to strip (spaces, quotes, the words Bearer or API-Key), and what was found."""
    if len(text) > 4 * LONGEST:
        return KeyLint(key="", faults=(KeyFault("too-long", "error", f"{len(text):,} characters are no key", _COPY),))
    key, faults = _strip(text)
    tests = (
        (not key, "empty", "there is no key"),
        ("://" in key or key.lower().startswith("www."), "url", "this is an address, not a key"),
        (key[:1] in ("{", "["), "json", "this is JSON, not a key"),
        (len(key.splitlines()) > 1, "lines", "there are several lines; a key stands on one"),
        (not key.isascii() or not key.isprintable(), "characters", "there are characters that no header can hold"),
        (" " in key, "inner-spaces", "there are spaces inside"),
        (len(key) > LONGEST, "too-long", f"{len(key):,} characters are no key"),
    )
    for found, name, message in tests:
        if found:
            return KeyLint(key="", faults=(*faults, KeyFault(name, "error", message, _COPY)))
    if len(key) < SHORTEST:
        faults.append(KeyFault("short", "warning", f"{len(key)} characters are few for an API key", _COPY))
    return KeyLint(key=key, faults=tuple(faults))


def _strip(text: str) -> tuple[str, list[KeyFault]]:
    key, faults = text.strip(), []
    if key != text.removesuffix("\n").removesuffix("\r"):
        # The newline that ends a piped line is no fault of the person's.
        faults.append(KeyFault("spaces", "stripped", "spaces around the key were taken off"))
    if len(key) >= 2 and key[0] + key[-1] in _QUOTES:
        key = key[1:-1].strip()
        faults.append(KeyFault("quotes", "stripped", "quotes around the key were taken off"))
    bare = _SCHEME.sub("", _HEADER.sub("", key, count=1), count=1).strip()
    if bare != key:
        faults.append(KeyFault("scheme", "stripped", "the header's words before the key were taken off"))
    return bare, faults
