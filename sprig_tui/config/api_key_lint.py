"""What can be told of a key of Sprig's REST API by looking at it; Sprig documents no format."""

from __future__ import annotations

import re

from sprig_tui.config.write_key_lint import SecretFault, SecretLint

MAX_API_KEY_CHARS = 4_096
"""Characters; more than any header line should hold."""
MIN_API_KEY_CHARS = 16

_API_KEY_HINT = "copy the key from Sprig: Integrations > Enrichment > Data Import API"
_QUOTE_PAIRS = ('""', "''", "``", "“”", "‘’", "«»", "<>")  # noqa: RUF001 - quotes that word processors make
_AUTH_HEADER = re.compile(r"authorization\s*:\s*", re.IGNORECASE)
_AUTH_SCHEME = re.compile(r"(?:bearer|api-key)(?:\s+|$)", re.IGNORECASE)


def lint_api_key(text: str) -> SecretLint:
    """The key without what is safe to strip (spaces, quotes, the words Bearer or API-Key), and what was found."""
    if len(text) > 4 * MAX_API_KEY_CHARS:
        return SecretLint(
            secret="", faults=(SecretFault("too-long", "error", f"{len(text):,} characters are no key", _API_KEY_HINT),)
        )
    key, faults = _strip_api_key(text)
    tests = (
        (not key, "empty", "there is no key"),
        ("://" in key or key.lower().startswith("www."), "url", "this is an address, not a key"),
        (key[:1] in ("{", "["), "json", "this is JSON, not a key"),
        (len(key.splitlines()) > 1, "lines", "there are several lines; a key stands on one"),
        (not key.isascii() or not key.isprintable(), "characters", "there are characters that no header can hold"),
        (" " in key, "inner-spaces", "there are spaces inside"),
        (len(key) > MAX_API_KEY_CHARS, "too-long", f"{len(key):,} characters are no key"),
    )
    for found, name, message in tests:
        if found:
            return SecretLint(secret="", faults=(*faults, SecretFault(name, "error", message, _API_KEY_HINT)))
    if len(key) < MIN_API_KEY_CHARS:
        faults.append(SecretFault("short", "warning", f"{len(key)} characters are few for an API key", _API_KEY_HINT))
    return SecretLint(secret=key, faults=tuple(faults))


def _strip_api_key(text: str) -> tuple[str, list[SecretFault]]:
    key, faults = text.strip(), []
    if key != text.removesuffix("\n").removesuffix("\r"):
        # The newline that ends a piped line is no fault of the person's.
        faults.append(SecretFault("spaces", "stripped", "spaces around the key were taken off"))
    if len(key) >= 2 and key[0] + key[-1] in _QUOTE_PAIRS:
        key = key[1:-1].strip()
        faults.append(SecretFault("quotes", "stripped", "quotes around the key were taken off"))
    bare = _AUTH_SCHEME.sub("", _AUTH_HEADER.sub("", key, count=1), count=1).strip()
    if bare != key:
        faults.append(SecretFault("scheme", "stripped", "the header's words before the key were taken off"))
    return bare, faults
