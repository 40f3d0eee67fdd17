"""Where a pull stands: what progress shows, and what its report is made of."""

from __future__ import annotations

from msgspec import Struct

from sprig_tui.pull.request import TimeWindow


class PullProgress(Struct, frozen=True, kw_only=True):
    """One moment of a pull; each change makes a new one, so that it may be kept. Times are epoch milliseconds."""

    environment: str
    window: TimeWindow = TimeWindow()
    resumed: bool = False
    """It goes on with one that was interrupted; the numbers then include what that one read."""
    surveys: int = 0
    """Known for the environment."""
    pages: int = 0
    records: int = 0
    reached: int = 0
    """Latest creation time on the last page that had one; 0 before."""
    newest: int = 0
    """Latest creation time so far; 0 for none."""
    mark: int = 0
    """Everything created up to here was read before; at the end, by now. 0 for never."""
    waiting: str = ""
    """What is being waited for, in words; empty while it moves."""
    warnings: tuple[str, ...] = ()
    finished: bool = False
