"""What the console says about a pull: before it, while it goes on, and after it."""

from __future__ import annotations

from sprig_tui.console.sending.plan import ingest_text
from sprig_tui.delivery.feeding import IngestResult
from sprig_tui.pull.moments import format_utc
from sprig_tui.pull.position import Checkpoint
from sprig_tui.pull.request import PullRequest
from sprig_tui.pull.state import PullProgress


def pull_question_text(place: Checkpoint, request: PullRequest, now_ms: int) -> str:
    """What will be read."""
    interrupted = place.find_resume_point(request, now_ms)
    mark = place.high_water_mark(request.survey)
    if interrupted is not None:
        what = f"It goes on with the pull that stopped after {interrupted.records:,} records."
    elif mark:
        what = f"It reads what was created since {format_utc(mark)}, and an hour before that."
    else:
        what = "It is the first one, and reads everything that Sprig has."
    return f"{what}\nAnswers that are new go to Segment; nothing is sent twice."


def pull_progress_text(state: PullProgress | None, fed: IngestResult) -> str:
    """How far it is."""
    if state is None:
        return "asking Sprig"
    lines = [_read(state)]
    if state.reached:
        lines.append(f"reached {format_utc(state.reached)}")
    if fed.records:
        lines.append(ingest_text(fed))
    if state.waiting:
        lines.append(state.waiting)
    return "\n".join(lines)


def pull_result_text(name: str, state: PullProgress, fed: IngestResult) -> str:
    """What became of it."""
    if fed.records and fed.outcomes["known"] == fed.records:
        return f"{name}: nothing new in {_read(state)}"
    if not fed.records:
        return f"{name}: nothing new"
    return f"{name}: {_read(state)}\n{ingest_text(fed)}"


def pull_stopped_text(name: str, fed: IngestResult) -> str:
    """It was broken off."""
    return f"{name}: stopped after {ingest_text(fed)}\nthe next pull goes on there; what is queued goes out"


def _read(state: PullProgress) -> str:
    return f"{state.records:,} records on {state.pages:,} {'page' if state.pages == 1 else 'pages'}"
