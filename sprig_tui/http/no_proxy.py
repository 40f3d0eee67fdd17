"""NO_PROXY: the hosts that are asked directly, in the spellings that curl, Go and Python take."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import urlsplit

_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class NoProxy(NamedTuple):
    """What NO_PROXY holds."""

    matches_all: bool = False
    """`*` is among it."""
    names: tuple[tuple[str, int], ...] = ()
    """Domains with what is below them, and a port, 0 for any."""
    networks: tuple[tuple[_Network, int], ...] = ()
    invalid_entries: tuple[str, ...] = ()

    def matches(self, host: str, port: int) -> bool:
        """Whether this host, a name or an address without brackets, is asked directly."""
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
    """What the variable names; what cannot be read is left out, and listed."""
    names: list[tuple[str, int]] = []
    networks: list[tuple[_Network, int]] = []
    unreadable: list[str] = []
    everything = False
    for item in re.split(r"[,\s]+", text.strip()):
        if item == "*":
            everything = True
        elif item:
            try:
                found, port = _parse_entry(item)
            except ValueError:
                unreadable.append(item)
                continue
            if isinstance(found, str):
                names.append((found, port))
            else:
                networks.append((found, port))
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
