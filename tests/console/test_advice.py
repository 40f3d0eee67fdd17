"""Keys that do nothing, and missing files that were pasted: what is said of them."""

from __future__ import annotations

from sprig_tui.console.commands.panes import PANE_COMMANDS
from sprig_tui.console.keyboard.advice import paste_advice, unbound_key
from sprig_tui.console.payload.pasted import recognise_paste


async def test_every_key_of_a_command_has_advice_in_every_pane(console):
    async with console.running() as pilot:
        for pane in "123":
            await console.press(pane)
            for command in PANE_COMMANDS:
                for key in pilot.app.preferences.keys_of(command):
                    if key not in pilot.app.screen.active_bindings:
                        assert "does nothing in" in unbound_key(pilot.app, key) or key in {"enter", "escape"}
        said = paste_advice(pilot.app, recognise_paste(f"{console.paths.config_file.parent}/no/such.jsonl"))
        assert said.endswith(f"the folder {console.paths.config_file.parent} is there: o opens it")
