"""Accepted sends: how many message ids Segment took at what time, to be compared with its own counts.

A send is an attempt for one delivery. Segment took it if the attempt's outcome is `delivered`; it may have taken it if
no answer came, or a server or proxy on the way failed (`unanswered`): then the delivery was sent again. Only attempts
to the environment's own endpoint count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct

FINE_BIN_MS = 100
"""Width of a bin near a full hour, where a bucket of Segment's may begin, and anywhere in a short window."""
COARSE_BIN_MS = 30_000
EDGE_MS = 150_000
"""How near: the largest difference of clocks that a comparison allows for, and a coarse bin."""
_HOUR_MS = 3_600_000
MAX_FINE_WINDOW_MS = 5 * _HOUR_MS
"""Longest window with fine bins only: that of counts by minute, which reach back four hours at a time."""


class AcceptedBin(Struct, frozen=True, gc=False):
    """Sends in one short time; times are those of the response, ms since 1970 UTC."""

    start: int
    first: int = 0
    """Deliveries that were accepted for the first time."""
    sends: int = 0
    """Accepted sends, repeats included."""
    repeats: tuple[tuple[int, int], ...] = ()
    """Of the accepted sends: (start of the bin of the first acceptance, how many) for those that are repeats."""
    unanswered: tuple[tuple[int, int], ...] = ()
    """Sends beside the accepted ones that may have arrived: (start of the bin of the first acceptance, 0 for never
    accepted; how many)."""
    width: int = FINE_BIN_MS
    is_one_request: bool = False
    """Whether one request carried all deliveries of `first`, so that Segment stamped them together."""


_UNANSWERED, _REPEAT, _FIRST = range(3)
"""Kinds of sends in the rows of `sends_sql`."""


class Placeholders(Struct, frozen=True):
    """Expressions of a dialect for the parameters, and for the response time of attempt `a` as a whole number."""

    environment: str
    since: str
    until: str
    endpoint: str
    """Empty for any endpoint."""
    time: str

    @property
    def own_attempts(self) -> str:
        """Condition for attempts to the environment's own endpoint."""
        return (
            f"a.environment = (SELECT id FROM environments WHERE name = {self.environment} AND endpoint = '')"
            # versions that did not record it left it empty
            f" AND ({self.endpoint} = '' OR a.endpoint = '' OR a.endpoint = {self.endpoint})"
        )

    def in_window(self, time: str) -> str:
        """Condition for a time."""
        return f"{time} >= {self.since} AND {time} < {self.until}"


def firsts_sql(by: Placeholders) -> str:
    """Statement for (start of the bin, how many, least and largest attempt) over deliveries with one attempt each."""
    return (
        f"SELECT {_bin_start('a.t', by)} AS start, count(*), min(d.attempt), max(d.attempt)"
        f" {_from_carried_once(by)} GROUP BY 1"
    )


def sends_sql(by: Placeholders) -> str:
    """Statement for the same of all other deliveries, with more before it.

    (time, time of the first acceptance or null, kind, how many, least and largest attempt).
    """
    return (
        f"WITH {_sent(by)}, placed AS (SELECT t, accepted,"
        " min(CASE WHEN accepted THEN t END) OVER (PARTITION BY delivery) AS first,"
        " row_number() OVER (PARTITION BY delivery ORDER BY CASE WHEN accepted THEN 0 ELSE 1 END, t, attempt) AS place,"
        " attempt FROM sent)"
        f" SELECT t, first, CASE WHEN NOT accepted THEN {_UNANSWERED} WHEN place = 1 THEN {_FIRST} ELSE {_REPEAT} END,"
        f" count(*), min(attempt), max(attempt) FROM placed WHERE {by.in_window('t')} GROUP BY 1, 2, 3"
    )


def ids_sql(by: Placeholders) -> str:
    """Statement for the ids of deliveries whose last accepted send lies in the window."""
    return (
        f"WITH {_sent(by)} SELECT d.id {_from_carried_once(by)}"
        " UNION ALL SELECT delivery FROM sent WHERE accepted GROUP BY delivery"
        f" HAVING {by.in_window('max(t)')} ORDER BY 1"
    )


def _from_carried_once(by: Placeholders) -> str:
    return (
        f"FROM deliveries d JOIN (SELECT a.id, {by.time} AS t FROM attempts a"
        f" WHERE a.outcome = 'delivered' AND {by.own_attempts}) a ON a.id = d.attempt"
        f" WHERE d.attempts = 1 AND {by.in_window('a.t')}"
    )


def _sent(by: Placeholders) -> str:
    """Sends that Segment took or may have taken, of deliveries that several requests carried."""
    columns = f"d.id AS delivery, a.id AS attempt, {by.time} AS t, a.outcome = 'delivered' AS accepted"
    where = (
        "d.attempts > 1 AND (a.outcome = 'delivered' OR a.outcome = 'retry' AND (a.status = 0 OR a.status >= 500))"
        f" AND {by.own_attempts}"
    )
    return (
        # all but the last attempt of a delivery are in the history; a requeued one has its last there too, and UNION
        # leaves one of the two
        f"sent AS (SELECT {columns} FROM (SELECT DISTINCT delivery FROM history) h"
        f" JOIN deliveries d ON d.id = h.delivery JOIN attempts a ON a.id = d.attempt WHERE {where}"
        f" UNION SELECT {columns} FROM history h JOIN deliveries d ON d.id = h.delivery"
        f" JOIN attempts a ON a.id = h.attempt WHERE {where})"
    )


def _bin_start(time: str, by: Placeholders) -> str:
    """Expression for `bin_start`."""
    return (
        f"CASE WHEN {by.until} - {by.since} <= {MAX_FINE_WINDOW_MS} OR {time} % {_HOUR_MS} < {EDGE_MS}"
        f" OR {time} % {_HOUR_MS} >= {_HOUR_MS - EDGE_MS} THEN {time} - {time} % {FINE_BIN_MS}"
        f" ELSE {time} - {time} % {COARSE_BIN_MS} END"
    )


def bin_start(time: int, since: int, until: int) -> int:
    """Start of the bin of a time, for a window."""
    return time - time % bin_width(time, since, until)


def bin_width(time: int, since: int, until: int) -> int:
    """Width of the bin of a time, for a window."""
    is_fine = until - since <= MAX_FINE_WINDOW_MS or not EDGE_MS <= time % _HOUR_MS < _HOUR_MS - EDGE_MS
    return FINE_BIN_MS if is_fine else COARSE_BIN_MS


def bins_from_rows(
    firsts: Iterable[tuple[int, int, int, int]],
    sends: Iterable[tuple[int, int | None, int, int, int, int]],
    since: int,
    until: int,
) -> tuple[AcceptedBin, ...]:
    """Rows of `firsts_sql` and `sends_sql` as bins, oldest first."""
    first: dict[int, int] = defaultdict(int)
    accepted: dict[int, int] = defaultdict(int)
    repeats: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    unanswered: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    requests: dict[int, set[int]] = defaultdict(set)
    """Attempts by bin, or some of them: more than one if there are more."""
    for start, number, *attempts in firsts:
        first[start] += number
        requests[start].update(attempts)
        accepted[start] += number
    for time, first_time, kind, number, *attempts in sends:
        start = bin_start(time, since, until)
        first_start = 0 if first_time is None else bin_start(first_time, since, until)
        if kind == _UNANSWERED:
            unanswered[start][first_start] += number
            continue
        accepted[start] += number
        if kind == _FIRST:
            first[start] += number
            requests[start].update(attempts)
        else:
            repeats[start][first_start] += number
    return tuple(
        AcceptedBin(
            start,
            first.get(start, 0),
            accepted.get(start, 0),
            tuple(sorted(repeats[start].items())) if start in repeats else (),
            tuple(sorted(unanswered[start].items())) if start in unanswered else (),
            bin_width(start, since, until),
            len(requests[start]) == 1,
        )
        for start in sorted({*accepted, *unanswered})
    )
