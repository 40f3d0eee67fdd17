"""Key switch of one environment: what may be replaced, what a person reads before it, and how far it came.

The command `keys rotate` and the console ask and report; the checks, the texts and the order of the steps are here. The
requests to Segment are passed in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from sprig_tui.errors import ConfigError, SprigTuiError
from sprig_tui.formatting import local_time
from sprig_tui.segment.public_api_models import source_text
from sprig_tui.setup.key_owner import KeyOwner, find_owner
from sprig_tui.setup.key_rotation import api_keys_place
from sprig_tui.text import mask, one_line

if TYPE_CHECKING:
    from sprig_tui.config.environment import Environment, WriteKey
    from sprig_tui.config.settings import Settings
    from sprig_tui.segment.public_api_models import Source
    from sprig_tui.setup.key_rotation import NewKey, SourceCount

MAX_SHOWN_KEYS = 3
_CONFIG_UPTAKE = (
    "listen, run, the console and whatever watches or repeats take it from there within seconds, for what is queued "
    "too; a single send, pull or replay that runs now keeps the old key to its end"
)
_KEYRING_UPTAKE = "asks the keyring again when it is started again, or at SIGHUP: until then it sends with the old key"


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
    def is_in_keyring(self) -> bool:
        """Whether the key is kept in an entry of the keyring, not in the config."""
        return self.old.reference is not None

    @property
    def place(self) -> str:
        """Where the key is kept: the config file, or an entry of the keyring."""
        reference = self.old.reference
        return str(self.settings.document.file) if reference is None else f"the {reference.label}"

    @property
    def keys_place(self) -> str:
        """Where a person finds the keys of the source in Segment."""
        return api_keys_place(one_line(self.source.name) if self.source is not None else "the source")


class RotationNote(NamedTuple):
    """A sentence that is read before the question."""

    text: str
    hint: str = ""
    is_warning: bool = False


# -- checks ------------------------------------------------------------------------------------------------------------


def check_replaceable(environment: Environment) -> WriteKey:
    """The present key, which stands in the config or in an entry of the keyring that sprig-tui made.

    Raises ConfigError for any other place.
    """
    from sprig_tui.config.secret_keyring import SERVICE

    key = environment.write_key
    if key is None:
        raise ConfigError(
            f"{environment.name} has no key to replace", hint=f"sprig-tui keys set {environment.name} stores one"
        )
    ours = key.reference is not None and key.reference.service == SERVICE
    if key.read_from != "config" and not ours:
        raise ConfigError(
            f"the key of {environment.name} comes from {key.read_from}, which sprig-tui cannot write",
            hint=f"in Segment press Generate New Key ({api_keys_place('the source')}), put the {key.read_from}, "
            "start again what uses it, and only then remove the old one in Segment",
        )
    return key


def find_source(rotation: Rotation, sources: Sequence[Source]) -> KeyOwner:
    """Find the source that gets a further key among those of the workspace; returns the owner of the old key."""
    owner = find_owner(rotation.old.reveal(), sources, rotation.settings, rotation.name)
    rotation.source = owner.source
    return owner


def no_source_text(rotation: Rotation, owner: KeyOwner) -> str:
    """Why Segment cannot be asked for a further key: the source of the old one is not known."""
    return f"the present key of {rotation.name} ({rotation.old.masked()}): {owner.text}"


def mismatch_texts(rotation: Rotation, owner: KeyOwner) -> list[str]:
    """Why the source of the present key may be the wrong one."""
    return [f"the present key of {rotation.name}: its source: {mismatch}" for mismatch in owner.mismatches]


def present_key_fault(rotation: Rotation, key: str) -> str:
    """Why a pasted key is no new one; empty where it is."""
    return f"this is the present key of {rotation.name}" if key == rotation.old.reveal() else ""


def other_source_text(rotation: Rotation, owner: KeyOwner | None) -> str:
    """A warning that a pasted key is not of the source that the present one is of; empty where nothing says so."""
    old, new = rotation.source, owner.source if owner is not None else None
    if old is None or new is None or old.id == new.id:
        return ""
    return f"the present key belongs to another source, {one_line(old.name)}"


# -- the question ------------------------------------------------------------------------------------------------------


def rotation_notes(
    rotation: Rotation, pasted: str, *, queued: int | None = None, sends_here: bool = False, sends_test_event: bool
) -> list[RotationNote]:
    """Everything that is going to happen, in the order in which it is read; `pasted` is empty for a key to be made.

    `queued` deliveries wait, None where they were not counted. `sends_here`: this process sends them.
    """
    name, source = rotation.name, rotation.source
    about = f", of the source {one_line(source_text(source))}" if source is not None else ""
    notes = [RotationNote(f"{name} has the key {rotation.old.masked()}{about}"), *_other_key_notes(rotation, pasted)]
    if not pasted:
        notes.append(RotationNote("- Segment makes one more Write Key for that source"))
    notes.append(RotationNote(f"- {name} is switched to {mask(pasted) if pasted else 'it'} in {rotation.place}"))
    if queued != 0:
        notes.append(RotationNote(f"- {_queue_text(rotation, queued, sends_here=sends_here)}"))
    if sends_test_event:
        notes.append(
            RotationNote("- one test event is sent with the new key; it reaches the destinations of the source")
        )
    notes.append(RotationNote(f"- {rotation.old.masked()} keeps working until you remove it in Segment"))
    notes += [
        RotationNote(f"{other.name} has the same key, and keeps it", is_warning=True)
        for other in rotation.settings.environments.values()
        if other.name != name and other.write_key == rotation.old
    ]
    return notes


def _queue_text(rotation: Rotation, queued: int | None, *, sends_here: bool) -> str:
    if queued is None:
        what = "what is queued goes"
    else:
        what = "1 queued delivery goes" if queued == 1 else f"{queued:,} queued deliveries go"
    if rotation.is_in_keyring and not sends_here:
        return f"{what} out with the old key, until what sends them is started again or gets SIGHUP"
    return f"{what} out with the new key; what is being sent right now has the old one"


def _other_key_notes(rotation: Rotation, pasted: str) -> list[RotationNote]:
    """Keys that the source has beside the present one, such as that of a rotation that was interrupted."""
    used = {rotation.old.reveal(), pasted}
    others = [key for key in (rotation.source.write_keys if rotation.source is not None else ()) if key not in used]
    if not others:
        return []
    shown = ", ".join(mask(key) for key in others[:MAX_SHOWN_KEYS])
    more = f" and {len(others) - MAX_SHOWN_KEYS:,} more" if len(others) > MAX_SHOWN_KEYS else ""
    return [
        RotationNote(
            f"that source also has the {'key' if len(others) == 1 else 'keys'} {shown}{more}",
            "one that an interrupted rotation made can be pasted; one that nothing uses any more can be removed in "
            "Segment",
            is_warning=True,
        )
    ]


# -- the steps ---------------------------------------------------------------------------------------------------------


async def make_new_key(rotation: Rotation, make_key: Callable[[Settings, str], Awaitable[NewKey]]) -> NewKey:
    """Let Segment make a further key for the source of the present one; raises KeyRotationError.

    `make_key` gets the id of the source.
    """
    if rotation.source is None:
        raise ValueError("there is no source to make a key for")
    made = await make_key(rotation.settings, rotation.source.id)
    rotation.new_key, rotation.new_source = made.write_key, made.source
    return made


def made_text(made: NewKey) -> str:
    """That a key was made, and for which source."""
    how = "; its answer did not come, and the key was found afterwards" if made.found else ""
    return f"Segment made {mask(made.write_key)} for the source {one_line(made.source.name)}{how}"


def stopped_note(rotation: Rotation) -> RotationNote:
    """What is not known after the wait for Segment's answer was cut short."""
    return RotationNote(
        f"stopped: {rotation.name} keeps its key, and whether Segment made a new one is not known",
        f"look there, and remove it if it is not wanted: {rotation.keys_place}",
        is_warning=True,
    )


async def switch_key(rotation: Rotation, store: Callable[[], Awaitable[None]], now: Callable[[], int]) -> None:
    """Store the new key; raises ConfigError, which says that the key stands in Segment.

    `now` returns ms since 1970 UTC.
    """
    try:
        await store()
    except SprigTuiError as error:
        raise ConfigError(
            f"{rotation.name} keeps its key: the new one, {mask(rotation.new_key)}, could not be stored: "
            f"{error.message}",
            hint=f"the new key stands in Segment: {rotation.keys_place}; sprig-tui keys rotate {rotation.name} --paste "
            "takes it, or remove it there",
        ) from error
    rotation.switched_at = now()


# -- afterwards --------------------------------------------------------------------------------------------------------


def uptake_text(rotation: Rotation, *, sends_here: bool = False) -> str:
    """When running processes use the new key; `sends_here`: this one does already."""
    if not rotation.is_in_keyring:
        return _CONFIG_UPTAKE
    return f"{'what else runs' if sends_here else 'what runs'} {_KEYRING_UPTAKE}"


def counts_command(rotation: Rotation) -> str:
    """The command line that compares with what Segment counted since the switch."""
    since = local_time(rotation.switched_at).strftime("%Y-%m-%dT%H:%M")
    return f"sprig-tui reconcile -e {rotation.name} --since {since}"


def removal_text(rotation: Rotation) -> str:
    """How to remove the old key, and what to do before."""
    return (
        f"then remove {rotation.old.masked()} in Segment: {rotation.keys_place}; before that, switch every other "
        "machine and program that uses it, since Segment answers 200 to a removed key and drops the event"
    )
