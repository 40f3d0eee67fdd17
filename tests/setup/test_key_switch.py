"""Key switch: which keys may be replaced, and what is read before the question and after the switch."""

from __future__ import annotations

from pathlib import Path

import pytest

from sprig_tui.config.environment import WriteKey
from sprig_tui.config.paths import paths_in_folder
from sprig_tui.config.settings import load_settings
from sprig_tui.errors import ConfigError, JournalError
from sprig_tui.segment.public_api_models import Source
from sprig_tui.setup.key_owner import KeyOwner, find_owner
from sprig_tui.setup.key_rotation import NewKey
from sprig_tui.setup.key_switch import (
    Rotation,
    check_replaceable,
    counts_command,
    find_source,
    made_text,
    make_new_key,
    other_source_text,
    present_key_fault,
    removal_text,
    rotation_notes,
    switch_key,
    uptake_text,
)

OLD, NEW, SPARE = "o" * 30 + "ld", "n" * 29 + "new", "s" * 27 + "spare"
SOURCE = Source(id="s1", name="Acme production", enabled=True, write_keys=(OLD,))
OTHER = Source(id="s2", name="Acme dev", write_keys=(NEW,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def rotation_of(folder: Path, config: str = f'[environments.production]\nwrite_key = "{OLD}"\n') -> Rotation:
    paths = paths_in_folder(str(folder))
    paths.config_file.write_text(config)
    settings = load_settings(paths, {})
    environment = settings.environment("production")
    return Rotation(settings, environment, check_replaceable(environment))


def texts(rotation: Rotation, pasted: str = "", **how: int | bool | None) -> list[str]:
    return [note.text for note in rotation_notes(rotation, pasted, **{"sends_test_event": False, **how})]  # type: ignore[arg-type]


def test_a_key_that_another_place_gives_is_not_replaced(folder: Path) -> None:
    with pytest.raises(ConfigError, match="comes from command op, which sprig-tui cannot write") as caught:
        rotation_of(folder, '[environments.production]\nwrite_key_command = ["op", "read"]\n')
    assert "only then remove the old one in Segment" in caught.value.hint
    with pytest.raises(ConfigError, match="has no key to replace"):
        rotation_of(folder, '[environments.production]\nendpoint = "us"\n')


def test_everything_that_happens_is_read_before_the_question(folder: Path) -> None:
    rotation = rotation_of(folder)
    assert find_source(rotation, (SOURCE, OTHER)).source == rotation.source == SOURCE
    assert texts(rotation, queued=4) == [
        "production has the key oooo…oold, of the source Acme production, enabled",
        "- Segment makes one more Write Key for that source",
        f"- production is switched to it in {folder / 'config.toml'}",
        "- 4 queued deliveries go out with the new key; what is being sent right now has the old one",
        "- oooo…oold keeps working until you remove it in Segment",
    ]
    pasted = texts(rotation, NEW, sends_test_event=True)
    assert f"- production is switched to nnnn…nnew in {folder / 'config.toml'}" in pasted
    assert not any("makes one more" in text for text in pasted)
    assert "- what is queued goes out with the new key; what is being sent right now has the old one" in pasted
    assert "- one test event is sent with the new key; it reaches the destinations of the source" in pasted
    assert not any("queued" in text for text in texts(rotation, queued=0))


def test_a_queue_behind_the_keyring_keeps_the_old_key_where_another_process_sends_it(folder: Path) -> None:
    rotation = rotation_of(
        folder, '[environments.production]\nwrite_key_keyring = "sprig-tui/production/write_key/1"\n'
    )
    assert rotation.old.reference is not None
    rotation.old = WriteKey(OLD, rotation.old.read_from, rotation.old.reference)
    late = "- 1 queued delivery goes out with the old key, until what sends them is started again or gets SIGHUP"
    assert late in texts(rotation, NEW, queued=1)
    assert "what runs asks the keyring again when it is started again" in uptake_text(rotation)
    assert any(
        "1 queued delivery goes out with the new key" in text for text in texts(rotation, queued=1, sends_here=True)
    )
    assert uptake_text(rotation, sends_here=True).startswith("what else runs asks the keyring again")


def test_other_keys_and_other_users_of_the_key_are_warnings(folder: Path) -> None:
    both = "".join(f'[environments.{name}]\nwrite_key = "{OLD}"\n' for name in ("production", "development"))
    rotation = rotation_of(folder, both)
    rotation.source = Source(id="s1", name="Acme production", write_keys=(OLD, SPARE))
    warnings = [note for note in rotation_notes(rotation, "", sends_test_event=False) if note.is_warning]
    assert [note.text for note in warnings] == [
        "that source also has the key ssss…pare",
        "development has the same key, and keeps it",
    ]
    assert "an interrupted rotation" in warnings[0].hint
    assert not any("also has" in text for text in texts(rotation, SPARE))


def test_a_pasted_key_is_a_new_one_of_the_same_source(folder: Path) -> None:
    rotation = rotation_of(folder)
    assert present_key_fault(rotation, OLD) == "this is the present key of production"
    assert present_key_fault(rotation, NEW) == ""

    def owner(*sources: Source) -> KeyOwner:
        return find_owner(NEW, sources, rotation.settings, "production")

    assert other_source_text(rotation, owner(OTHER)) == "", "whose the old one is is not known"
    rotation.source = SOURCE
    assert other_source_text(rotation, owner(OTHER)) == "the present key belongs to another source, Acme production"
    assert other_source_text(rotation, owner(Source(id="s1", name="Acme production", write_keys=(OLD, NEW)))) == ""
    assert other_source_text(rotation, owner(SOURCE)) == ""
    assert other_source_text(rotation, None) == ""


async def test_a_made_key_is_stored_and_what_is_left_to_do_is_told(folder: Path) -> None:
    rotation = rotation_of(folder)
    rotation.source = SOURCE
    asked = []

    async def make(_: object, source_id: str) -> NewKey:
        asked.append(source_id)
        return NewKey(write_key=NEW, source=SOURCE, found=True)

    async def store() -> None:
        assert rotation.switched_at == 0

    made = await make_new_key(rotation, make)
    assert asked == ["s1"]
    assert made_text(made).startswith("Segment made nnnn…nnew for the source Acme production; its answer did not come")
    await switch_key(rotation, store, lambda: 1_764_500_000_000)
    assert counts_command(rotation).startswith("sprig-tui reconcile -e production --since 2025-11-30T")
    assert "then remove oooo…oold in Segment: Connections > Sources > Acme production >" in removal_text(rotation)
    assert not any(key in f"{made_text(made)}{removal_text(rotation)}{rotation!r}" for key in (OLD, NEW))


async def test_a_key_that_cannot_be_stored_stands_in_segment(folder: Path) -> None:
    rotation = rotation_of(folder)
    rotation.new_key = NEW

    async def store() -> None:
        raise JournalError("the disk is full")

    with pytest.raises(
        ConfigError, match="production keeps its key: the new one, nnnn…nnew, could not be stored"
    ) as caught:
        await switch_key(rotation, store, lambda: 1)
    assert "sprig-tui keys rotate production --paste takes it" in caught.value.hint
    assert rotation.switched_at == 0
