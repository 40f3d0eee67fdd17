"""Services of the set-up and of a key rotation that speak HTTP or belong to the command line, passed in by it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from sprig_tui.config.environment import SprigApiKey
    from sprig_tui.config.secrets import Workspace
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.base import Journal
    from sprig_tui.setup.facts import Facts
    from sprig_tui.setup.key_rotation import NewKey
    from sprig_tui.setup.secret_trial import SecretTrial
    from sprig_tui.setup.source_creation import CreatedSource, NewSource

GatherFacts: TypeAlias = (
    "Callable[[Settings, Journal | None, str, bool, Facts | None, Callable[[str], None]], Awaitable[Facts]]"
)
"""Of one environment; whether Segment is asked; facts of an earlier look; called with the progress as text."""


class SetupServices(NamedTuple):
    """What the screen asks of Segment and Sprig; none of it blocks the event loop."""

    gather_facts: GatherFacts
    try_token: Callable[[Workspace], Awaitable[SecretTrial]]
    """Tries the token of the workspace at Segment's Public API; never raises."""
    try_sprig_key: Callable[[str, SprigApiKey], Awaitable[SecretTrial]]
    """Tries a key at the address of Sprig's REST API; never raises."""
    propose_source: Callable[[Settings, str], Awaitable[NewSource]]
    """Proposes a source for an environment; raises SegmentApiError, as the next two do."""
    create_source: Callable[[Settings, NewSource], Awaitable[CreatedSource]]
    continue_creation: Callable[[Settings, NewSource, CreatedSource], Awaitable[CreatedSource]]
    make_key: Callable[[Settings, str], Awaitable[NewKey]]
    """Makes a further Write Key for the source of this id; raises KeyRotationError."""
    listen_url: str = "http://127.0.0.1:8722"
    """Where `sprig-tui listen` listens without options."""
