"""URLs in the config: Segment endpoints and regions (`us`, `eu`, a URL), and the address of Sprig's REST API."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from sprig_tui.errors import ConfigError, message_prefix
from sprig_tui.http.proxies import is_loopback
from sprig_tui.segment.limits import ENDPOINT_URLS, PUBLIC_API_URLS

_ENDPOINT_HINT = "use us, eu or an https:// address without a query"
_API_HINT = "use an https:// address without a query, such as https://api.sprig.com"


def parse_endpoint(text: str, label: str = "endpoint") -> tuple[str, str]:
    """The endpoint for an Environment, and a note if it was changed.

    Plain http is allowed for loopback only, because each request contains the Write Key. Raises ConfigError.
    """
    given = text.strip()
    if given.lower() in ENDPOINT_URLS:
        return given.lower(), ""
    try:
        parts = _split_secure_url(given, label, "write key", _ENDPOINT_HINT)
    except _NoSchemeError:
        known = ", ".join(ENDPOINT_URLS)
        raise ConfigError(
            f"{message_prefix(label)}{given[:80]!r} is neither a region ({known}) nor an https:// address",
            hint=_ENDPOINT_HINT,
        ) from None
    return _strip_route(given, parts, ("/v1/batch", "/v1/track", "/v1/import", "/v1/b", "/v1/t", "/v1"))


def parse_api_url(text: str, label: str = "api url") -> tuple[str, str]:
    """The address of Sprig's REST API without `/v1`, and a note if it was changed; same rules as for endpoints."""
    given = text.strip()
    try:
        parts = _split_secure_url(given, label, "api key", _API_HINT)
    except _NoSchemeError:
        raise ConfigError(f"{message_prefix(label)}{given[:80]!r} is no https:// address", hint=_API_HINT) from None
    return _strip_route(given, parts, ("/v1/responses", "/v1/surveys", "/v1"))


def parse_token_url(text: str, label: str = "token_url") -> str:
    """The address of an OAuth token server with its route `/token`; same rules as for endpoints. Raises ConfigError."""
    given = text.strip()
    hint = "use an https:// address, such as https://oauth2.segment.io, or leave it out for the endpoint's region"
    try:
        parts = _split_secure_url(given, label, "assertion", hint)
    except _NoSchemeError:
        raise ConfigError(f"{message_prefix(label)}{given[:80]!r} is no https:// address", hint=hint) from None
    return _strip_route(given, parts, ("/token",))[0] + "/token"


def parse_region(text: str, label: str = "region") -> str:
    """The region or address of Segment's Public API; same rules as for endpoints. Raises ConfigError."""
    given = text.strip()
    if given.lower() in PUBLIC_API_URLS:
        return given.lower()
    if any(given.rstrip("/") == address for address in ENDPOINT_URLS.values()):
        # the Tracking API would get the token and answer 404
        raise ConfigError(
            f"{message_prefix(label)}{given} takes events; the Public API is elsewhere", hint="use us or eu"
        )
    try:
        parts = _split_secure_url(given, label, "token", _ENDPOINT_HINT)
    except _NoSchemeError:
        known = ", ".join(PUBLIC_API_URLS)
        raise ConfigError(
            f"{message_prefix(label)}{given[:80]!r} is neither a region ({known}) nor an https:// address",
            hint=_ENDPOINT_HINT,
        ) from None
    return _strip_route(given, parts, ("/sources",))[0]


class _NoSchemeError(Exception):
    """The scheme is neither http nor https."""


def _split_secure_url(given: str, label: str, secret: str, hint: str) -> SplitResult:
    """The parts of an address to which a secret may be sent."""
    if not given.isascii() or not given.isprintable() or " " in given:
        raise ConfigError(
            f"{message_prefix(label)}an address holds no spaces, control or other than ASCII characters", hint=hint
        )
    parts = _split_url(given, label, hint)
    if "@" in parts.netloc:
        raise ConfigError(
            f"{message_prefix(label)}the address holds a user or password", hint="leave out the part before the @"
        )
    if parts.query or parts.fragment or given.endswith(("?", "#")):
        raise ConfigError(f"{message_prefix(label)}the address holds a query or fragment", hint=hint)
    host = parts.hostname or ""
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigError(
            f"{message_prefix(label)}http:// to {host} would send the {secret} readable by anyone on the way",
            hint="use https://; plain http is for this machine (127.0.0.1) only",
        )
    return parts


def _split_url(given: str, label: str, hint: str) -> SplitResult:
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{message_prefix(label)}{given[:80]!r} is no address: {error}", hint=hint) from error
    if parts.scheme not in ("http", "https"):
        raise _NoSchemeError
    if not parts.hostname or port == 0:
        raise ConfigError(f"{message_prefix(label)}{given[:80]!r} names no host", hint=hint)
    return parts


def _strip_route(given: str, parts: SplitResult, routes: Iterable[str]) -> tuple[str, str]:
    path = parts.path.rstrip("/")
    for route in routes:
        if path.endswith(route):
            short = parts._replace(path=path.removesuffix(route)).geturl()
            return short, f"{given} was taken as {short}: the route {route} is added at each request"
    return parts._replace(path=path).geturl(), ""
