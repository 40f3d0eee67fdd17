"""Regulation: the request to Segment that belongs to a `forget`, made only where it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sprig_tui.cli import diagnostics
from sprig_tui.errors import SegmentApiError

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.forget import ForgetOutcome
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.persons import Identifier


async def ask_segment(
    settings: Settings, journal: Journal, identifiers: Sequence[Identifier], kind: str, outcome: ForgetOutcome
) -> tuple[ForgetOutcome, bool]:
    """Make the regulation, keep its id in the receipt, and show its status; the outcome, and whether it was made."""
    from sprig_tui.cli.workspace import print_wait
    from sprig_tui.clock import SystemClock
    from sprig_tui.segment.public_api import PublicApiClient
    from sprig_tui.segment.suppressions import MAX_SUBJECTS

    token = settings.workspace.token
    assert token is not None  # noqa: S101 - checked before anything was removed
    users = [one.value for one in identifiers if one.kind == "user"]
    name = kind.replace("-", "_").upper()
    made: list[str] = []
    statuses: dict[str, str] = {}
    problem: SegmentApiError | None = None
    async with PublicApiClient(settings.workspace.base_url, token, clock=SystemClock(), on_wait=print_wait) as api:
        try:
            for start in range(0, len(users), MAX_SUBJECTS):
                chunk = users[start : start + MAX_SUBJECTS]
                made.append(await api.create_regulation(name, chunk))
            statuses = {one.id: one.status for one in await api.regulations()}
        except SegmentApiError as error:
            problem = error
    receipt = await journal.end_forget(
        outcome.receipt.id, {}, regulation=" ".join(made), done=bool(outcome.receipt.ended_at)
    )
    for regulation in made:
        status = statuses.get(regulation) or "accepted"
        number = f"{len(users):,} {'user' if len(users) == 1 else 'users'}"
        diagnostics.info(f"Segment: {name} of {number} is {status} (regulation {regulation})")
    complete = len(made) * MAX_SUBJECTS >= len(users)
    if problem is not None and complete:
        diagnostics.warning(f"the regulation was made, but its status cannot be read: {problem.message}")
    elif problem is not None:
        diagnostics.failure(
            f"Segment was not asked, or not for all: {problem.message}",
            problem.hint or "what is stored here was removed all the same; ask in Segment's own app",
        )
    return replace(outcome, receipt=receipt), complete
