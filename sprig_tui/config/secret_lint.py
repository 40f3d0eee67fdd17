"""Format checks of pasted secrets: `lint_secret(text, rules)`, with one set of rules for each kind of secret.

Segment answers 200 to a wrong write key, and neither Segment nor Sprig documents the format of its other secrets, so
these checks are the only warning that a user gets before delivery.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from msgspec import Struct

WRITE_KEY_CHARS = 32
"""Characters of a write key, letters and digits (observed; Segment documents no format)."""
MIN_WEBHOOK_TOKEN_CHARS = MIN_SERVE_TOKEN_CHARS = 16
"""Characters below which a token is easily guessed."""
_MIN_WRITE_KEY_CHARS = 8
"""Characters; a shorter text is a typing mistake, whatever it looks like."""
_MAX_HEADER_CHARS = 4_096
"""Characters; more than an HTTP header line should have."""
_MIN_HEADER_CHARS = 16

FaultLevel = Literal["stripped", "warning", "error"]


class SecretFault(Struct, frozen=True):
    """One problem. `stripped` was corrected, a `warning` can be overridden, an `error` cannot."""

    name: str
    level: FaultLevel
    message: str
    hint: str = ""


class SecretLint(Struct, frozen=True):
    """The secret as it would be stored (empty after an error), and the problems; its repr never shows the secret."""

    secret: str
    faults: tuple[SecretFault, ...]

    @property
    def errors(self) -> tuple[SecretFault, ...]:
        """Problems that cannot be overridden."""
        return tuple(fault for fault in self.faults if fault.level == "error")

    @property
    def warnings(self) -> tuple[SecretFault, ...]:
        """Problems that the user can override."""
        return tuple(fault for fault in self.faults if fault.level == "warning")

    def __repr__(self) -> str:
        return f"SecretLint({', '.join(fault.name for fault in self.faults)})"


class Check(NamedTuple):
    """One test of a stripped secret."""

    name: str
    message: str
    """With `{noun}`, `{chars}`, `{size}` (`7 characters are`), `{lines}` and `{joined}` (characters of all lines)."""
    fails: Callable[[str], bool]
    hint: str = ""
    """Empty for the hint of the rules."""


_StripResult = tuple[str, dict[str, str]]
"""The text without what is safe to remove, and name -> message of what was removed."""


class LintRules(NamedTuple):
    """Everything that is checked of one kind of secret, in order."""

    noun: str
    """`key` or `token`."""
    long_noun: str
    hint: str
    max_chars: int
    strip: Callable[[str], _StripResult]
    errors: tuple[Check, ...]
    """The first that fails is reported."""
    warnings: tuple[tuple[Check, ...], ...]
    """The first that fails of each group is reported."""


def lint_secret(text: str, rules: LintRules) -> SecretLint:
    """The secret without what is safe to remove (spaces, quotes, the words of a header), and its problems."""
    if len(text) > 16 * rules.max_chars:
        return SecretLint("", (_fault(text, "error", _too_long(rules), rules),))
    secret, stripped = rules.strip(text)
    faults = [SecretFault(name, "stripped", message) for name, message in stripped.items()]
    error = next((check for check in (*rules.errors, _too_long(rules)) if check.fails(secret)), None)
    if error is not None:
        return SecretLint("", (*faults, _fault(secret, "error", error, rules)))
    for group in rules.warnings:
        warning = next((check for check in group if check.fails(secret)), None)
        if warning is not None:
            faults.append(_fault(secret, "warning", warning, rules))
    return SecretLint(secret, tuple(faults))


def _fault(text: str, level: FaultLevel, check: Check, rules: LintRules) -> SecretFault:
    lines = text.splitlines()
    message = check.message.format(
        noun=rules.noun,
        chars=f"{len(text):,}",
        size="1 character is" if len(text) == 1 else f"{len(text):,} characters are",
        lines=f"{len(lines):,}",
        joined=f"{sum(len(line.strip()) for line in lines):,}",
    )
    return SecretFault(check.name, level, message, check.hint or rules.hint)


def _too_long(rules: LintRules) -> Check:
    return Check("too-long", f"{{size}} no {rules.long_noun}", lambda text: len(text) > rules.max_chars)


# -- checks that several kinds share

_EMPTY = Check("empty", "there is no {noun}", lambda text: not text)
_URL = Check("url", "this is an address, not a {noun}", lambda text: "://" in text or text.lower().startswith("www."))
_JSON = Check("json", "this is JSON, not a {noun}", lambda text: text.startswith(("{", "[")))
_LINES = Check("lines", "there are several lines; a {noun} has one", lambda text: len(text.splitlines()) > 1)
_CHARACTERS = Check(
    "characters",
    "there are characters that no header can hold",
    lambda text: not text.isascii() or not text.isprintable(),
)
_INNER_SPACES = Check("inner-spaces", "there are spaces inside", lambda text: " " in text)
_HEADER_ERRORS = (_EMPTY, _URL, _JSON, _LINES, _CHARACTERS, _INNER_SPACES)

_QUOTE_PAIRS = ('""', "''", "``", "“”", "‘’", "«»", "<>")  # noqa: RUF001 - quotes that word processors make
_AUTHORIZATION = r"authorization\s*:\s*"


def _strip_spaces(text: str, noun: str) -> _StripResult:
    secret = text.strip()
    if secret == text.removesuffix("\n").removesuffix("\r"):
        return secret, {}  # the newline that ends a piped line is not worth a message
    return secret, {"spaces": f"spaces around the {noun} were taken off"}


def _strip_quotes(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] + text[-1] in _QUOTE_PAIRS else text


def _header_stripper(noun: str, schemes: str) -> Callable[[str], _StripResult]:
    """Removes spaces, quotes, `Authorization:` and one of the `schemes` (a pattern)."""
    header = rf"(?i:(?:{_AUTHORIZATION})?(?:(?:{schemes})(?:\s+|$))?)"

    def strip(text: str) -> _StripResult:
        secret, stripped = _strip_spaces(text, noun)
        if (bare := _strip_quotes(secret)) != secret:
            secret = bare.strip()
            stripped["quotes"] = f"quotes around the {noun} were taken off"
        if (bare := re.sub(header, "", secret, count=1).strip()) != secret:
            secret = bare
            stripped["scheme"] = f"the header's words before the {noun} were taken off"
        return secret, stripped

    return strip


# -- write keys

_ASSIGNMENT = r"(?i:(?:export\s+)?[\"']?(?:[A-Za-z_]*write[_-]?key[A-Za-z_]*)[\"']?\s*[:=]\s*)"
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9]+")
_INVISIBLE_CHARS = "\ufeff\u200b\u200c\u200d\u2060"


def _strip_write_key(text: str) -> _StripResult:
    stripped: dict[str, str] = {}
    before, key = None, text
    while key != before:
        before = key
        trimmed = key.strip().strip(_INVISIBLE_CHARS).strip()
        if trimmed != key:
            # the newline that ends a piped line is not worth a message
            if key.removesuffix("\n").removesuffix("\r") != trimmed:
                stripped.setdefault("spaces", "spaces around the key were taken off")
            key = trimmed
        assigned = re.match(_ASSIGNMENT, key)
        if assigned and assigned.end() < len(key):
            key = key[assigned.end() :]
            stripped.setdefault("assignment", "the name before the key was taken off")
        if (bare := _strip_quotes(key)) != key:
            key = bare
            stripped.setdefault("quotes", "quotes around the key were taken off")
        key = _decode_basic(key, stripped)
        joined = "".join(part.strip() for part in key.splitlines())
        if joined != key and len(joined) == WRITE_KEY_CHARS and _ALPHANUMERIC.fullmatch(joined):
            # an e-mail or a terminal wrapped the key over two lines
            key = joined
            stripped.setdefault("lines", "a line break inside the key was taken out")
    return key, stripped


def _decode_basic(key: str, stripped: dict[str, str]) -> str:
    key = re.sub(f"^{_AUTHORIZATION}", "", key, flags=re.IGNORECASE)
    scheme, _, rest = key.partition(" ")
    basic = scheme.lower() == "basic" and bool(rest.strip())
    coded = rest.strip() if basic else key
    decoded = _base64_key(coded)
    if decoded:
        stripped.setdefault("basic", "an Authorization header's coding (base64 of key and colon) was undone")
        return decoded
    if basic:
        stripped.setdefault("basic", "the word Basic before the key was taken off")
        return coded
    if key.endswith(":") and _ALPHANUMERIC.fullmatch(key[:-1]):
        stripped.setdefault("colon", "the colon after the key was taken off")
        return key[:-1]
    return key


def _base64_key(text: str) -> str:
    """The key inside base64("KEY:"), or nothing."""
    try:
        decoded = base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
    return decoded[:-1] if decoded.endswith(":") and _ALPHANUMERIC.fullmatch(decoded[:-1]) else ""


def _names_write_key(text: str) -> bool:
    return "write" in text.lower() and "key" in text.lower()


def _is_mistyped(text: str) -> bool:
    return len(text) < _MIN_WRITE_KEY_CHARS and not _names_write_key(text)


WRITE_KEY_RULES = LintRules(
    noun="key",
    long_noun="write key",
    hint="copy the key from Segment: the source's Settings > API Keys",
    max_chars=256,
    strip=_strip_write_key,
    errors=(
        _EMPTY,
        Check(
            "snippet",
            "this is Segment's page snippet, not the key in it",
            lambda text: "analytics.load" in text or "<script" in text.lower(),
            "paste only the text between the quotes after analytics.load",
        ),
        _URL,
        _JSON._replace(hint="paste only the text of its writeKey"),
        Check(
            "sprig-key",
            "this is an API key's header as Sprig uses it, not a Segment write key",
            lambda text: text.lower().startswith(("bearer ", "api-key ")),
        ),
        Check(
            "public-api-token",
            "this is a token of Segment's Public API, not a write key",
            lambda text: text.startswith("sgp_"),
        ),
        Check(
            "lines",
            f"there are {{lines}} lines, {{joined}} characters together; a write key has {WRITE_KEY_CHARS} on one line",
            _LINES.fails,
            "paste the key alone, on one line",
        ),
        Check(
            "control",
            "there are control characters",
            lambda text: text.isascii() and not text.replace("\t", " ").isprintable(),
        ),
        Check("non-ascii", "there are letters other than A to Z", lambda text: not text.isascii()),
        Check("inner-spaces", _INNER_SPACES.message, lambda text: " " in text or "\t" in text, "paste the key alone"),
        Check(
            "colon-inside",
            "there is a colon inside",
            lambda text: ":" in text,
            "paste the key alone, without user or password",
        ),
    ),
    warnings=(
        (
            Check("length", f"{{size}} too few for a write key, which has {WRITE_KEY_CHARS}", _is_mistyped),
            Check(
                "placeholder",
                "this looks like a placeholder",
                lambda text: _names_write_key(text) or len(set(text)) < 4,
            ),
            Check("characters", "a write key holds letters and digits only", lambda text: not text.isalnum()),
        ),
        (
            Check(
                "sprig-environment-id",
                "10 characters, as Sprig's environment ids have them",
                lambda text: len(text) == 10 and text.isalnum(),
            ),
            Check(
                "length",
                f"{{chars}} characters; write keys have {WRITE_KEY_CHARS}",
                lambda text: len(text) != WRITE_KEY_CHARS and not _is_mistyped(text),
            ),
        ),
    ),
)

# -- the key of mapping.hmac, of the user's own choice

MIN_HMAC_KEY_CHARS = 16
"""Characters below which a key is found by trying, and with it every hashed value."""

HMAC_KEY_RULES = LintRules(
    noun="key",
    long_noun="key",
    hint="make one with: openssl rand -hex 32",
    max_chars=_MAX_HEADER_CHARS,
    strip=lambda text: _strip_spaces(text, "key"),
    errors=(
        _EMPTY,
        _LINES,
        Check("short", "{size} too few for a key: it could be guessed", lambda text: len(text) < MIN_HMAC_KEY_CHARS),
    ),
    warnings=(),
)

# -- secrets that travel as a Bearer token

SPRIG_API_KEY_RULES = LintRules(
    noun="key",
    long_noun="key",
    hint="copy the key from Sprig: Integrations > Enrichment > Data Import API",
    max_chars=_MAX_HEADER_CHARS,
    strip=_header_stripper("key", "bearer|api-key"),
    errors=_HEADER_ERRORS,
    warnings=((Check("short", "{size} few for an API key", lambda text: len(text) < _MIN_HEADER_CHARS),),),
)

PUBLIC_API_TOKEN_RULES = LintRules(
    noun="token",
    long_noun="token",
    hint="make one in Segment: Settings > Workspace settings > Access Management > Tokens, a Public API token",
    max_chars=_MAX_HEADER_CHARS,
    strip=_header_stripper("token", "bearer"),
    errors=_HEADER_ERRORS,
    warnings=(
        (
            Check("short", "{size} few for a token", lambda text: len(text) < _MIN_HEADER_CHARS),
            # the two are easily mixed up: both are copied from Segment
            Check(
                "write-key",
                "this looks like a write key, not a token",
                lambda text: len(text) == WRITE_KEY_CHARS and text.isalnum(),
            ),
        ),
    ),
)

PROFILE_TOKEN_RULES = LintRules(
    noun="token",
    long_noun="token",
    hint="make one in Segment: Unify > the space > Unify settings > API access",
    max_chars=_MAX_HEADER_CHARS,
    strip=_header_stripper("token", "bearer|basic"),
    errors=_HEADER_ERRORS,
    warnings=((Check("short", "{size} few for a token", lambda text: len(text) < _MIN_HEADER_CHARS),),),
)


def _strip_webhook_token(text: str) -> _StripResult:
    """A token of the user's own choice: quotes may belong to it."""
    token, stripped = _strip_spaces(text, "token")
    scheme, _, rest = token.partition(" ")
    if scheme.lower() != "bearer":
        return token, stripped
    return rest.strip(), {**stripped, "bearer": "the word Bearer before the token was taken off"}


SERVE_TOKEN_RULES = LintRules(
    noun="token",
    long_noun="token",
    hint="make one with openssl rand -hex 32",
    max_chars=_MAX_HEADER_CHARS,
    strip=_header_stripper("token", "bearer"),
    errors=(
        *_HEADER_ERRORS,
        Check("short", "{size} too few: it could be guessed", lambda text: len(text) < MIN_SERVE_TOKEN_CHARS),
    ),
    warnings=(),
)

WEBHOOK_TOKEN_RULES = LintRules(
    noun="token",
    long_noun="token",
    hint="use letters, digits and punctuation, such as --generate makes them",
    max_chars=_MAX_HEADER_CHARS,
    strip=_strip_webhook_token,
    errors=(_EMPTY, _LINES, _CHARACTERS, _INNER_SPACES),
    warnings=((Check("short", "{size} easily guessed", lambda text: len(text) < MIN_WEBHOOK_TOKEN_CHARS),),),
)
