"""A fleet on one journal: workers, receivers and consoles, each with settings of its own; and who harasses them."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

from support.programs import Program, Programs
from support.pty_console import PtyConsole

LOOKING_KEYS = ("3", "j", "k", "G", "g", "1", "2", "]", "[")
"""Looking around; nothing that sends, whatever has the focus."""
FILTER_KEYS = ("3/status:failed\r", "3/\x15\r", "?", "\x1b")
"""For a console without a way to send: in another place than was meant, letters are commands."""


MOST_STARTS = 120
"""Tries, a second apart, of a supervisor that starts a program again."""


class Machine:
    """One of the seven: a folder of settings of its own, and how its program is started, killed and ended."""

    def __init__(self, name: str, home: Path) -> None:
        self.name = name
        self.programs = Programs(home)
        self.kills = 0
        self.died: list[str] = []
        """What it said last, where it ended although nobody killed it."""

    async def start(self) -> None:
        """Start it, or start it again."""
        raise NotImplementedError

    async def kill(self) -> None:
        """SIGKILL."""
        raise NotImplementedError

    async def end(self) -> int:
        """Stop it as a person would; returns the exit code."""
        raise NotImplementedError

    def alive(self) -> bool:
        """Whether it runs."""
        raise NotImplementedError


class Worker(Machine):
    """`sprig-tui run`."""

    program: Program

    async def start(self) -> None:
        self.program = await self.programs.run("--status-every", "20s")

    async def kill(self) -> None:
        await self.program.kill()

    async def end(self) -> int:
        return await self.program.stop()

    def alive(self) -> bool:
        return self.program.running


class Receiver(Worker):
    """`sprig-tui listen`, on a port that stays the same."""

    port = 0

    async def start(self) -> None:
        self.program, self.port = await self.programs.listen(self.port, "--status-every", "20s")


class Console(Machine):
    """`sprig-tui` in a terminal; keys are pressed in it all the time."""

    def __init__(self, name: str, home: Path, *options: str) -> None:
        super().__init__(name, home)
        self._options = options
        self._terminal = PtyConsole()

    async def start(self) -> None:
        await self._terminal.start(self.programs.environ, *self._options)
        await self._terminal.shows("Environments")

    async def kill(self) -> None:
        await self._terminal.end()

    async def end(self) -> int:
        return await self._terminal.end(signal.SIGTERM)

    def alive(self) -> bool:
        return self._terminal.running

    def press(self, rng: random.Random) -> None:
        """Look around."""
        keys = (*LOOKING_KEYS, *FILTER_KEYS) if "--read-only" in self._options else LOOKING_KEYS
        if self.alive():
            self._terminal.press(rng.choice(keys))


class Fleet:
    """The seven, and the one who kills them."""

    def __init__(self, folder: Path, seed: int, *, consoles: bool = True) -> None:
        self.rng = random.Random(seed)
        self.receivers = [Receiver(f"receiver {number}", folder / f"receiver-{number}") for number in (1, 2)]
        self.consoles = [
            Console("console 1", folder / "console-1"),
            Console("console 2", folder / "console-2", "--no-engine", "--read-only"),
        ][: 2 if consoles else 0]
        workers = [Worker(f"worker {number}", folder / f"worker-{number}") for number in (1, 2, 3)]
        self.machines: list[Machine] = [*workers, *self.receivers, *self.consoles]

    async def harass(self, until: asyncio.Event, every: float) -> None:
        """Kill one after the other, at random moments; start each again after a while, as its supervisor would."""
        while not await is_set(until, self.rng.expovariate(1 / every)):
            machine = self.rng.choice(self.machines)
            if not machine.alive():
                machine.died.append("ended by itself")
            await machine.kill()
            machine.kills += 1
            await is_set(until, self.rng.uniform(0, 2))
            for _ in range(MOST_STARTS):
                if await self._restarted(machine):
                    break
                await asyncio.sleep(1)

    async def _restarted(self, machine: Machine) -> bool:
        """Whether it came up; it does not while the server is away, and a supervisor tries again."""
        try:
            await machine.start()
        except AssertionError as error:
            if "does not answer" not in str(error):
                raise
            await machine.kill()
            return False
        return True

    async def look_around(self, until: asyncio.Event) -> None:
        """Press keys in the consoles."""
        while not await is_set(until, 0.5):
            for console in self.consoles:
                console.press(self.rng)


async def is_set(event: asyncio.Event, seconds: float) -> bool:
    """Wait for it, at most so long."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
