"""Key rotation at the command line: its steps with Ctrl-C, and its report."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sprig_tui.cli import diagnostics
from sprig_tui.clock import SystemClock
from sprig_tui.config.secrets import WRITE_KEY
from sprig_tui.text import mask

if TYPE_CHECKING:
    from sprig_tui.cli.shutdown import ShutdownSignals
    from sprig_tui.config.settings import Settings
    from sprig_tui.setup.key_rotation import NewKey
    from sprig_tui.setup.key_switch import Rotation


async def make_new_key(rotation: Rotation, signals: ShutdownSignals) -> bool:
    """Whether the key was made; a first Ctrl-C waits for Segment's answer, so that no key is made unseen."""
    from sprig_tui.cli.shutdown import ShutdownRequested
    from sprig_tui.setup import key_switch
    from sprig_tui.setup.key_rotation import KeyRotationError

    async def tell() -> None:
        await signals.requested.wait()
        diagnostics.info("Segment is making a key: its answer is waited for; again to stop at once")

    telling = asyncio.ensure_future(tell())
    try:
        made = await signals.complete(key_switch.make_new_key(rotation, _make_key))
    except ShutdownRequested:
        note = key_switch.stopped_note(rotation)
        diagnostics.warning(note.text, note.hint)
        return False
    except KeyRotationError as error:
        if error.is_pasteable:
            error.hint = f"{error.hint}: sprig-tui keys rotate {rotation.name} --paste"
        raise
    finally:
        telling.cancel()
    diagnostics.success(key_switch.made_text(made))
    return True


async def _make_key(settings: Settings, source_id: str) -> NewKey:
    from sprig_tui.cli.workspace import public_api
    from sprig_tui.setup import key_rotation

    async with public_api(settings.workspace) as api:
        return await key_rotation.make_key(api, source_id)


async def switch_key(rotation: Rotation) -> None:
    """Store the new key where the old one is, and report it; raises ConfigError, which says that a key was made."""
    from sprig_tui.setup import key_switch

    place = rotation.place

    async def store() -> None:
        nonlocal place
        place = _store(rotation)

    await key_switch.switch_key(rotation, store, SystemClock().now)
    diagnostics.success(f"{rotation.name} is switched to {mask(rotation.new_key)} in {place}")
    diagnostics.info(key_switch.uptake_text(rotation))


def _store(rotation: Rotation) -> str:
    """Store it; returns the place for people."""
    from sprig_tui.cli.commands.keys.storage import save_secret
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_environment

    settings, name, key = rotation.settings, rotation.name, rotation.new_key
    if rotation.is_in_keyring:
        return save_secret(settings, WRITE_KEY, name, key, keyring=True)
    save_environment(find_paths(), name, {WRITE_KEY.key: key}, digest=settings.document.digest)
    return rotation.place


def report_removal(rotation: Rotation) -> None:
    """Report how to remove the old key, and what to see before."""
    from sprig_tui.setup import key_switch

    diagnostics.info(f"see what Segment counted: {key_switch.counts_command(rotation)}")
    diagnostics.info(key_switch.removal_text(rotation))


def rotation_json(rotation: Rotation) -> dict[str, Any]:
    """The rotation as JSON, its keys masked."""
    from sprig_tui.segment.timestamps import format_iso

    source = rotation.new_source
    return {
        "environment": rotation.name,
        "old_key": rotation.old.masked(),
        "new_key": mask(rotation.new_key),
        "source": {"id": source.id, "name": source.name} if source is not None else None,
        "switched_at": format_iso(rotation.switched_at),
        "test_event": rotation.test_event,
        "counted": [
            {"source": count.source_name, "source_id": count.source_id, "events": count.total}
            for count in rotation.counted
        ]
        if rotation.counted is not None
        else None,
        "remove_old_key_at": rotation.keys_place,
    }
