"""How long Segment asks us to wait, read from the headers of an answer; pure."""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from email.utils import parsedate_tz

from sprig_tui.http import MAX_RETRY_AFTER_S

_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?")
_DATE = re.compile(r"[A-Za-z]+,? .*[0-9]{2}:[0-9]{2}:[0-9]{2}")
_MIN_EPOCH_S = 1_000_000_000.0
"""An X-RateLimit-Reset from here on is a moment, not a wait: as seconds it would be 31 years."""


def retry_after(headers: Mapping[str, str], *, now_ms: int) -> float | None:
    """Seconds to wait, more than 0 and at most 300; None where the headers name no wait, then the backoff is ours.

    `headers` has lower-case names (httpx.Headers will do), `now_ms` is the wall time in milliseconds since 1970 UTC.

    | Retry-After                              | result                                         |
    |------------------------------------------|------------------------------------------------|
    | `120`, `1.5`, ` 2 `                      | that many seconds                              |
    | several, `5, 10`                         | the longest                                    |
    | a date in any of HTTP's three forms      | until then, counted from the answer's own Date |
    | `0`, negative, a date gone by            | as if absent: a server that fails needs a rest |
    | more than 300 s, however many digits     | 300 s                                          |
    | `soon`, `1e3`, `nan`, empty, half a date | as if absent                                   |

    Where Retry-After gives none, X-RateLimit-Reset is taken: seconds (facts: HTTP API, rate limits), or a moment as
    Unix seconds or milliseconds. A date is compared with the answer's Date header where there is a good one, so that
    a clock that is off, ours or the server's, does not stretch or swallow the wait.
    """
    now_s = now_ms / 1000
    wait = _parse_retry_after(headers.get("retry-after", ""), _parse_http_date(headers.get("date", "")) or now_s)
    if wait is None:
        wait = _parse_rate_limit_reset(headers.get("x-ratelimit-reset", ""), now_s)
    return None if wait is None else min(wait, MAX_RETRY_AFTER_S)


def _parse_retry_after(text: str, base_s: float) -> float | None:
    seconds = [_parse_seconds(part) for part in text.split(",")]
    named = [wait for wait in seconds if wait is not None]
    if len(named) == len(seconds):
        return max(named) or None
    moment = _parse_http_date(text)
    return moment - base_s if moment is not None and moment > base_s else None


def _parse_seconds(text: str) -> float | None:
    # float() alone would take 1e3, inf, nan and 1_000; no Retry-After means those.
    return float(text) if _SECONDS.fullmatch(text := text.strip()) else None


def _parse_http_date(text: str) -> float | None:
    """An HTTP-date (IMF-fixdate, RFC 850 or asctime) as Unix seconds."""
    if not _DATE.match(text := text.strip()):
        return None
    try:
        fields = parsedate_tz(text)
        if fields is None:
            return None
        # strptime would do as well but reads day and month names in the locale's language.
        return calendar.timegm((*fields[:6], 0, 0, 0)) - (fields[9] or 0)
    except (ValueError, OverflowError, IndexError):
        return None


def _parse_rate_limit_reset(text: str, now_s: float) -> float | None:
    reset = _parse_seconds(text)
    if reset is None or reset == 0:
        return None
    if reset < _MIN_EPOCH_S:
        return reset
    moment = reset / 1000 if reset >= _MIN_EPOCH_S * 1000 else reset
    return moment - now_s if moment > now_s else None
