"""Parts of evidence: where it was seen, times, texts of others on one line, and what leads to a secret. Pure."""

from __future__ import annotations

from sprig_tui.config.warnings import ConfigWarning, WarningCode
from sprig_tui.formatting import local_time
from sprig_tui.reconcile.model import obstacle_text
from sprig_tui.setup.facts import Facts, WorkspaceFacts
from sprig_tui.setup.model import ActionKind
from sprig_tui.text import one_line

CONFIG, JOURNAL, API = "config", "journal", "Segment's Public API"
"""Where something was seen."""
MAX_NAME_CHARS = 80
MAX_CAUSE_CHARS = 300
"""Of a sentence that a server had a part in."""
JOURNAL_CLOSED = "the journal is not open, so it cannot be looked at"


def name_text(text: str) -> str:
    """A name of others."""
    return one_line(text, limit=MAX_NAME_CHARS)


def time_text(ms: int, now: int) -> str:
    """A time today by its minute, another one with its date."""
    at = local_time(ms)
    return f"{at:%H:%M}" if at.date() == local_time(now).date() else f"{at:%Y-%m-%d %H:%M}"


def without_token(facts: Facts) -> str:
    """That there is no token of Segment's Public API; where the config names one, why it is not there."""
    problem = facts.token_problem
    text = "without a token of Segment's Public API"
    return f"{text}: {one_line(problem.text)}" if problem is not None else text


def ways_to_a_secret(problem: ConfigWarning | None, store: ActionKind) -> tuple[ActionKind, ...]:
    """What leads to a secret; `problem` is why the one that the config names cannot be used, None where it names none.

    `store` stores one.
    """
    is_unread = problem is not None and problem.code is not WarningCode.SECRET_UNUSABLE
    return (ActionKind.READ_SECRET, store) if is_unread else (store,)


def ways_to_a_token(facts: Facts) -> tuple[ActionKind, ...]:
    """What leads to a token of Segment's Public API, where there is none."""
    return ways_to_a_secret(facts.token_problem, ActionKind.STORE_TOKEN)


def workspace_obstacle(workspace: WorkspaceFacts) -> str:
    """Why Segment said less."""
    text = obstacle_text(workspace.obstacle) or "Segment did not say"
    return f"{text} ({one_line(workspace.detail, limit=MAX_CAUSE_CHARS)})" if workspace.detail else text
