"""First start: whether the set-up screen comes by itself.

It comes where no environment has a Write Key and the journal is empty. Once it came, it comes again at each start until
an environment has a key and a delivery: a person who was interrupted on the way goes on there. A command of the screen
turns that off for good.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sprig_tui.errors import ConfigError, JournalError
from sprig_tui.files import make_folder, write_atomically

if TYPE_CHECKING:
    from sprig_tui.console.session import Session
    from sprig_tui.journal.records import State

MARK_FILE_NAME = "set-up"
"""In the state folder; it is there once the screen came by itself."""
SHOWN_MARK, OFF_MARK = b"shown\n", b"off\n"

_log = logging.getLogger(__name__)


def comes_at_start(keyed: Mapping[str, bool], counts: Mapping[str, Mapping[State, int]], *, came_before: bool) -> bool:
    """Whether the screen comes by itself.

    Args:
        keyed: environment to whether it has a Write Key.
        counts: environment to state to deliveries, as the journal counts them.
        came_before: whether it came in an earlier run.
    """
    sent = {name for name, states in counts.items() if sum(states.values())}
    if any(has_key and name in sent for name, has_key in keyed.items()):
        return False
    return came_before or (not any(keyed.values()) and not sent)


async def is_wanted(session: Session) -> bool:
    """Whether the screen comes by itself at this start; if so, that is remembered. Never raises."""
    permissions = session.permissions
    if session.journal is None or session.dependencies.setup is None:
        return False
    if permissions.read_only or not permissions.config:
        return False
    try:
        counts = await session.journal.counts()
    except JournalError:
        return False
    mark = await asyncio.to_thread(_read_mark, session.dependencies.paths.state_dir / MARK_FILE_NAME)
    if mark == OFF_MARK:
        return False
    keyed = {name: one.write_key is not None for name, one in session.settings.environments.items()}
    wanted = comes_at_start(keyed, counts.by_environment, came_before=bool(mark))
    if wanted and not mark:
        await _write_mark(session, SHOWN_MARK)
    return wanted


async def turn_off(session: Session) -> bool:
    """Never open the screen by itself again; whether that was saved."""
    return await _write_mark(session, OFF_MARK)


def _read_mark(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(max(len(SHOWN_MARK), len(OFF_MARK)))
    except OSError:
        return b""


async def _write_mark(session: Session, mark: bytes) -> bool:
    file = session.dependencies.paths.state_dir / MARK_FILE_NAME
    try:
        await asyncio.to_thread(make_folder, file.parent)
        await asyncio.to_thread(write_atomically, file, mark)
    except ConfigError as error:
        _log.warning("what was chosen for the next start is not kept: %s", error.message)
        return False
    return True
