"""What can be told of a token of Segment's Public API by looking at it; Segment documents no format."""

from __future__ import annotations

import re

from sprig_tui.config.keylint import KEY_LENGTH, KeyFault, KeyLint

LONGEST = 4_096
"""Characters; more than any header line should hold."""
SHORTEST = 16

_COPY = "make one in Segment: Settings > Workspace settings > Access Management > Tokens, a Public API token"
_QUOTES = ('""', "''", "``")
_HEADER = re.compile(r"(?:authorization\s*:\s*)?(?:bearer(?:\s+|$))?", re.IGNORECASE)


def lint_public_api_token(text: str) -> KeyLint:
    """The token without what is safe to strip (spaces, quotes, the header's words), and what was found."""
    token, faults = _strip(text[: 4 * LONGEST])
    tests = (
        (not token, "empty", "there is no token"),
        ("://" in token, "url", "this is an address, not a token"),
        (token[:1] in ("{", "["), "json", "this is JSON, not a token"),
        (len(token.splitlines()) > 1, "lines", "there are several lines; a token stands on one"),
        (not token.isascii() or not token.isprintable(), "characters", "there are characters that no header can hold"),
        (" " in token, "inner-spaces", "there are spaces inside"),
        (len(token) > LONGEST, "too-long", f"more than {LONGEST:,} characters are no token"),
    )
    for found, name, message in tests:
        if found:
            return KeyLint(key="", faults=(*faults, KeyFault(name, "error", message, _COPY)))
    if len(token) < SHORTEST:
        faults.append(KeyFault("short", "warning", f"{len(token)} characters are few for a token", _COPY))
    elif len(token) == KEY_LENGTH and token.isalnum():
        # the two are easily taken for each other: both are copied from Segment
        faults.append(KeyFault("write-key", "warning", "this looks like a write key, not a token", _COPY))
    return KeyLint(key=token, faults=tuple(faults))


def _strip(text: str) -> tuple[str, list[KeyFault]]:
    token, faults = text.strip(), []
    if token != text.removesuffix("\n").removesuffix("\r"):
        # The newline that ends a piped line is no fault of the person's.
        faults.append(KeyFault("spaces", "stripped", "spaces around the token were taken off"))
    if len(token) >= 2 and token[0] + token[-1] in _QUOTES:
        token = token[1:-1].strip()
        faults.append(KeyFault("quotes", "stripped", "quotes around the token were taken off"))
    bare = _HEADER.sub("", token, count=1).strip()
    if bare != token:
        faults.append(KeyFault("scheme", "stripped", "the header's words before the token were taken off"))
    return bare, faults
