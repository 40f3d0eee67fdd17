"""The end of a listening server of asyncio."""

from __future__ import annotations

import asyncio

ACCEPT_STEPS = 6
"""Steps of the event loop from accepting a connection to the first step of the task that serves it."""


async def stop_accepting(server: asyncio.Server) -> None:
    """Close the server; what it accepted is being served then. `close` alone leaves a socket open (Python 3.11)."""
    for listening in server.sockets:
        asyncio.get_running_loop().remove_reader(listening.fileno())
    for _ in range(ACCEPT_STEPS):
        await asyncio.sleep(0)
    server.close()
