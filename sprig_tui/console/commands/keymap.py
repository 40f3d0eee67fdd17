"""Keymap of the config, checked here because Textual silently drops one of two commands with the same key."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from textual.keys import KEY_NAME_REPLACEMENTS, KEY_TO_UNICODE_NAME, Keys

from sprig_tui.config.toml_file import nearest_key_hint
from sprig_tui.console.commands.base import Command
from sprig_tui.errors import KeymapError

SCREEN_SCOPES = frozenset({"detail", "reconcile", "insight", "explain", "setup", "topics"})
"""Scopes with a screen of their own, where the keys of the panes do not work."""
MODIFIERS = frozenset({"ctrl", "shift", "alt", "super", "hyper", "meta"})
_NAMED = frozenset(key.value for key in Keys) | {*KEY_TO_UNICODE_NAME, *KEY_NAME_REPLACEMENTS.values(), "space"}


class KeySlot(NamedTuple):
    """Keys of a command, and where they work."""

    id: str
    keys: tuple[str, ...]
    scope: str
    """Pane, `console` for everywhere, or `list` for every pane that is a list."""
    on_main_screen: bool = False
    """Whether the keys work in the other panes, too."""


def slot_of(command: type[Command]) -> KeySlot:
    """A command's slot with its own keys."""
    return KeySlot(command.id, keys_of(command.key), command.scope, command.on_main_screen)


def keys_of(text: str) -> tuple[str, ...]:
    """Keys separated by commas, normalized (`?` is `question_mark`); raises KeymapError."""
    parts = [part.strip() for part in text.split(",")]
    if "" in parts:
        raise KeymapError(
            f"{text[:60]!r} names no key", hint="write a key, or several by comma: ctrl+r, R, question_mark"
        )
    return tuple(_normal(part) for part in parts)


def check_keymap(keymap: Mapping[str, str], slots: Iterable[KeySlot], place: str = "keys") -> dict[str, str]:
    """The keymap as Textual takes it. Raises KeymapError for an unknown command, an unknown key, and a clash.

    Args:
        keymap: command id to keys by comma, as the config has it.
        slots: every command with its own keys.
        place: where the keymap stands, for the message.
    """
    known = {slot.id: slot for slot in slots}
    chosen: dict[str, str] = {}
    for name, text in keymap.items():
        if name not in known:
            raise KeymapError(f"{place}: there is no command {name[:60]!r}", hint=nearest_key_hint(name, known))
        try:
            keys = keys_of(text)
        except KeymapError as error:
            raise KeymapError(f"{place}.{name}: {error.message}", hint=error.hint) from None
        known[name] = known[name]._replace(keys=keys)
        chosen[name] = ",".join(keys)
    for name in chosen:
        _refuse_clash(known[name], known.values(), place)
    return chosen


def clashes(slot: KeySlot, others: Iterable[KeySlot]) -> list[tuple[str, str]]:
    """(key, id of the other command) for each key that two commands would share."""
    return [
        (key, other.id)
        for other in others
        if other.id != slot.id and _share_keys(slot, other)
        for key in slot.keys
        if key in other.keys
    ]


def _share_keys(slot: KeySlot, other: KeySlot) -> bool:
    if slot.scope == other.scope or "console" in (slot.scope, other.scope):
        return True
    if "list" in (slot.scope, other.scope):
        return True
    return (slot.on_main_screen or other.on_main_screen) and not {slot.scope, other.scope} & SCREEN_SCOPES


def _refuse_clash(slot: KeySlot, others: Iterable[KeySlot], place: str) -> None:
    for key, other in clashes(slot, others):
        raise KeymapError(
            f"{place}: {key} is to do both {slot.id} and {other}",
            hint=f"choose another key for {slot.id}, or give {other} one of its own",
        )


def _normal(key: str) -> str:
    if len(key) == 1:
        return _name_of(key)
    *modifiers, last = key.split("+") if key != "+" else [key]
    wrong = [modifier for modifier in modifiers if modifier not in MODIFIERS]
    if wrong or not _is_key(last):
        raise KeymapError(
            f"there is no key {key[:40]!r}", hint="keys are written as a, R, ctrl+r, shift+f5, question_mark, space"
        )
    if len(last) == 1:
        last = _name_of(last)
    return "+".join([*modifiers, last])


def _is_key(name: str) -> bool:
    if len(name) == 1 or name in _NAMED:
        return True
    try:
        unicodedata.lookup(name.replace("_", " "))
    except KeyError:
        return False
    return True


def _name_of(character: str) -> str:
    if character.isalnum():
        return character
    name = unicodedata.name(character, character).lower().replace("-", "_").replace(" ", "_")
    return KEY_NAME_REPLACEMENTS.get(name, name)
