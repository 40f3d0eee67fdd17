"""Address of this machine: told by its name or number, without asking the network."""

from __future__ import annotations

import ipaddress
import socket


def is_loopback(host: str) -> bool:
    """Whether only this machine answers to this name or address."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    found = _parse_ip(host)
    return found is not None and found.is_loopback


def is_this_machine(host: str) -> bool:
    """Whether this machine answers to it: loopback, or an address of one of its network cards."""
    if is_loopback(host):
        return True
    found = _parse_ip(host)
    if found is None:
        return False
    if found.is_unspecified:
        return True
    family = socket.AF_INET if found.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(found), 0))  # the system lets only its own be bound
    except OSError:
        return False
    return True


def _parse_ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found
