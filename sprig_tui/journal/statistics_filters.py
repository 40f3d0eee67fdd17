"""Filters of statistics: for each number the filter that finds its rows in the log."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sprig_tui.errors import FilterError
from sprig_tui.journal.moments import RANGE_MARK, parse_range
from sprig_tui.journal.query import WHOLE_URL_SIGN, whole_url
from sprig_tui.journal.records import State
from sprig_tui.journal.statistics import NO_STATUS, Bucket, Statistics, SurveyCounts
from sprig_tui.reasons import Reason

_PLAIN_URL = re.compile(r"[a-z0-9.:/_-]+", re.IGNORECASE | re.ASCII)
"""URLs that need no quotes, neither in a filter nor in a shell."""
_WITHOUT_STATUS = "-status:1xx,2xx,3xx,4xx,5xx"


class StatisticsFilters:
    """The filters of one result. Empty where no filter finds the rows: of `other`, and of names with a quote."""

    def __init__(self, statistics: Statistics) -> None:
        request = statistics.request
        self._names = [*statistics.environments]
        self._environments = f"env:{','.join(request.environments)}" if request.environments else ""
        self._period = period_words("arrived", statistics.since, statistics.until)

    def total(self, state: State | None = None) -> str:
        """Everything that arrived in the period, in one state or any."""
        return _joined(self._environments, _state_word(state), self._period)

    def arrived(self, bucket: Bucket, state: State | None = None) -> str:
        """What arrived in an hour or a day."""
        return _joined(self._environments, _state_word(state), period_words("arrived", bucket.since, bucket.until))

    def answered(self, bucket: Bucket) -> str:
        """What was answered in an hour or a day."""
        return _joined(self._environments, period_words("sent", bucket.since, bucket.until))

    def survey(self, survey: SurveyCounts, state: State | None = None, *, anonymous: bool = False) -> str:
        """What a survey has in the period, or the anonymous part of it."""
        if survey.is_other:
            return ""
        word = field_word("survey-id", survey.id) if survey.id else "-survey-id:*"
        # the deliveries of forgotten persons have no user either
        without_user = "is:anonymous -reason:forgotten" if anonymous else ""
        return _joined(self._environments, _state_word(state), word, without_user, self._period) if word else ""

    def environment(self, name: str, state: State | None = None) -> str:
        """What an environment has; one without a name is what none of the others has."""
        others = (field_word("-env", other) for other in self._names if other)
        word = field_word("env", name) if name else _joined(*others)
        return _joined(word, _state_word(state), self._period)

    def reason(self, reason: str) -> str:
        """What was withheld for a reason; the filter does not know those of a later version."""
        if reason not in set(Reason):
            return ""
        return _joined(self._environments, f"is:withheld reason:{reason}", self._period)

    def failure(self, status: int) -> str:
        """What failed with an HTTP status, or without one."""
        word = _WITHOUT_STATUS if status == NO_STATUS else f"status:{status}"
        return _joined(self._environments, "is:failed", word, self._period)

    def endpoint(self, url: str, state: State | None = None) -> str:
        """What went to a URL or is bound for it."""
        word = endpoint_word(url)
        return _joined(self._environments, _state_word(state), word, self._period) if word else ""


def field_word(field: str, value: str) -> str:
    """A field and its value, quoted where it needs it; empty where the value cannot be written."""
    if not value or '"' in value or value != value.strip():
        return ""
    is_plain = value.isascii() and value.replace("-", "").replace("_", "").isalnum()
    return f"{field}:{value}" if is_plain else f'{field}:"{value}"'


def endpoint_word(url: str) -> str:
    """The word for a whole URL, such as `endpoint:=https://api.segment.io`; empty where it cannot be written."""
    if not whole_url(WHOLE_URL_SIGN + url) or '"' in url or url != url.strip():
        return ""
    value = url if _PLAIN_URL.fullmatch(url) else f'"{url}"'
    return f"endpoint:{WHOLE_URL_SIGN}{value}"


def period_words(field: str, since: int, until: int) -> str:
    """The shortest word for a time from `since` to before `until`: `arrived:2026-11-23`, or with the hours.

    Times are local, with their offset to UTC where the same local time comes twice.
    """
    start, end = (datetime.fromtimestamp(edge / 1000, UTC).astimezone() for edge in (since, until))
    first, last = (moment.replace(tzinfo=None).isoformat(timespec="minutes") for moment in (start, end))
    before = datetime.fromtimestamp((until - 1) / 1000, UTC).astimezone().date().isoformat()
    for text in (
        start.date().isoformat(),
        f"{start.date().isoformat()}{RANGE_MARK}{before}",
        f"{first}{RANGE_MARK}{last}",
    ):
        try:
            if parse_range(text, until) == (since, until):
                return f"{field}:{text}"
        except FilterError:
            continue
    return f"{field}:{start.isoformat(timespec='minutes')}{RANGE_MARK}{end.isoformat(timespec='minutes')}"


def _state_word(state: State | None) -> str:
    return f"status:{state.value}" if state is not None else ""


def _joined(*words: str) -> str:
    return " ".join(word for word in words if word)
