"""Connection registry of one server: it counts connections by owner, and evicts some when the limit is reached."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

from sprig_tui.server.limits import ConnectionLimits

MAX_DENIED_CONNECTIONS = 50
"""Connections beyond the limit that are open at the same time to receive 503; any more are closed without it."""
SLOW_AFTER_S = 1.0
"""Seconds after which a connection that waits for its client may be evicted."""


class ManagedConnection(Protocol):
    """A connection in the registry."""

    owner: str
    """See `owner_of`."""
    deadline: float
    """End of the present phase (monotonic s)."""
    write_deadline: float
    """Time by which the client must have read the response (monotonic s)."""
    phase_since: float
    """Start of the present phase, such as idle (monotonic s)."""

    def expire(self, now: float) -> None:
        """End the phase whose deadline is over."""

    def evict(self) -> None:
        """Close the connection to make room for another."""

    def slow_since(self) -> float:
        """Time since which it waits for its client to send or read (monotonic s); 0 if it does not."""

    def drain(self) -> None:
        """Close the connection as soon as the accepted request is answered."""

    def reject_incomplete(self) -> None:
        """Reject an incomplete request, and close the connection."""

    def abort(self) -> None:
        """Close the connection now."""


class ConnectionRegistry:
    """Connections from their acceptance on. When the limit is reached, a new connection may evict another.

    Evicted first are connections without a request yet or idle ones, then those with a slow client, then idle ones that
    had a successful request. The owner with the most connections loses one, but never an owner with fewer than the new
    connection's owner. So a client that opens thousands evicts only its own, and a single proxy may use the whole
    limit. If the new connection's owner has slow clients, these go before its connections of the last second, because
    clients with slow bodies send their headers at once, and would evict clients that are about to send theirs.
    """

    def __init__(self, limits: ConnectionLimits, *, on_dropped: Callable[[str], None] = lambda _: None) -> None:
        self.limits = limits
        self.members: set[ManagedConnection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        """Running TLS handshakes and requests."""
        self.on_dropped = on_dropped
        """Called with the cause when a connection is closed without a response: `crowded`, `handshake` ..."""
        self._waiting: dict[ManagedConnection, None] = {}
        self._idle: dict[ManagedConnection, None] = {}
        self._denied: dict[ManagedConnection, None] = {}
        self._counts_by_owner: Counter[str] = Counter()
        self._member_removed = asyncio.Event()

    def __len__(self) -> int:
        return len(self.members) - len(self._denied)

    # -- coming and going -----------------------------------------------------------------------------------------

    def admit(self, member: ManagedConnection) -> bool:
        """Register a connection; False beyond the limit. It is registered then too, so that it can receive 503."""
        admitted = len(self) < self.limits.connections or self.evict_one(member.owner)
        self.members.add(member)
        if admitted:
            self._counts_by_owner[member.owner] += 1
            self._waiting[member] = None
        else:
            if len(self._denied) >= MAX_DENIED_CONNECTIONS:
                oldest = next(iter(self._denied))
                self.remove(oldest)
                oldest.abort()
            self._denied[member] = None
        return admitted

    def remove(self, member: ManagedConnection) -> None:
        """Remove a closed connection."""
        if member not in self.members:
            return
        self.members.discard(member)
        self._waiting.pop(member, None)
        self._idle.pop(member, None)
        if member in self._denied:
            del self._denied[member]
        else:
            self._counts_by_owner[member.owner] -= 1
            if not self._counts_by_owner[member.owner]:
                del self._counts_by_owner[member.owner]
        self._member_removed.set()

    def mark_busy(self, member: ManagedConnection) -> None:
        """Mark a connection that has a request; it is not evicted unless its client is slow."""
        self._waiting.pop(member, None)
        self._idle.pop(member, None)

    def mark_waiting(self, member: ManagedConnection, *, proven: bool) -> None:
        """Mark a connection that waits for a request; `proven`: it had a successful one before."""
        if member in self.members and member not in self._denied:
            (self._idle if proven else self._waiting)[member] = None

    def evict_one(self, owner: str) -> bool:
        """Evict one connection for a new one of this owner; False if none may be evicted."""
        victim = self._choose_victim(owner)
        if victim is None:
            return False
        self._waiting.pop(victim, None)
        self._idle.pop(victim, None)
        self.on_dropped("crowded")
        victim.evict()
        return True

    def _choose_victim(self, owner: str) -> ManagedConnection | None:
        own, slow = self._counts_by_owner.get(owner, 0), time.monotonic() - SLOW_AFTER_S
        slowest = self._find_slowest(own, slow)
        if slowest is not None and slowest.owner == owner:
            # a connection of the last second may be about to send its request, so an older one goes
            return self._find_silent(own, slow) or slowest
        return self._find_silent(own) or slowest or next(self._find_idle(own, slow), None)

    def _find_silent(self, own_count: int, before: float = float("inf")) -> ManagedConnection | None:
        """A connection without a request since before this time, of the owner with the most connections."""
        highest_count = max(self._counts_by_owner.values(), default=0)
        second: ManagedConnection | None = None
        for member in self._waiting:
            if member.phase_since >= before:
                continue
            count = self._counts_by_owner[member.owner]
            if count == highest_count:
                return member
            if second is None and count >= own_count:
                second = member
        return second

    def _find_slowest(self, own_count: int, before: float) -> ManagedConnection | None:
        """The connection that has waited longest for its client, if since before this time."""
        busy = self.members - self._waiting.keys() - self._idle.keys() - self._denied.keys()
        slow = ((member.slow_since(), member) for member in busy if self._counts_by_owner[member.owner] >= own_count)
        return min((pair for pair in slow if 0 < pair[0] < before), key=lambda pair: pair[0], default=(0.0, None))[1]

    def _find_idle(self, own_count: int, before: float) -> Iterator[ManagedConnection]:
        return (
            member
            for member in self._idle
            if self._counts_by_owner[member.owner] >= own_count and member.phase_since < before
        )

    # -- time -----------------------------------------------------------------------------------------------------

    async def expire_overdue(self) -> None:
        """Expire connections past a deadline, until cancelled. A regular check of all is cheaper than a timer each."""
        limits = self.limits
        shortest = min(limits.head_seconds, limits.idle_seconds, limits.write_seconds, limits.linger_seconds)
        interval_s = max(0.01, min(1.0, shortest / 4))
        while True:
            await asyncio.sleep(interval_s)
            now = time.monotonic()
            overdue = [member for member in self.members if now >= member.deadline or now >= member.write_deadline]
            for member in overdue:
                member.expire(now)

    async def drain(self) -> None:
        """Finish accepted requests within `stop_seconds`; slow clients get half of it."""
        for member in tuple(self.members):
            member.drain()
        await self._wait_empty(self.limits.stop_seconds / 2)
        for member in tuple(self.members):
            member.reject_incomplete()
        await self._wait_empty(self.limits.stop_seconds / 2)
        await self.abort()

    async def _wait_empty(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while self.members:
                    self._member_removed.clear()
                    await self._member_removed.wait()
        except TimeoutError:
            pass

    async def abort(self) -> None:
        """Close all connections now."""
        for member in tuple(self.members):
            member.abort()
        tasks = tuple(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._wait_empty(1.0)


def owner_of(host: str) -> str:
    """Owner of a connection from this address: the address, or for IPv6 its /64 network, which is one site's."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
