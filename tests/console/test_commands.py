"""Commands: what is made of a class, and what a console may do."""

from __future__ import annotations

import pytest
from textual.widgets import Static

from sprig_tui.console.commands.base import Command, HasCommands, Permissions, bindings


class Wave(Command):
    """Wave a hand, in
    greeting.

    Asks first.
    """

    id = "wave-hand"
    key = "w,ctrl+w"
    label = "wave"
    title = "Wave a hand"
    scope = "environments"
    needs = "sending"


class Waver(HasCommands, Static, can_focus=True):
    COMMAND_CLASSES = (Wave,)
    BINDINGS = bindings(COMMAND_CLASSES)
    waved = 0

    def action_wave_hand(self) -> None:
        self.waved += 1


def test_command_class_yields_help_and_binding():
    assert Wave.summary() == "Wave a hand, in greeting."
    assert Wave.help().endswith("Asks first.")
    binding = Wave.binding()
    assert (binding.key, binding.action, binding.description, binding.id) == (
        "w,ctrl+w",
        "wave_hand",
        "wave",
        "wave-hand",
    )


@pytest.mark.parametrize(
    ("permissions", "need", "refused"),
    [
        (Permissions(), "sending", ""),
        (Permissions(read_only=True), "sending", "read-only"),
        (Permissions(read_only=True), "", ""),
        (Permissions(engine=False), "engine", "--no-engine"),
        (Permissions(engine=False), "sending", ""),
        (Permissions(config=False), "config", "demo"),
    ],
)
def test_permissions_refusal_has_a_reason(permissions, need, refused):
    command = type("One", (Wave,), {"needs": need})
    said = permissions.refusal(command)
    assert refused in said
    assert bool(refused) == bool(said)


def test_demo_refusal_speaks_of_the_config():
    command = type("One", (Wave,), {"needs": "config"})
    assert Permissions(config=False).refusal(command).startswith("wave: the demo has a config of its own")


async def test_each_key_of_a_command_runs_its_action(host):
    widget = Waver("hello")
    async with host(widget).run_test() as pilot:
        widget.focus()
        await pilot.press("w", "ctrl+w")
        assert widget.waved == 2


async def test_refused_command_is_greyed_and_does_nothing(host):
    widget = Waver("hello")
    async with host(widget, permissions=Permissions(read_only=True)).run_test() as pilot:
        widget.focus()
        await pilot.press("w")
        assert widget.waved == 0
        assert pilot.app.screen.active_bindings["w"].enabled is False
