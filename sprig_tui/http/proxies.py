"""Proxy selection: the route to one server, directly or through a proxy named by environment variables."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from sprig_tui.errors import ConfigError


def is_loopback(host: str) -> bool:
    """Whether this name or address is a loopback one."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _parse_ip(host)
    return address is not None and address.is_loopback


def is_this_machine(host: str) -> bool:
    """Whether it is loopback or an address of one of this machine's network interfaces."""
    if is_loopback(host):
        return True
    address = _parse_ip(host)
    if address is None:
        return False
    if address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))  # only an address of this machine can be bound
    except OSError:
        return False
    return True


def _parse_ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class NoProxy(NamedTuple):
    """Content of NO_PROXY."""

    matches_all: bool = False
    """Whether it contains `*`."""
    names: tuple[tuple[str, int], ...] = ()
    """Domains, which include their subdomains, with a port; 0 for any."""
    networks: tuple[tuple[_Network, int], ...] = ()
    invalid_entries: tuple[str, ...] = ()

    def matches(self, host: str, port: int) -> bool:
        """Whether this host (a name, or an address without brackets) is reached directly."""
        if self.matches_all:
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            name = host.lower().rstrip(".")
            return any(
                only in (0, port) and (name == domain or name.endswith(f".{domain}")) for domain, only in self.names
            )
        return any(only in (0, port) and address in network for network, only in self.networks)


def parse_no_proxy(text: str) -> NoProxy:
    """The entries of the variable; invalid ones are left out and listed."""
    names: list[tuple[str, int]] = []
    networks: list[tuple[_Network, int]] = []
    unreadable: list[str] = []
    everything = False
    for item in re.split(r"[,\s]+", text.strip()):
        if item == "*":
            everything = True
        elif item:
            try:
                entry, port = _parse_entry(item)
            except ValueError:
                unreadable.append(item)
                continue
            if isinstance(entry, str):
                names.append((entry, port))
            else:
                networks.append((entry, port))
    return NoProxy(everything, tuple(names), tuple(networks), tuple(unreadable))


def _parse_entry(item: str) -> tuple[str | _Network, int]:
    """A name or a network, and a port; raises ValueError."""
    text = item.lower()
    try:
        return ipaddress.ip_network(text, strict=False), 0
    except ValueError:
        pass  # it has a port, brackets or a scheme, or is a name
    parts = urlsplit(text if "://" in text else f"//{text}")
    host = (parts.hostname or "").removeprefix("*").strip(".")
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(item)
    try:
        return ipaddress.ip_network(host), parts.port or 0
    except ValueError:
        name = host if host.isascii() else host.encode("idna").decode()
        if not _HOST_NAME.fullmatch(name):
            raise ValueError(item) from None
        return name, parts.port or 0


PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PROXY_HINT = "write it as http://proxy.example:3128, percent-encode a password, or unset it"


class ProxyRoute(NamedTuple):
    """Route to one server."""

    proxy: str = ""
    """URL of the proxy, which may contain a password; empty for a direct connection."""
    variable: str = ""
    """Variable that names the proxy, such as HTTPS_PROXY."""
    warnings: tuple[str, ...] = ()
    """Sentences on the entries of NO_PROXY that were left out."""

    @property
    def proxy_host(self) -> str:
        """The proxy's host and port, without user and password."""
        return urlsplit(self.proxy).netloc.rpartition("@")[2]


def find_route(url: str, environ: Mapping[str, str] | None = None) -> ProxyRoute:
    """The route to the server of `url`; raises ConfigError for a proxy that cannot be used.

    Addresses of this machine are always reached directly. Without `environ` the settings of the operating system
    (macOS, Windows) apply too.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_this_machine(host):
        return ProxyRoute()
    from urllib.request import getproxies  # it brings `email` and `ssl` along; most commands need no proxy

    named = getproxies() if environ is None else _proxies_by_scheme(environ)
    scheme = parts.scheme if named.get(parts.scheme) else "all"
    proxy = named.get(scheme, "")
    if not proxy:
        return ProxyRoute()
    direct = parse_no_proxy(named.get("no", ""))
    notes = tuple(f"NO_PROXY: {item[:60]!r} cannot be read, and is left out" for item in direct.invalid_entries)
    if direct.matches(host, parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)):
        return ProxyRoute(warnings=notes)
    variable = _variable_name(scheme, os.environ if environ is None else environ)
    return ProxyRoute(_check_proxy(proxy, variable), variable, notes)


def _proxies_by_scheme(environ: Mapping[str, str]) -> dict[str, str]:
    """Proxies by scheme, as from `getproxies`: a lower-case variable takes precedence."""
    proxies = {}
    for variable in sorted(environ):  # capitals first
        kind, proxy, rest = variable.lower().rpartition("_proxy")
        if proxy and not rest:
            proxies[kind] = environ[variable]
    return proxies


def _variable_name(scheme: str, environ: Mapping[str, str]) -> str:
    """The name of the variable in use, or `the system's proxy setting`."""
    for name in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY"):
        if environ.get(name):
            return name
    return next((name for name in environ if name.lower() == f"{scheme}_proxy"), "the system's proxy setting")


def _check_proxy(proxy: str, variable: str) -> str:
    """The proxy's URL. Errors do not quote it, because it may contain a password."""
    whole = proxy.strip() if "://" in proxy else f"http://{proxy.strip()}"
    try:
        parts = urlsplit(whole)
        # an @ after the host belongs to a password that is not percent-encoded
        rest = f"{parts.path}{parts.query}{parts.fragment}"
        usable = bool(parts.hostname) and parts.port != 0 and whole.isprintable() and not {" ", "@"} & set(rest)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"{variable} holds no address of a proxy", hint=_PROXY_HINT)
    if parts.scheme not in PROXY_SCHEMES:
        raise ConfigError(
            f"{variable} names a proxy of the kind {parts.scheme[:20]!r}, which cannot be used",
            hint=f"use one of {', '.join(PROXY_SCHEMES)}",
        )
    return whole
