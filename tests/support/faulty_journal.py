"""Journal that fails on demand."""

import asyncio
from typing import Any


class FaultyJournal:
    """The real journal, with faults in front of the methods named in `faults`, and locks before those in `held`."""

    def __init__(self, journal: Any) -> None:
        self._journal = journal
        self.faults: dict[str, Exception] = {}
        self.held: set[str] = set()
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._journal, name)
        if name in ("clock", "subscribe"):  # these are no calls of the store
            return method

        for named in (*self.faults, *self.held):
            assert hasattr(self._journal, named), f"a journal has no method {named}"

        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            if name in self.held:
                await asyncio.Event().wait()
            if name in self.faults:
                raise self.faults[name]
            return await method(*args, **kwargs)

        return call
