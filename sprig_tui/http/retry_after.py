"""Retry-After and X-RateLimit-Reset: the wait that a response asks for. Pure."""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from email.utils import parsedate_tz

from sprig_tui.http import MAX_RETRY_AFTER_S

_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?")
_DATE = re.compile(r"[A-Za-z]+,? .*[0-9]{2}:[0-9]{2}:[0-9]{2}")
_MIN_EPOCH_S = 1_000_000_000.0
"""A larger X-RateLimit-Reset is a time, not a duration: it would be more than 31 years."""


def retry_after(headers: Mapping[str, str], *, now_ms: int) -> float | None:
    """Seconds to wait, more than 0 and at most 300; None if the headers name no wait.

    `headers` has lower-case names (httpx.Headers will do), `now_ms` is the wall time in milliseconds since 1970 UTC.

    | Retry-After                              | result                                         |
    |------------------------------------------|------------------------------------------------|
    | `120`, `1.5`, ` 2 `                      | that many seconds                              |
    | several, `5, 10`                         | the longest                                    |
    | a date in any of HTTP's three forms      | until then, counted from the response's Date   |
    | `0`, negative, a date in the past        | as if absent: a failing server needs a backoff |
    | more than 300 s, however many digits     | 300 s                                          |
    | `soon`, `1e3`, `nan`, empty, half a date | as if absent                                   |

    Without Retry-After, X-RateLimit-Reset is used: seconds (facts: HTTP API, rate limits), or a time as Unix seconds
    or milliseconds. A date is compared with the response's Date header if that is valid, so that a wrong clock on
    either side does not change the wait.
    """
    now_s = now_ms / 1000
    wait = _parse_retry_after(headers.get("retry-after", ""), parse_http_date(headers.get("date", "")) or now_s)
    if wait is None:
        wait = _parse_rate_limit_reset(headers.get("x-ratelimit-reset", ""), now_s)
    return None if wait is None else min(wait, MAX_RETRY_AFTER_S)


def _parse_retry_after(text: str, base_s: float) -> float | None:
    seconds = [_parse_seconds(part) for part in text.split(",")]
    named = [wait for wait in seconds if wait is not None]
    if len(named) == len(seconds):
        return max(named) or None
    moment = parse_http_date(text)
    return moment - base_s if moment is not None and moment > base_s else None


def _parse_seconds(text: str) -> float | None:
    # float() alone would accept 1e3, inf, nan and 1_000
    return float(text) if _SECONDS.fullmatch(text := text.strip()) else None


def parse_http_date(text: str) -> float | None:
    """An HTTP-date (IMF-fixdate, RFC 850 or asctime) as Unix seconds."""
    if not _DATE.match(text := text.strip()):
        return None
    try:
        fields = parsedate_tz(text)
        if fields is None:
            return None
        # not strptime, which expects day and month names in the language of the locale
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
