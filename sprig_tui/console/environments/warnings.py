"""Warnings of the Environments pane, and the warning for a payload of another environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sprig_tui.config.checks import check_environment_ids, check_file_mode, check_shared_keys
from sprig_tui.config.environment import Environment
from sprig_tui.config.saved_filters import saved_filter_problems

if TYPE_CHECKING:
    from sprig_tui.config.secrets import Workspace
    from sprig_tui.config.settings import Settings
    from sprig_tui.console.session import Session
    from sprig_tui.sprig.records import Record

DEMO_REJECTION_TEXT = (
    "one of the samples is rejected on purpose: its request was split until the sample was alone,\n"
    "so the deliveries beside it took several requests; /status:failed shows it"
)
"""The notice at the first rejected sample of the demo."""


def config_warnings(settings: Settings, now_ms: int) -> tuple[str, ...]:
    """Warnings about the config, worst first."""
    shared = (*check_shared_keys(settings.environments), *check_environment_ids(settings.environments))
    return (
        *(problem.message for problem in shared),
        *(warning.message for warning in settings.warnings),
        *(f"{problem.message}: {problem.hint}" for problem in check_file_mode(settings)),
        *(f"{text}; {hint}" for text, hint in saved_filter_problems(settings.filters, now_ms)),
    )


def token_warning(state_dir: Path, workspace: Workspace) -> str:
    """The warning for a token that Segment rejects; empty for none."""
    if workspace.token is None:
        return ""
    # imported late: without a token the first paint does not need it
    from sprig_tui.config.token_rejection import REJECTED_HINT, TokenRejectionStore

    rejection = TokenRejectionStore(state_dir, workspace).load()
    return f"{rejection.message}: {REJECTED_HINT}" if rejection is not None else ""


class WarningList:
    """The warnings that the pane shows: about the session, the config, Segment's token and the payload."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._payload_warning = ""

    def look_at(self, record: Record | None, selected: str) -> bool:
        """Warn, from now on, of a payload of another environment than the selected one; whether that is news."""
        before, self._payload_warning = self._payload_warning, ""
        if record is not None:
            environments = self._session.settings.environments
            named, identity = record.environment, record.environment_id
            self._payload_warning = environment_mismatch(environments, selected, named, identity)
        return self._payload_warning != before

    def collect(self, trouble: str, faults: Iterable[str], config: Iterable[str]) -> tuple[str, ...]:
        """All of them, worst first: the session's trouble, faults of the config on disk, warnings about the config."""
        token = token_warning(self._session.dependencies.paths.state_dir, self._session.settings.workspace)
        return (*filter(None, (trouble, *faults, token, self._payload_warning)), *config)


def environment_mismatch(
    environments: Mapping[str, Environment], selected: str, named: str | None, sprig_id: str | None
) -> str:
    """The warning for a payload of another environment than the selected one; empty for none.

    `named` and `sprig_id` are the environment name and Sprig's environment id in the record.
    """
    own = (named or "").strip().lower()
    identity = (sprig_id or "").strip()
    by_id = next((name for name, known in environments.items() if known.sprig_environment_id == identity), "")
    belongs = own or (by_id if identity else "")
    if belongs and belongs != selected:
        return f"this payload belongs to {belongs}, not to {selected}"
    set_here = environments[selected].sprig_environment_id if selected in environments else None
    if identity and not belongs and set_here and set_here != identity:
        return f"this payload's environment id {identity[:40]} is not that of {selected}"
    return ""
