"""Replay texts: questions, explanations, results and progress of replays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct

from sprig_tui.console.deliveries.row_format import ignored_until
from sprig_tui.journal.base import NO_OVERRIDES
from sprig_tui.journal.content import dropped_text
from sprig_tui.journal.records import AddResult, Delivery, ReplayJob, State
from sprig_tui.journal.resend import is_resendable, repaired_text
from sprig_tui.text import one_line

BAR_CELLS = 20
BAR_MIN_CELLS = 100
"""Length of the progress bar, and the width below which it is a quarter of that."""
ALL_DELIVERIES_TEXT = "everything in the journal"
"""Text for an empty filter."""


class ReplayRequest(Struct, frozen=True, kw_only=True):
    """A replay to be confirmed, with its counts."""

    by_environment: Mapping[str, int]
    """Number of deliveries that are queued again, by environment."""
    left: int = 0
    """Number of deliveries that match, and cannot be queued again."""
    as_new: bool = False
    filter: str = ""
    """The filter of a bulk replay; empty for selected deliveries."""
    bulk: bool = True
    """False for a single delivery."""
    ignored_until: str = ""
    """For a single delivered one: the end of Segment's de-duplication window."""
    delivered: int = 0
    """Number of selected deliveries that were delivered before."""
    redirected: Mapping[tuple[str, str], int] = {}
    """Number of deliveries by (URL before, URL now), where these differ; of a bulk replay only the newest."""
    dropped: int = 0
    """Number of deliveries without content; of a bulk replay only among the newest."""
    repaired: int = 0
    """Number of deliveries whose place another one took already."""
    about: str = ""
    """Why these deliveries, in lines; empty where the user chose them one by one."""

    @property
    def total(self) -> int:
        """Number of deliveries that are queued again."""
        return sum(self.by_environment.values())

    @property
    def needs_confirmation(self) -> bool:
        """Whether the user has to confirm it."""
        return self.bulk or self.as_new or bool(self.ignored_until or self.redirected or self.repaired)


def redirected(rows: Sequence[Delivery], endpoints: Mapping[str, str]) -> dict[tuple[str, str], int]:
    """Number of resendable deliveries by (URL before, URL now), where these differ."""
    moves: Counter[tuple[str, str]] = Counter()
    for row in rows:
        url = endpoints.get(row.environment, "")
        if url and row.endpoint not in ("", url) and is_resendable(row.state, row.reason, row.size):
            moves[row.endpoint, url] += 1
    return dict(moves)


def replay_request(
    rows: Sequence[Delivery],
    now: int,
    *,
    as_new: bool,
    endpoints: Mapping[str, str] = NO_OVERRIDES,
    about: str = "",
) -> ReplayRequest:
    """The request to replay these rows; `endpoints` maps each environment to its present URL."""
    bulk = len(rows) != 1 or bool(about)
    by_environment: dict[str, int] = {}
    taken = [row for row in rows if _is_taken(row)]
    for row in taken:
        by_environment[row.environment] = by_environment.get(row.environment, 0) + 1
    moves = redirected(rows, endpoints)
    return ReplayRequest(
        by_environment=by_environment,
        left=len(rows) - len(taken),
        as_new=as_new,
        bulk=bulk,
        # another endpoint has not seen its id
        ignored_until=ignored_until(rows[0], now) if not bulk and not moves else "",
        delivered=sum(row.state is State.DELIVERED for row in rows),
        redirected=moves,
        dropped=sum(row.content_dropped for row in rows),
        repaired=sum(bool(row.repaired_by) for row in taken),
        about=about,
    )


def replay_question(request: ReplayRequest) -> str:
    """The title of the dialog."""
    what = "this delivery" if not request.bulk else f"{request.total:,} {_delivery_noun(request.total)}"
    return f"Send {what} again as new?" if request.as_new else f"Replay {what}?"


def replay_explanation(request: ReplayRequest) -> str:
    """What a replay does, in a few lines."""
    lines = request.about.splitlines()
    if request.filter == ALL_DELIVERIES_TEXT:
        lines.append(request.filter)
    elif request.filter:
        lines.append(f"everything that matches {one_line(request.filter, limit=200)}")
    elif request.bulk and not request.filter and not request.as_new and request.delivered:
        lines.append(f"{request.delivered:,} of them delivered already")
    if request.bulk:
        counts = (
            f"{one_line(name, limit=40) or 'no environment'} {number:,}"
            for name, number in request.by_environment.items()
        )
        lines.append(" · ".join(counts))
    lines += [text for text in (dropped_text(request.dropped), repaired_text(request.repaired)) if text]
    for (went, goes), number in request.redirected.items():
        which = f"{number:,} went" if request.bulk else "it went"
        lines.append(f"{which} to {one_line(went, limit=80)}; a replay goes to {one_line(goes, limit=80)}")
    if request.as_new:
        lines.append(
            "under new message ids: Segment takes each as another event, and it may count twice downstream"
            if request.bulk
            else "under a new message id: Segment takes it as another event, and it may count twice downstream"
        )
    elif request.ignored_until:
        lines.append(f"it was delivered: Segment will ignore this until {request.ignored_until}")
    else:
        lines.append("under the same message ids: Segment drops those that it has seen within about 24 hours")
    if request.left:
        are = "is" if request.left == 1 else "are"
        lines.append(f"{request.left:,} more {are} left as before: still queued, or with nothing to send")
    else:
        lines.append("what is still queued, or has nothing to send, is left as it is")
    return "\n".join(lines if request.bulk else lines[:-1])


def confirm_label(request: ReplayRequest) -> str:
    """The label of the button."""
    return f"Send {request.total:,} as new" if request.as_new else f"Replay {request.total:,}"


def replay_outcome(added: Sequence[AddResult], *, as_new: bool = False) -> str:
    """Result of a replay of selected deliveries; with `as_new` it names the new ids."""
    queued = sum(result.outcome == "new" for result in added)
    left = len(added) - queued
    if not queued:
        return f"nothing was queued: {_not_queued_text(added)}"
    new_ids = [result.id for result in added if result.outcome == "new"]
    named = f": delivery {new_ids[0]}" if queued == 1 else f": deliveries {min(new_ids)} to {max(new_ids)}"
    return f"{queued:,} {_queued_text(as_new=as_new)}{named if as_new else ''}" + (
        f", {left:,} left as before (still queued, or nothing to send)" if left else ""
    )


def _is_taken(row: Delivery) -> bool:
    """Whether a replay queues the delivery again."""
    return is_resendable(row.state, row.reason, row.size) and not row.content_dropped


def unsendable_text(rows: Sequence[Delivery]) -> str:
    """Why none of these can be queued again; empty if one can."""
    if any(_is_taken(row) for row in rows):
        return ""
    return f"nothing can be queued again: {_not_queued_text(rows)}"


def _not_queued_text(added: Sequence[AddResult] | Sequence[Delivery]) -> str:
    """Why none was queued again, by their state if all have the same."""
    they_are = "it is" if len(added) == 1 else "they are"
    dropped = sum(isinstance(result, Delivery) and result.content_dropped for result in added)
    if dropped:
        return dropped_text(dropped) if dropped == len(added) else f"{dropped_text(dropped)}; others are queued already"
    states = {result.state for result in added}
    if states == {State.QUEUED}:
        return f"{they_are} queued already"
    if states == {State.WITHHELD}:
        because = (
            f" ({', '.join(reasons)})"
            if (reasons := sorted({result.reason for result in added if result.reason}))
            else ""
        )
        return f"{they_are} withheld{because}, with nothing that can be sent"
    return f"{they_are} queued already, or nothing can be sent"


def job_text(job: ReplayJob, others: int, *, stalled: bool, width: int) -> str:
    """Progress of a bulk replay in one line of `width` cells, the least important part last."""
    done = job.queued + job.skipped
    share = min(1.0, done / job.total) if job.total else 0.0
    cells = BAR_CELLS if width >= BAR_MIN_CELLS else BAR_CELLS // 4
    full = round(share * cells)
    parts = [
        f"{'sending as new' if job.as_new else 'replay'}  {'━' * full}{'─' * (cells - full)}",
        f"{job.queued:,} of {job.total:,} queued",
    ]
    if job.state == "paused":
        parts.append("paused: P resumes, x cancels")
    elif stalled:
        parts.append("no engine is running: start sprig-tui run")
    else:
        parts.append("P pauses, x cancels")
    if job.skipped:
        parts.append(f"{job.skipped:,} skipped")
    if others:
        parts.append(f"and {others} more")
    parts.append(one_line(job.filter, limit=40) or "everything")
    return "  ".join(parts)


def job_end_text(job: ReplayJob) -> str:
    """The notice at the end of a bulk replay."""
    ended = "was cancelled" if job.state == "cancelled" else "is done"
    skipped = f", {job.skipped:,} skipped (still queued, or nothing to send)" if job.skipped else ""
    done = f"{job.queued:,} {_queued_text(as_new=job.as_new)}"
    return f"the replay of {one_line(job.filter, limit=60) or 'everything'} {ended}: {done}{skipped}"


def _queued_text(*, as_new: bool) -> str:
    """`queued as new` or `queued again`."""
    return "queued as new" if as_new else "queued again"


def _delivery_noun(number: int) -> str:
    return "delivery" if number == 1 else "deliveries"
