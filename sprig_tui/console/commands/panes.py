"""Commands of the three panes, whose keys the main screen has from its first paint."""

from __future__ import annotations

from sprig_tui.console.commands.base import Command
from sprig_tui.console.commands.deliveries import COMMANDS as DELIVERIES
from sprig_tui.console.commands.environments import COMMANDS as ENVIRONMENTS
from sprig_tui.console.commands.payload import COMMANDS as PAYLOAD
from sprig_tui.console.commands.records import COMMANDS as RECORDS

PANE_COMMANDS: tuple[type[Command], ...] = (*ENVIRONMENTS, *PAYLOAD, *RECORDS, *DELIVERIES)
