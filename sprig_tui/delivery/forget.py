"""Forgetting of persons: counts what holds them, then removes it step by step; run again, it ends what was begun.

The order is what makes it safe while others work. First the persons are put on the list: from then on nothing of theirs
is taken in, and no claim sends anything of theirs. Then everything is searched once, from the oldest to the newest
delivery, and removed. What a worker has leased is waited for. At last the files are rewritten.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import socket
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from msgspec import Struct

from sprig_tui.clock import MonotonicClock
from sprig_tui.delivery.copied_files import find_copies
from sprig_tui.journal.base import Journal
from sprig_tui.journal.forgetting import ERASE_CHUNK_ROWS, ForgetReceipt
from sprig_tui.journal.persons import Identifier, PersonMatcher, is_in_name
from sprig_tui.journal.records import State
from sprig_tui.sprig.sent_files import POSITION_KIND

LEASE_POLL_S = 0.5
DEFAULT_WAIT_S = 90.0
"""Longer than a worker without a heartbeat keeps its leases, and than a request takes."""
MAX_OTHERS = 100_000
_FORGOTTEN_NAME = "(a forgotten person)"
_BODY_MARK = b"\r\n\r\n"


class FoundContent(Struct):
    """What holds some persons."""

    ids: array[int]
    """Deliveries, and payloads that pruned ones left; ascending."""
    states: Counter[tuple[str, State]]
    """Deliveries by environment and state."""
    leftovers: int = 0
    """Payloads that pruned deliveries left."""
    mentions: int = 0
    """Deliveries of other people that contain an identifier within a text; they are kept."""
    damaged: int = 0
    """Deliveries whose payload cannot be read."""
    scanned: int = 0
    others: tuple[Identifier, ...] = ()
    """Ids and addresses that these deliveries carry and that were not searched for; at most MAX_OTHERS."""
    captures: tuple[Path, ...] = ()
    """Captured requests, and copies that the console made."""
    memories: tuple[str, ...] = ()
    """Keys of remembered files whose name contains an identifier."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing of theirs was found."""
        return not (self.ids or self.captures or self.memories)


class ForgetStep(Struct, frozen=True):
    """Progress."""

    kind: Literal["searched", "removed", "waiting", "rewriting"]
    deliveries: int = 0
    """Searched or removed so far; waiting: leased to a worker."""
    seconds: float = 0.0
    """Waiting: how much longer at most."""

    @property
    def text(self) -> str:
        """One line of progress."""
        if self.kind == "searched":
            return f"searched {self.deliveries:,} deliveries"
        if self.kind == "removed":
            return f"removed the content of {self.deliveries:,}"
        if self.kind == "waiting":
            return f"waiting for {self.deliveries:,} that a worker is sending, at most {self.seconds:.0f} s more"
        return "rewriting the files; others wait meanwhile"


OnStep = Callable[[ForgetStep], None]


def _ignore(_: ForgetStep) -> None:
    pass


class ForgetOutcome(Struct, frozen=True):
    """Outcome of one run."""

    receipt: ForgetReceipt
    leased: int = 0
    """Deliveries that a worker still leases: run it again."""
    is_scrubbed: bool = True
    """Whether the files were rewritten; a database does that itself."""
    undeleted: tuple[str, ...] = ()
    """Captured requests and copies that could not be removed."""


def requester() -> str:
    """Who asks: the user of this process and its machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"[:200]


async def find_content(
    journal: Journal,
    identifiers: Sequence[Identifier],
    capture_folders: Sequence[Path] = (),
    on_step: OnStep = _ignore,
    *,
    state_dir: Path | None = None,
) -> FoundContent:
    """Search everything for these persons; changes nothing. `state_dir` is that of copies. Raises JournalError."""
    matcher = PersonMatcher.of(identifiers)
    found = FoundContent(array("q"), Counter())
    others: set[Identifier] = set()
    after, more = 0, True
    while more:
        step = await journal.find_persons(after, identifiers)
        for one in step.found:
            found.ids.append(one.id)
            if one.state is None:
                found.leftovers += 1
            else:
                found.states[one.environment, one.state] += 1
        if len(others) < MAX_OTHERS:
            others |= step.identifiers
        found.mentions += step.mentions
        found.damaged += step.damaged
        found.scanned += step.scanned
        after, more = step.reached, step.more
        on_step(ForgetStep("searched", found.scanned))
    found.others = tuple(sorted(others.difference(identifiers))[:MAX_OTHERS])
    found.captures = await asyncio.to_thread(_find_files, capture_folders, state_dir, matcher)
    found.memories = tuple(await _find_memories(journal, matcher))
    return found


async def forget(
    journal: Journal,
    identifiers: Sequence[Identifier],
    actor: str,
    timing: MonotonicClock,
    *,
    capture_folders: Sequence[Path] = (),
    state_dir: Path | None = None,
    wait_s: float = DEFAULT_WAIT_S,
    on_step: OnStep = _ignore,
) -> ForgetOutcome:
    """Forget these persons, and finish what earlier runs left. Without identifiers: only that.

    `actor` is who asks. Raises JournalError; then the receipt stays unfinished, and running it again ends it.
    """
    unfinished = [one.id for one in await journal.forget_receipts() if not one.ended_at]
    receipt = await journal.begin_forget(identifiers, actor) if identifiers or not unfinished else unfinished[-1]
    leased = await _erase_all(journal, timing, wait_s, on_step)
    await journal.erase_quotes()
    matcher = await journal.forgotten_matcher()
    memories = await _forget_memories(journal, matcher)
    captures = await asyncio.to_thread(_find_files, capture_folders, state_dir, matcher)
    undeleted = await asyncio.to_thread(_delete_files, captures)
    on_step(ForgetStep("rewriting"))
    is_scrubbed = await journal.scrub()
    counts = {"files": len(captures) - len(undeleted), "memories": memories}
    done = not leased and not undeleted
    ended = await journal.end_forget(receipt, counts, done=done)
    if done:
        for earlier in unfinished:
            if earlier != receipt:
                await journal.end_forget(earlier, {})
    return ForgetOutcome(ended, leased, is_scrubbed, undeleted)


async def _erase_all(journal: Journal, timing: MonotonicClock, wait_s: float, on_step: OnStep) -> int:
    """Search and erase from the oldest to the newest delivery; returns how many are still leased in the end."""
    leased: list[int] = []
    after, more = 0, True
    scanned = removed = 0
    while more:
        step = await journal.find_persons(after, forgotten=True)
        ids = [one.id for one in step.found]
        for start in range(0, len(ids), ERASE_CHUNK_ROWS):
            chunk = ids[start : start + ERASE_CHUNK_ROWS]
            result = await journal.erase(chunk)
            leased += result.leased
            removed += len(chunk) - len(result.leased)
            on_step(ForgetStep("removed", removed))
        scanned += step.scanned
        after, more = step.reached, step.more
        on_step(ForgetStep("searched", scanned))
    until = timing.monotonic() + wait_s
    never = asyncio.Event()
    while leased and (left := until - timing.monotonic()) > 0:
        on_step(ForgetStep("waiting", len(leased), left))
        await timing.wait(never, min(LEASE_POLL_S, left))
        leased = list((await journal.erase(leased)).leased)
    return len(leased)


async def _find_memories(journal: Journal, matcher: PersonMatcher) -> list[str]:
    """Keys of remembered files whose name contains an identifier."""
    stored = await journal.positions(POSITION_KIND)
    return [key for key, value in stored.items() if is_in_name(matcher, _remembered_name(value)[1])]


async def _forget_memories(journal: Journal, matcher: PersonMatcher) -> int:
    """Remove the names; that the files were sent stays known by their digests."""
    stored = await journal.positions(POSITION_KIND)
    updates = {}
    for key, value in stored.items():
        moment, name = _remembered_name(value)
        if is_in_name(matcher, name):
            updates[key] = f"{moment} {json.dumps(_FORGOTTEN_NAME)}".encode()
    if updates:
        await journal.save_positions(POSITION_KIND, updates)
    return len(updates)


def _remembered_name(value: bytes) -> tuple[str, str]:
    """Time and name of a remembered file."""
    moment, _, name = value.decode("utf-8", "replace").partition(" ")
    with suppress(ValueError):
        name = str(json.loads(name))
    return moment, name


def _find_files(folders: Sequence[Path], state_dir: Path | None, matcher: PersonMatcher) -> tuple[Path, ...]:
    copies = find_copies(state_dir, matcher) if state_dir is not None else ()
    return (*find_captures(folders, matcher), *copies)


def find_captures(folders: Sequence[Path], matcher: PersonMatcher) -> tuple[Path, ...]:
    """Captured requests in these folders that hold one of the persons."""
    found = []
    for folder in folders:
        for file in sorted(folder.glob("*.http")):
            with suppress(OSError):
                head, _, body = file.read_bytes().partition(_BODY_MARK)
                if matcher.matches("", body, head, is_readable=False):
                    found.append(file)
    return tuple(found)


def _delete_files(files: Sequence[Path]) -> tuple[str, ...]:
    """Delete these; returns those that could not be."""
    left = []
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError:
            left.append(str(file))
    return tuple(left)
