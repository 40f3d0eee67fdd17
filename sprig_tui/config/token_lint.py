"""What can be told of a webhook token by looking at it; Sprig sends it behind the word Bearer."""

from __future__ import annotations

from sprig_tui.config.write_key_lint import SecretFault, SecretLint

MAX_WEBHOOK_TOKEN_CHARS = 4_096
"""Characters; more than any header line should hold."""
MIN_WEBHOOK_TOKEN_CHARS = 16
"""Characters below which a token is easily guessed."""

_WEBHOOK_TOKEN_HINT = "use letters, digits and punctuation, such as --generate makes them"  # noqa: S105 - a hint, no secret


def lint_webhook_token(text: str) -> SecretLint:
    """The token without spaces around it and the word Bearer, which Sprig puts in front, and what was found."""
    token, faults = text.strip(), []
    if token != text.removesuffix("\n").removesuffix("\r"):
        faults.append(SecretFault("spaces", "stripped", "spaces around the token were taken off"))
    scheme, _, rest = token.partition(" ")
    if scheme.lower() == "bearer":
        token = rest.strip()
        faults.append(SecretFault("bearer", "stripped", "the word Bearer before the token was taken off"))
    tests = (
        (not token, "empty", "there is no token"),
        (len(token.splitlines()) > 1, "lines", "there are several lines; a token stands on one"),
        (len(token) > MAX_WEBHOOK_TOKEN_CHARS, "too-long", f"{len(token):,} characters are no token"),
        (not token.isascii() or not token.isprintable(), "characters", "there are characters that no header can hold"),
        (" " in token, "inner-spaces", "there are spaces inside"),
    )
    for found, name, message in tests:
        if found:
            return SecretLint(secret="", faults=(*faults, SecretFault(name, "error", message, _WEBHOOK_TOKEN_HINT)))
    if len(token) < MIN_WEBHOOK_TOKEN_CHARS:
        faults.append(
            SecretFault("short", "warning", f"{len(token)} characters are easily guessed", _WEBHOOK_TOKEN_HINT)
        )
    return SecretLint(secret=token, faults=tuple(faults))
