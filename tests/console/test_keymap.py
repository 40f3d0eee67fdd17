"""Keys from the config: unknown commands, unknown keys and clashes are refused by name."""

from __future__ import annotations

import itertools

import pytest

from sprig_tui.console.commands.keymap import KeySlot, check_keymap, clashes, keys_of
from sprig_tui.errors import KeymapError

SLOTS = (
    KeySlot("add-key", ("a",), "environments", on_main_screen=True),
    KeySlot("pause", ("p",), "environments"),
    KeySlot("previous", ("p",), "payload"),
    KeySlot("replay", ("r",), "deliveries"),
    KeySlot("replay-this", ("a",), "detail"),
    KeySlot("list-up", ("up", "k"), "list"),
    KeySlot("help", ("question_mark",), "console"),
)
CLOSING = {"close-detail", "close-reconcile", "close-insight", "close-explanation", "close-topics"}


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("a", ("a",)),
        (" R , ctrl+r", ("R", "ctrl+r")),
        ("?", ("question_mark",)),
        ("question_mark", ("question_mark",)),
        ("/", ("slash",)),
        ("-", ("minus",)),
        ("+", ("plus",)),
        ("ctrl+shift+f5", ("ctrl+shift+f5",)),
        ("space", ("space",)),
        ("é", ("é",)),
    ],
)
def test_keys_are_normalized_to_one_spelling(text, keys):
    assert keys_of(text) == keys


@pytest.mark.parametrize("text", ["", "a,,b", "contrl+a", "ctrl+nokey", "F99x"])
def test_keymap_rejects_unknown_keys(text):
    with pytest.raises(KeymapError):
        keys_of(text)


def test_valid_keymap_is_normalized():
    assert check_keymap({"replay": "ctrl+r, R", "help": "?"}, SLOTS) == {"replay": "ctrl+r,R", "help": "question_mark"}


def test_an_unknown_command_is_named_with_the_nearest():
    with pytest.raises(KeymapError, match="no command 'replya'") as caught:
        check_keymap({"replya": "x"}, SLOTS)
    assert "replay" in caught.value.hint


@pytest.mark.parametrize(
    ("keymap", "other"),
    [
        ({"replay": "question_mark"}, "help"),
        ({"replay": "?"}, "help"),
        ({"pause": "a"}, "add-key"),
        ({"replay": "a"}, "add-key"),
        ({"replay": "k"}, "list-up"),
        ({"help": "p"}, "pause"),
        ({"help": "x", "replay": "x"}, "replay"),
    ],
)
def test_keymap_clash_names_both_commands(keymap, other):
    with pytest.raises(KeymapError) as caught:
        check_keymap(keymap, SLOTS)
    assert other in caught.value.message


@pytest.mark.parametrize(
    "keymap", [{"replay": "p"}, {"pause": "r"}, {"add-key": "x", "replay": "a"}, {"replay-this": "r"}]
)
def test_panes_may_use_one_key_for_different_things(keymap):
    assert check_keymap(keymap, SLOTS) == keymap


def test_the_commands_as_they_come_do_not_clash():
    from sprig_tui.console.commands.registry import key_slots

    found = key_slots()
    assert len({slot.id for slot in found}) == len(found)
    for one, other in itertools.permutations(found, 2):
        met = {key for key, _ in clashes(one, [other])}
        if "list" in (one.scope, other.scope):
            met -= {"enter"}  # a pane has its own word for what opening a line means
        if "leave" in (one.id, other.id) and {one.id, other.id} & {
            "close-detail",
            "close-reconcile",
            "close-insight",
            "close-explanation",
            "close-setup",
            "close-topics",
        }:
            met -= {"q"}  # leaves the screen that it is pressed on
        assert not met, (one.id, other.id)


def test_every_command_has_a_help_text():
    from sprig_tui.console.commands.registry import COMMANDS

    for command in COMMANDS:
        assert command.summary(), command
        assert command.summary()[-1] in ".:;", command.id
        assert command.label
        assert command.title[0].isupper()
        assert len(command.label) <= 16
