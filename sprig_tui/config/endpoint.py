"""An endpoint as people name it: `us`, `eu` or the base URL of a Segment-like server."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from sprig_tui.errors import ConfigError
from sprig_tui.segment.limits import ENDPOINTS

_HINT = "use us, eu or an https:// address without a query"


def parse_endpoint(text: str, what: str = "endpoint") -> tuple[str, str]:
    """The endpoint as an Environment holds it, and a note where it was changed on the way.

    Plain http is taken for loopback only, since the Write Key travels with each request. Raises ConfigError.
    """
    given = text.strip()
    if given.lower() in ENDPOINTS:
        return given.lower(), ""
    if not given.isascii() or not given.isprintable() or " " in given:
        raise ConfigError(f"{what}: an address holds no spaces, control or other than ASCII characters", hint=_HINT)
    parts = _split(given, what)
    if "@" in parts.netloc:
        raise ConfigError(f"{what}: the address holds a user or password", hint="leave out the part before the @")
    if parts.query or parts.fragment or given.endswith(("?", "#")):
        raise ConfigError(f"{what}: the address holds a query or fragment", hint=_HINT)
    host = parts.hostname or ""
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigError(
            f"{what}: http:// to {host} would send the write key readable by anyone on the way",
            hint="use https://; plain http is for this machine (127.0.0.1) only",
        )
    return _without_route(given, parts)


def _split(given: str, what: str) -> SplitResult:
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{what}: {given[:80]!r} is no address: {error}", hint=_HINT) from error
    if parts.scheme not in ("http", "https"):
        known = ", ".join(ENDPOINTS)
        raise ConfigError(f"{what}: {given[:80]!r} is neither a region ({known}) nor an https:// address", hint=_HINT)
    if not parts.hostname or port == 0:
        raise ConfigError(f"{what}: {given[:80]!r} names no host", hint=_HINT)
    return parts


def _without_route(given: str, parts: SplitResult) -> tuple[str, str]:
    path = parts.path.rstrip("/")
    for route in ("/v1/batch", "/v1/track", "/v1/import", "/v1/b", "/v1/t", "/v1"):
        if path.endswith(route):
            short = parts._replace(path=path.removesuffix(route)).geturl()
            return short, f"{given} was taken as {short}: the route {route} is added at each request"
    return parts._replace(path=path).geturl(), ""


def is_loopback(host: str) -> bool:
    """Whether this name or address is this machine, without asking the network."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
