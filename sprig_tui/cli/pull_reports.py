"""What `pull` tells: where it stands while it reads, and what became of each environment's pull."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sprig_tui.cli import diagnostics
from sprig_tui.cli.log_lines import iso_time
from sprig_tui.cli.watching import RunProgress
from sprig_tui.config.durations import format_duration
from sprig_tui.errors import ExitCode, SprigTuiError
from sprig_tui.pull.moments import format_utc
from sprig_tui.pull.state import PullProgress

if TYPE_CHECKING:
    from sprig_tui.delivery.engine import Engine


class PullOutcome:
    """What became of the pull for one environment."""

    def __init__(self, environment: str) -> None:
        self.state = PullProgress(environment=environment)
        self.error: SprigTuiError | None = None

    def as_json(self) -> dict[str, Any]:
        """For programs; times as ISO-8601, null where there is none."""
        state, window = self.state, self.state.window
        return {
            "environment": state.environment,
            "finished": state.finished,
            "resumed": state.resumed,
            "records": state.records,
            "pages": state.pages,
            "surveys": state.surveys,
            "since": _iso(window.since),
            "until": _iso(window.until),
            "survey": window.survey,
            "newest": _iso(state.newest),
            "read_up_to": _iso(state.mark),
            "warnings": state.warnings,
            "error": self.error.message if self.error else None,
        }


class PullRunProgress(RunProgress):
    """The progress of pulls on stderr: records, pages, the date reached, what is waited for, and the deliveries."""

    def __init__(self, engine: Engine | None) -> None:
        super().__init__(None, engine)
        self._state: PullProgress | None = None
        self._warned = 0
        self._paused_until = 0.0
        self._waiting_since = 0.0
        """When what is waited for was said, in seconds of the monotonic clock."""

    @property
    def state(self) -> PullProgress | None:
        """Where the pull at work stands; warnings in it are said as they come."""
        return self._state

    @state.setter
    def state(self, state: PullProgress) -> None:
        if self._state is None or state.waiting != self._state.waiting:
            self._waiting_since = time.monotonic()
        if self._state is None or len(state.warnings) < self._warned or state.environment != self._state.environment:
            self._warned = 0
        for text in state.warnings[self._warned :]:
            diagnostics.warning(f"{state.environment}: {text}")
        self._warned = len(state.warnings)
        self._state = state
        self._paused_until = 0.0

    def show_pause(self, until_s: float) -> None:
        """Nothing is pulled until then, in seconds of the monotonic clock."""
        self._paused_until = until_s

    def _reading_text(self) -> str:
        if self._paused_until:
            return f"next pull in {format_duration(max(0, round(self._paused_until - time.monotonic())))}"
        state = self._state
        if state is None:
            return "asking Sprig"
        parts = [f"{state.environment}: {_pages_text(state)}"]
        if state.reached:
            parts.append(f"reached {format_utc(state.reached)}")
        if state.waiting:
            parts.append(f"{state.waiting}, {time.monotonic() - self._waiting_since:.0f} s so far")
        return "  ".join(parts)


def print_outcome(pulled: PullOutcome) -> None:
    """One line on what was read, and one on what went wrong."""
    state = pulled.state
    if state.pages or state.finished:
        upto = f", created up to {format_utc(state.newest)}" if state.newest else ""
        whence = ", an interrupted pull included" if state.resumed else ""
        diagnostics.info(f"{state.environment}: {_pages_text(state)}{upto}{whence}; {state.surveys:,} surveys known")
    if pulled.error is not None:
        diagnostics.failure(f"{state.environment}: {pulled.error.message}", pulled.error.hint)


def worst_exit_code(pulled: Sequence[PullOutcome]) -> ExitCode:
    """The exit code of what went wrong: what a person has to mend, before what passes by itself."""
    codes = {ExitCode(one.error.exit_code) for one in pulled if one.error is not None}
    order = (ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REJECTED)
    return next((code for code in order if code in codes), ExitCode.OK)


def _pages_text(state: PullProgress) -> str:
    pages = "page" if state.pages == 1 else "pages"
    return f"{state.records:,} records on {state.pages:,} {pages}"


def _iso(ms: int | None) -> str | None:
    return iso_time(ms) if ms else None
