"""Lines without an answer: their obstacle, and what would be needed."""

from __future__ import annotations

from sprig_tui.errors import SegmentApiError, SegmentApiUnreachableError, SprigTuiError
from sprig_tui.explain.model import Answer, Check, Line, Obstacle, Origin

NO_TOKEN_WHY = "needs a token of Segment's Public API: sprig-tui keys workspace"  # noqa: S105 - a sentence


def unknown(check: Check, obstacle: Obstacle, why: str, *, subject: str = "", source: str, at: int) -> Line:
    """A line that cannot be known."""
    return Line(check=check, answer=Answer.UNKNOWN, subject=subject, source=source, at=at, why=why, obstacle=obstacle)


def failed(check: Check, error: SprigTuiError, *, at: int, subject: str = "", source: str = Origin.PUBLIC_API) -> Line:
    """The line of a question that could not be asked, or whose answer is an error."""
    why = f"{error.message}; {error.hint}" if error.hint else error.message
    return unknown(check, _obstacle(error), why, subject=subject, source=source, at=at)


def _obstacle(error: SprigTuiError) -> Obstacle:
    if isinstance(error, SegmentApiUnreachableError):
        return Obstacle.UNREACHABLE
    if isinstance(error, SegmentApiError) and error.status in (401, 403):
        return Obstacle.PERMISSION
    return Obstacle.REJECTED
