"""Accepted connections of one server: how many, whose, and which of them gives way when there are too many."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

from sprig_tui.server.limits import ConnectionLimits

MAX_DENIED_CONNECTIONS = 50
"""Connections beyond the limit that are told so, at once; others beyond it are closed without a word."""
SLOW_AFTER_S = 1.0
"""How long a sender is waited for before it gives way to others, when all connections are taken."""


class ManagedConnection(Protocol):
    """A connection, as it is counted."""

    owner: str
    """Whose share it is of."""
    deadline: float
    """When its present wait is over (monotonic s)."""
    write_deadline: float
    """When its reader must have read."""
    phase_since: float
    """When it began to be what it is about now, such as idle (monotonic s)."""

    def expire(self, now: float) -> None:
        """A deadline is over."""

    def evict(self) -> None:
        """End, so that others find room."""

    def slow_since(self) -> float:
        """Since when the sender of a request, or the reader of an answer, keeps it waiting; 0 where none does."""

    def drain(self) -> None:
        """End as soon as what was accepted is answered."""

    def reject_incomplete(self) -> None:
        """Refuse what has not come in full, and end."""

    def abort(self) -> None:
        """End now."""


class ConnectionRegistry:
    """Counts connections from their acceptance. Where all are taken, one that keeps nobody waiting gives way.

    First those that brought no request yet or are idle, then senders and readers that keep us waiting, last idle ones
    that brought something before; of the address that holds the most, and never of one that holds less than the
    newcomer's. So a stranger who opens thousands crowds out himself alone, and a proxy has the whole limit while it
    is alone. Where the newcomer's own address has slow senders they go before those that came in the last second: else
    slow bodies, which bring their headers at once, would crowd out whoever is about to bring his.
    """

    def __init__(self, limits: ConnectionLimits, *, on_dropped: Callable[[str], None] = lambda _: None) -> None:
        self.limits = limits
        self.members: set[ManagedConnection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        """Handshakes, and requests that are being answered."""
        self.on_dropped = on_dropped
        """Hears why a connection ended that was not answered: `crowded`, `handshake`, `slow reader` ..."""
        self._waiting: dict[ManagedConnection, None] = {}
        self._idle: dict[ManagedConnection, None] = {}
        self._denied: dict[ManagedConnection, None] = {}
        self._counts_by_owner: Counter[str] = Counter()
        self._member_removed = asyncio.Event()

    def __len__(self) -> int:
        return len(self.members) - len(self._denied)

    # -- coming and going -----------------------------------------------------------------------------------------

    def admit(self, member: ManagedConnection) -> bool:
        """Take one in; False where it is one too many: it is counted all the same, to be told so."""
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
        """It ended."""
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
        """It brought a request."""
        self._waiting.pop(member, None)
        self._idle.pop(member, None)

    def mark_waiting(self, member: ManagedConnection, *, proven: bool) -> None:
        """It waits for another request; `proven`: it brought something before that was taken."""
        if member in self.members and member not in self._denied:
            (self._idle if proven else self._waiting)[member] = None

    def evict_one(self, owner: str) -> bool:
        """Let one give way for a newcomer of this owner; False where none can."""
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
            # whoever only just came is about to bring its request: not it, but one that had its time
            return self._find_silent(own, slow) or slowest
        return self._find_silent(own) or slowest or next(self._find_idle(own, slow), None)

    def _find_silent(self, own_count: int, before: float = float("inf")) -> ManagedConnection | None:
        """One that brought no request since before this time, of the address that holds the most."""
        most = max(self._counts_by_owner.values(), default=0)
        second: ManagedConnection | None = None
        for member in self._waiting:
            if member.phase_since >= before:
                continue
            held = self._counts_by_owner[member.owner]
            if held == most:
                return member
            if second is None and held >= own_count:
                second = member
        return second

    def _find_slowest(self, own_count: int, before: float) -> ManagedConnection | None:
        """The one that keeps us waiting for the longest, if since before this time."""
        asking = self.members - self._waiting.keys() - self._idle.keys() - self._denied.keys()
        slow = ((one.slow_since(), one) for one in asking if self._counts_by_owner[one.owner] >= own_count)
        return min((one for one in slow if 0 < one[0] < before), key=lambda one: one[0], default=(0.0, None))[1]

    def _find_idle(self, own_count: int, before: float) -> Iterator[ManagedConnection]:
        return (one for one in self._idle if self._counts_by_owner[one.owner] >= own_count and one.phase_since < before)

    # -- time -----------------------------------------------------------------------------------------------------

    async def expire_overdue(self) -> None:
        """End what takes too long, until cancelled. One look at all now and then is cheaper than a timer for each."""
        limits = self.limits
        shortest = min(limits.head_seconds, limits.idle_seconds, limits.write_seconds, limits.linger_seconds)
        every = max(0.01, min(1.0, shortest / 4))
        while True:
            await asyncio.sleep(every)
            now = time.monotonic()
            for member in [one for one in self.members if now >= one.deadline or now >= one.write_deadline]:
                member.expire(now)

    async def drain(self) -> None:
        """Let requests be answered that were accepted, within `stop_seconds`; slow senders get half of it."""
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
        """End all now."""
        for member in tuple(self.members):
            member.abort()
        tasks = tuple(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._wait_empty(1.0)


def owner_of(host: str) -> str:
    """Whose share a connection from this address is of: the address, or in IPv6 the network that one site has (/64)."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
