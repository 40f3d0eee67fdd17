"""Result of the set-up screen: what the panes show after it."""

from __future__ import annotations

from typing import NamedTuple


class SetupResult(NamedTuple):
    """What the panes show after it was closed by one of its actions."""

    files: tuple[str, ...] = ()
    """Opened in the Payload pane."""
    deliveries_filter: str = ""
    """Set in the Deliveries pane."""
    shows_payload: bool = False
    """Whether the Payload pane gets the focus."""
