"""Points of a token: the rate limit of the fake Public API, in whole minutes."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime

from sprig_tui.segment.sink.workspace.errors import ApiError

_WINDOW_MS = 60_000
DEFAULT_POINTS_PER_MINUTE = 600
"""Segment does not publish its number."""
ROUTE_LIMITS = {
    "/events/volume": 60,
    "/labels": 60,
    "/sources/{id}/labels": 60,
    "/tracking-plans/{id}/rules": 200,
    "/regulations": 600,
    "POST /destinations/{id}/subscriptions": 5,
}
"""Requests a minute of routes that have less than the default (facts: common ground)."""


class Points:
    """Points that each token has used in the current minute."""

    def __init__(self, now: Callable[[], int], per_minute: int = DEFAULT_POINTS_PER_MINUTE) -> None:
        self.per_minute = per_minute
        self._now = now
        self._window = 0
        self._used: dict[tuple[str, str], int] = {}

    def take(self, token: str, method: str, path: str) -> None:
        """Use one point; raises ApiError (429) if there is none left, for the token or for this route."""
        window = self._now() // _WINDOW_MS
        if window != self._window:
            self._window, self._used = window, {}
        route = f"{method} {path}" if f"{method} {path}" in ROUTE_LIMITS else path
        for name, limit in (("", self.per_minute), (route, ROUTE_LIMITS.get(route, self.per_minute))):
            used = self._used.get((token, name), 0) + 1
            if used > limit:
                raise self._limit_error(used, limit)
            self._used[token, name] = used

    def headers(self, token: str) -> tuple[tuple[str, str], ...]:
        """The headers of a success."""
        used = self._used.get((token, ""), 0)
        return (
            ("X-RateLimit-Consumed", "1"),
            ("X-RateLimit-Remaining", str(max(0, self.per_minute - used))),
            ("X-RateLimit-Reset", format_datetime(datetime.fromtimestamp(self._reset_ms() / 1000, UTC))),
        )

    def _limit_error(self, used: int, limit: int) -> ApiError:
        wait_ms = max(1, self._reset_ms() - self._now())
        data = {"remainingPoints": 0, "msBeforeNext": wait_ms, "consumedPoints": used}
        return ApiError(429, "rate-limit", f"Too many requests: {limit} a minute are allowed.", data=data)

    def _reset_ms(self) -> int:
        return (self._now() // _WINDOW_MS + 1) * _WINDOW_MS


def retry_after(error: ApiError) -> tuple[tuple[str, str], ...]:
    """The Retry-After header of a 429, in whole seconds; none for other errors."""
    if error.status != 429:
        return ()
    return (("Retry-After", str(math.ceil(error.data["msBeforeNext"] / 1000))),)
