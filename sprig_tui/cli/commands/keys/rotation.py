"""Key rotation as far as it came: a new key is made in Segment, stored, and the old one is left to be removed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from sprig_tui.cli import diagnostics
from sprig_tui.clock import SystemClock
from sprig_tui.config.secrets import WRITE_KEY
from sprig_tui.errors import ConfigError, SprigTuiError
from sprig_tui.text import mask, one_line

if TYPE_CHECKING:
    from sprig_tui.cli.shutdown import ShutdownSignals
    from sprig_tui.config.environment import Environment, WriteKey
    from sprig_tui.config.settings import Settings
    from sprig_tui.segment.public_api_models import Source
    from sprig_tui.setup.key_rotation import SourceCount

CONFIG_TEXT = (
    "listen, run, the console and whatever watches or repeats take it from there within seconds, for what is queued "
    "too; a single send, pull or replay that runs now keeps the old key to its end"
)
KEYRING_TEXT = (
    "what runs asks the keyring again when it is started again, or at SIGHUP: until then it sends with the old key"
)


class Rotation(Struct):
    """One rotation, as far as it came."""

    settings: Settings
    environment: Environment
    old: WriteKey
    source: Source | None = None
    """The source of the old key; None where it is not known."""
    new_key: str = ""
    new_source: Source | None = None
    """The source of the new key; None where it is not known."""
    switched_at: int = 0
    """ms since 1970 UTC; 0 until then."""
    test_event: dict[str, Any] | None = None
    counted: tuple[SourceCount, ...] | None = None

    def __repr__(self) -> str:
        # the key must not reach a log
        return f"Rotation({self.environment.name!r}, {self.source!r})"

    @property
    def name(self) -> str:
        """The environment's."""
        return self.environment.name

    @property
    def place(self) -> str:
        """Where the key is kept: the config file, or an entry of the keyring."""
        from sprig_tui.config.paths import find_paths

        reference = self.old.reference
        return str(find_paths().config_file) if reference is None else f"the {reference.label}"

    @property
    def source_name(self) -> str:
        """For the place in Segment."""
        return one_line(self.source.name) if self.source is not None else "the source"


async def make_new_key(rotation: Rotation, signals: ShutdownSignals) -> bool:
    """Whether the key was made; a first Ctrl-C waits for Segment's answer, so that no key is made unseen."""
    from sprig_tui.cli.shutdown import ShutdownRequested
    from sprig_tui.cli.workspace import public_api
    from sprig_tui.setup.key_rotation import api_keys_place, make_key

    source = rotation.source
    if source is None:
        raise ValueError("there is no source to make a key for")

    async def tell() -> None:
        await signals.requested.wait()
        diagnostics.info("Segment is making a key: its answer is waited for; again to stop at once")

    telling = asyncio.ensure_future(tell())
    try:
        async with public_api(rotation.settings.workspace) as api:
            made = await signals.complete(make_key(api, source.id))
    except ShutdownRequested:
        diagnostics.warning(
            f"stopped: {rotation.name} keeps its key, and whether Segment made a new one is not known",
            f"look there, and remove it if it is not wanted: {api_keys_place(source.name)}",
        )
        return False
    finally:
        telling.cancel()
    rotation.new_key, rotation.new_source = made.write_key, made.source
    how = "; its answer did not come, and the key was found afterwards" if made.found else ""
    diagnostics.success(f"Segment made {mask(made.write_key)} for the source {one_line(source.name)}{how}")
    return True


def switch_key(rotation: Rotation) -> None:
    """Store the new key; raises ConfigError, which says that a key was made."""
    from sprig_tui.cli.commands.keys.storage import save_secret
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_environment
    from sprig_tui.setup.key_rotation import api_keys_place

    settings, name, key = rotation.settings, rotation.name, rotation.new_key
    in_keyring = rotation.old.reference is not None
    stored_in = rotation.place
    try:
        if in_keyring:
            stored_in = save_secret(settings, WRITE_KEY, name, key, keyring=True)
        else:
            save_environment(find_paths(), name, {WRITE_KEY.key: key}, digest=settings.document.digest)
    except SprigTuiError as error:
        place = api_keys_place(rotation.source_name)
        raise ConfigError(
            f"{name} keeps its key: the new one, {mask(key)}, could not be stored: {error.message}",
            hint=f"the new key stands in Segment: {place}; sprig-tui keys rotate {name} --paste takes it, "
            "or remove it there",
        ) from error
    rotation.switched_at = SystemClock().now()
    diagnostics.success(f"{name} is switched to {mask(key)} in {stored_in}")
    diagnostics.info(KEYRING_TEXT if in_keyring else CONFIG_TEXT)


def report_removal(rotation: Rotation) -> None:
    """Report how to remove the old key, and what to see before."""
    from sprig_tui.cli.log_format import clock_time
    from sprig_tui.setup.key_rotation import api_keys_place

    since = clock_time(rotation.switched_at)[:16].replace(" ", "T")
    diagnostics.info(f"see what Segment counted: sprig-tui reconcile -e {rotation.name} --since {since}")
    diagnostics.info(
        f"then remove {rotation.old.masked()} in Segment: {api_keys_place(rotation.source_name)}; before that, switch "
        "every other machine and program that uses it, since Segment answers 200 to a removed key and drops the event"
    )


def rotation_json(rotation: Rotation) -> dict[str, Any]:
    """The rotation as JSON, its keys masked."""
    from sprig_tui.segment.timestamps import format_iso
    from sprig_tui.setup.key_rotation import api_keys_place

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
        "remove_old_key_at": api_keys_place(rotation.source_name),
    }
