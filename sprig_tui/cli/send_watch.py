"""What `send --watch` asks and checks before it begins."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from sprig_tui.cli import asking
from sprig_tui.cli.opening import open_settings
from sprig_tui.errors import ConfigError, InputError

if TYPE_CHECKING:
    from sprig_tui.cli.terms import RunOptions
    from sprig_tui.config.settings import Settings

LEGACY_SENT_FILES = "sent-files"
"""In the state folder: what was read before, by content, when journals did not keep it themselves."""


def watch_folder(
    folder: str, environment: str | None, options: RunOptions, *, deliver: bool, force: bool, yes: bool, as_json: bool
) -> int:
    """Watch until stopped; returns the exit code. Raises what speaks against it before anything is read."""
    from sprig_tui.cli.folder_sending import FolderSender
    from sprig_tui.config.paths import find_paths

    if not Path(folder).is_dir():
        what = "is not a folder" if Path(folder).exists() else "is not there"
        raise InputError(f"{folder} {what}", hint="--watch takes a folder that exists")
    settings = open_settings()
    if environment is not None and settings.environment(environment).write_key is None and deliver:
        raise ConfigError(
            f"{environment} has no write key",
            hint=f"set one with sprig-tui keys set {environment}, or queue with --no-wait",
        )
    consented = _ask_consent(settings, environment, yes=yes or not deliver)
    older = find_paths().state_dir / LEGACY_SENT_FILES
    sending = FolderSender(
        folder, settings, options, older, declared=environment, consented=consented, deliver=deliver, force=force
    )

    async def run() -> int:
        return await sending.run(as_json=as_json)

    return asyncio.run(run())


def _ask_consent(settings: Settings, declared: str | None, *, yes: bool) -> frozenset[str]:
    """Protected environments that may be sent to: asked for once, since nobody may be there when a file comes."""
    closed = {name for name, found in settings.environments.items() if found.protected}
    if yes:
        return frozenset(closed)
    if declared not in closed:
        return frozenset()
    question = f"{declared} is protected: whatever appears in the folder will be sent there"
    if asking.is_interactive() and not asking.confirm_name(question, declared):
        raise InputError(f"not sent: {declared} was not confirmed", hint="nothing was read")
    return frozenset((declared,))
