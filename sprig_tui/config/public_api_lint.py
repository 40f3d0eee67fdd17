"""What can be told of a token of Segment's Public API by looking at it; Segment documents no format."""

from __future__ import annotations

import re

from sprig_tui.config.write_key_lint import WRITE_KEY_CHARS, SecretFault, SecretLint

MAX_PUBLIC_API_TOKEN_CHARS = 4_096
"""Characters; more than any header line should hold."""
MIN_PUBLIC_API_TOKEN_CHARS = 16

_PUBLIC_API_TOKEN_HINT = (
    "make one in Segment: Settings > Workspace settings > Access Management > Tokens, a Public API token"  # noqa: S105 - a hint, no secret
)
_ASCII_QUOTE_PAIRS = ('""', "''", "``")
_BEARER_HEADER = re.compile(r"(?:authorization\s*:\s*)?(?:bearer(?:\s+|$))?", re.IGNORECASE)


def lint_public_api_token(text: str) -> SecretLint:
    """The token without what is safe to strip (spaces, quotes, the header's words), and what was found."""
    token, faults = _strip_public_api_token(text[: 4 * MAX_PUBLIC_API_TOKEN_CHARS])
    tests = (
        (not token, "empty", "there is no token"),
        ("://" in token, "url", "this is an address, not a token"),
        (token[:1] in ("{", "["), "json", "this is JSON, not a token"),
        (len(token.splitlines()) > 1, "lines", "there are several lines; a token stands on one"),
        (not token.isascii() or not token.isprintable(), "characters", "there are characters that no header can hold"),
        (" " in token, "inner-spaces", "there are spaces inside"),
        (
            len(token) > MAX_PUBLIC_API_TOKEN_CHARS,
            "too-long",
            f"more than {MAX_PUBLIC_API_TOKEN_CHARS:,} characters are no token",
        ),
    )
    for found, name, message in tests:
        if found:
            return SecretLint(secret="", faults=(*faults, SecretFault(name, "error", message, _PUBLIC_API_TOKEN_HINT)))
    if len(token) < MIN_PUBLIC_API_TOKEN_CHARS:
        faults.append(
            SecretFault("short", "warning", f"{len(token)} characters are few for a token", _PUBLIC_API_TOKEN_HINT)
        )
    elif len(token) == WRITE_KEY_CHARS and token.isalnum():
        # the two are easily taken for each other: both are copied from Segment
        faults.append(
            SecretFault("write-key", "warning", "this looks like a write key, not a token", _PUBLIC_API_TOKEN_HINT)
        )
    return SecretLint(secret=token, faults=tuple(faults))


def _strip_public_api_token(text: str) -> tuple[str, list[SecretFault]]:
    token, faults = text.strip(), []
    if token != text.removesuffix("\n").removesuffix("\r"):
        # The newline that ends a piped line is no fault of the person's.
        faults.append(SecretFault("spaces", "stripped", "spaces around the token were taken off"))
    if len(token) >= 2 and token[0] + token[-1] in _ASCII_QUOTE_PAIRS:
        token = token[1:-1].strip()
        faults.append(SecretFault("quotes", "stripped", "quotes around the token were taken off"))
    bare = _BEARER_HEADER.sub("", token, count=1).strip()
    if bare != token:
        faults.append(SecretFault("scheme", "stripped", "the header's words before the token were taken off"))
    return bare, faults
