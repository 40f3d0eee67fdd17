"""Block counts: what the statistics keep of each stretch of BLOCK_IDS ids, and the sums over blocks.

A block is counted once its deliveries have changed no more for a while. Each transaction that changes deliveries marks
their blocks as stale, and a stale block is counted from its rows, so that all numbers are those of the rows: keeping
counts costs one small row in a transaction, and what is lost or damaged is counted again. A mark is random, so that
counts made before a change are not taken for those after it.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import Struct

from sprig_tui.journal.records import State
from sprig_tui.journal.rows import STATE_CODES, STATES_BY_CODE
from sprig_tui.journal.statistics import (
    NO_STATUS,
    OTHER,
    Bucket,
    StateCounts,
    Statistics,
    StatisticsRequest,
    SurveyCounts,
    bucket_edges,
)

BLOCK_IDS = 4096
"""Consecutive ids of a block."""
MAX_STALE_BLOCKS = 6
"""Stale blocks that may be left: each is counted again at each look, in some 10 ms."""
SLOT_MS = 900_000
"""Arrivals and answers are kept by quarters of an hour, of which the hours and days of every time zone consist."""
MAX_SURVEYS = 1_000
"""Surveys that are counted one by one, the first ones of a journal; all others together are OTHER."""
MAX_SURVEY_ID_CHARS = 200
"""Surveys with a longer id belong to OTHER."""
_OTHER_SURVEY = -1
_MAX_NAME_CHARS = 200
_FAILED, _WITHHELD = STATE_CODES[State.FAILED], STATE_CODES[State.WITHHELD]


class BlockCounts(Struct, array_like=True, gc=False):
    """The counts of a block, as rows whose last column is the number of deliveries."""

    first_at: int
    """The earliest arrival."""
    last_at: int
    arrivals: list[tuple[int, int, int, int]]
    """Number of the environment, state code, slot of arrival, deliveries."""
    surveys: list[tuple[int, int, int, int, int]]
    """Number of the environment, state code, number of the survey, whether anonymous, deliveries."""
    ends: list[tuple[int, int, str, int, str, int]]
    """Number of the environment, state code, reason (of withheld), HTTP status (of failed), endpoint of the last
    request, deliveries."""
    answers: list[tuple[int, int, int, int]]
    """Number of the environment, slot of the answer, latency in ms, deliveries."""


class RawCounts(Struct):
    """The counts of some rows with the ids and names of their surveys, as they come from a database."""

    first_at: int
    last_at: int
    arrivals: list[tuple[int, int, int, int]]
    surveys: list[tuple[int, int, str, str, int, int]]
    """Number of the environment, state code, id, one of the names, whether anonymous, deliveries."""
    ends: list[tuple[int, int, str, int, str, int]]
    answers: list[tuple[int, int, int, int]]

    @property
    def rows(self) -> int:
        """Deliveries in them."""
        return sum(row[-1] for row in self.arrivals)

    def survey_names(self) -> dict[str, str]:
        """A name by the id of each survey, most frequent ones first."""
        numbers: Counter[str] = Counter()
        names: dict[str, str] = {}
        for _, _, survey, name, _, number in self.surveys:
            if len(survey) > MAX_SURVEY_ID_CHARS:
                continue
            numbers[survey] += number
            names[survey] = max(names.get(survey, ""), name[:_MAX_NAME_CHARS])
        return {survey: names[survey] for survey, _ in numbers.most_common()}

    def numbered(self, known: Mapping[str, int]) -> BlockCounts:
        """The same with the numbers of surveys in place of their ids."""
        surveys: Counter[tuple[int, int, int, int]] = Counter()
        for environment, state, survey, _, anonymous, number in self.surveys:
            surveys[environment, state, known.get(survey, _OTHER_SURVEY), anonymous] += number
        return BlockCounts(
            self.first_at,
            self.last_at,
            self.arrivals,
            [(*key, number) for key, number in surveys.items()],
            self.ends,
            self.answers,
        )


encode_block = msgspec.msgpack.Encoder().encode
decode_block = msgspec.msgpack.Decoder(BlockCounts).decode


def same_counts(content: bytes, counts: BlockCounts) -> bool:
    """Whether what is kept of a block is what was counted of its rows."""
    try:
        kept = decode_block(content)
    except msgspec.DecodeError:
        return False
    for one in (kept, counts):
        for rows in (one.arrivals, one.surveys, one.ends, one.answers):
            rows.sort()
    return kept == counts


def blocks_of(ids: Iterable[int]) -> list[int]:
    """The blocks of these deliveries, ascending."""
    if isinstance(ids, range):
        return list(range(ids.start // BLOCK_IDS, (ids.stop - 1) // BLOCK_IDS + 1)) if ids else []
    return sorted({delivery_id // BLOCK_IDS for delivery_id in ids})


def new_mark() -> int:
    """A mark that no block has had."""
    return secrets.randbits(62)


def count_statements(block: str, period: str, integer: str) -> tuple[str, str, str, str, str]:
    """The statements that count deliveries `d` of a block, answers of all of them, the rest of those in a period.

    `block` and `period` are conditions, and `integer` makes an integer of its `{}`. Their rows are those of RawCounts:
    times, arrivals, surveys, ends, answers.
    """
    rows = f"FROM deliveries d WHERE {block} AND {period}"
    sent_rows = f"FROM deliveries d LEFT JOIN attempts a ON a.id = d.attempt WHERE {block} AND {period}"
    answered_rows = f"FROM deliveries d JOIN attempts a ON a.id = d.attempt WHERE {block} AND a.status > 0"
    sent_at, latency = integer.format("a.started_at + a.latency_ms"), integer.format("a.latency_ms")
    anonymous = "CASE WHEN d.user_id = '' AND d.reason <> 'forgotten' THEN 1 ELSE 0 END"
    reason = f"CASE d.state WHEN {_WITHHELD} THEN d.reason ELSE '' END"
    status = f"CASE WHEN d.state = {_FAILED} AND a.status BETWEEN 100 AND 599 THEN a.status ELSE 0 END"
    place = "SELECT d.environment"
    return (
        f"SELECT min(d.added_at), max(d.added_at) {rows}",
        f"{place}, d.state, d.added_at / {SLOT_MS}, count(*) {rows} GROUP BY 1, 2, 3",
        f"{place}, d.state, d.survey_id, max(d.survey_name), {anonymous}, count(*) {rows} GROUP BY 1, 2, 3, 5",
        f"{place}, d.state, {reason}, {status}, coalesce(a.endpoint, ''), count(*) {sent_rows} GROUP BY 1, 2, 3, 4, 5",
        f"{place}, {sent_at} / {SLOT_MS}, {_rounded(latency)}, count(*) {answered_rows} GROUP BY 1, 2, 3",
    )


def _rounded(latency: str) -> str:
    """A latency rounded down to one of few, by at most 7 %."""
    steps = ((128, 1), (1_024, 8), (8_192, 64), (65_536, 512))
    cases = "".join(f" WHEN {latency} < {limit} THEN {latency} - {latency} % {step}" for limit, step in steps)
    return f"CASE{cases} ELSE 65536 END"


def raw_counts(results: Sequence[Sequence[Sequence[Any]]]) -> RawCounts:
    """The rows of `count_statements`."""
    (times,), arrivals, surveys, ends, answers = results
    return RawCounts(
        times[0] or 0,
        times[1] or 0,
        [tuple(row) for row in arrivals],
        [tuple(row) for row in surveys],
        [tuple(row) for row in ends],
        [tuple(row) for row in answers],
    )


class Summary:
    """Sums over blocks for one request."""

    def __init__(
        self,
        request: StatisticsRequest,
        now: int,
        places: Mapping[int, tuple[str, str]],
        surveys: Mapping[int, tuple[str, str]],
    ) -> None:
        """`places` are name and endpoint of the environments by their numbers, `surveys` ids and names likewise."""
        self._request = request
        self._edges = bucket_edges(request.unit, request.buckets, request.until or now)
        self._places = places
        self._wanted = {
            number for number, (name, _) in places.items() if not request.environments or name in request.environments
        }
        self._names = dict(surveys.values())
        self._surveys_by_number = {number: survey for number, (survey, _) in surveys.items()}
        self._is_full = len(surveys) >= MAX_SURVEYS
        self._arrivals: Counter[tuple[int, int]] = Counter()
        self._surveys: Counter[tuple[str | None, int, int]] = Counter()
        self._ends: Counter[tuple[int, int, str, int, str]] = Counter()
        self._answers: Counter[tuple[int, int]] = Counter()
        self._slots = _slot_buckets(self._edges)
        self._recounted = 0

    @property
    def since(self) -> int:
        """Begin of the period, ms."""
        return self._edges[0]

    @property
    def until(self) -> int:
        """End of the period, ms."""
        return self._edges[-1]

    def holds(self, block: BlockCounts) -> bool | None:
        """Whether everything of a block arrived in the period; None for some of it."""
        if self.since <= block.first_at and block.last_at < self.until:
            return True
        return False if block.last_at < self.since or block.first_at >= self.until else None

    def add_kept(self, block: BlockCounts) -> bool:
        """Add a block; False if what arrived in the period has to be counted: then only its answers are added."""
        self._add_answers(block.answers)
        held = self.holds(block)
        if held:
            self._add_arrivals(block.arrivals)
            self._add_ends(block.ends)
            known = self._surveys_by_number
            for environment, state, survey, anonymous, number in block.surveys:
                if environment in self._wanted:
                    self._surveys[known.get(survey), state, anonymous] += number
        return held is not None

    def add_counted(self, counts: RawCounts, *, answers: bool) -> None:
        """Add what was counted of rows that arrived in the period; `answers` too where they were not added before."""
        self._recounted += counts.rows
        self._add_arrivals(counts.arrivals)
        self._add_ends(counts.ends)
        if answers:
            self._add_answers(counts.answers)
        kept = {*self._surveys_by_number.values()}
        for environment, state, survey, name, anonymous, number in counts.surveys:
            if environment in self._wanted:
                is_other = len(survey) > MAX_SURVEY_ID_CHARS or (self._is_full and survey not in kept)
                self._surveys[None if is_other else survey, state, anonymous] += number
                self._names.setdefault(survey, name)

    def _add_arrivals(self, rows: Iterable[tuple[int, int, int, int]]) -> None:
        slots = self._slots
        for environment, state, slot, number in rows:
            if environment in self._wanted and (at := slots.get(slot)) is not None:
                self._arrivals[at, state] += number

    def _add_ends(self, rows: Iterable[tuple[int, int, str, int, str, int]]) -> None:
        for *key, number in rows:
            if key[0] in self._wanted:
                self._ends[tuple(key)] += number  # type: ignore[index] # the columns of a row but the last

    def _add_answers(self, rows: Iterable[tuple[int, int, int, int]]) -> None:
        slots = self._slots
        for environment, slot, latency, number in rows:
            if environment in self._wanted and (at := slots.get(slot)) is not None:
                self._answers[at, latency] += number

    def result(self) -> Statistics:
        """The sums as records."""
        reasons: Counter[str] = Counter()
        failures: Counter[int] = Counter()
        environments: Counter[tuple[str, int]] = Counter()
        urls: Counter[tuple[str, str, int]] = Counter()
        for (place, state, reason, status, url), number in self._ends.items():
            name, bound_for = self._places[place]
            environments[name, state] += number
            urls[url, bound_for, state] += number
            if state == _WITHHELD:
                reasons[reason] += number
            elif state == _FAILED:
                failures[status or NO_STATUS] += number
        return Statistics(
            request=self._request,
            buckets=self._buckets(),
            surveys=self._survey_counts(),
            environments=_by_name(environments),
            reasons=dict(reasons.most_common()),
            failures=dict(failures.most_common()),
            endpoints=_by_url(urls),
            recounted=self._recounted,
        )

    def _buckets(self) -> tuple[Bucket, ...]:
        latencies: dict[int, dict[int, int]] = {}
        for (at, latency), number in sorted(self._answers.items()):
            latencies.setdefault(at, {})[latency] = number
        found = []
        for at, (since, until) in enumerate(pairwise(self._edges)):
            answers = latencies.get(at, {})
            found.append(
                Bucket(
                    since=since,
                    until=until,
                    arrived={
                        state: number
                        for code, state in enumerate(STATES_BY_CODE)
                        if (number := self._arrivals[at, code])
                    },
                    answered=sum(answers.values()),
                    median_ms=_quantile(answers, 0.5),
                    p95_ms=_quantile(answers, 0.95),
                )
            )
        return tuple(found)

    def _survey_counts(self) -> tuple[SurveyCounts, ...]:
        states: dict[str | None, Counter[int]] = {}
        anonymous: Counter[str | None] = Counter()
        for (survey, state, is_anonymous), number in self._surveys.items():
            states.setdefault(survey, Counter())[state] += number
            anonymous[survey] += number * is_anonymous
        found = [
            SurveyCounts(
                id=OTHER if survey is None else survey,
                name="" if survey is None else self._names.get(survey, ""),
                states=_by_state(numbers),
                anonymous=anonymous[survey],
                is_other=survey is None,
            )
            for survey, numbers in states.items()
        ]
        return tuple(sorted(found, key=lambda one: (one.is_other, -one.total, one.id)))


def _by_state(numbers: Mapping[int, int]) -> StateCounts:
    return {STATES_BY_CODE[code]: number for code, number in sorted(numbers.items()) if number}


def _slot_buckets(edges: Sequence[int]) -> dict[int, int]:
    """The bucket of each slot."""
    return {
        slot: at
        for at, (since, until) in enumerate(pairwise(edges))
        for slot in range(since // SLOT_MS, -(-until // SLOT_MS))
    }


def _by_name(counts: Counter[tuple[str, int]]) -> dict[str, StateCounts]:
    names: dict[str, StateCounts] = {}
    for (name, code), number in sorted(counts.items()):
        names.setdefault(name, {})[STATES_BY_CODE[code]] = number
    return names


def _by_url(counts: Counter[tuple[str, str, int]]) -> dict[str, StateCounts]:
    """What the filter `endpoint:` finds for each URL: a part, in any case, of one of both."""
    urls = {url for sent, bound, _ in counts for url in (sent, bound) if url}
    found: dict[str, StateCounts] = {}
    for url in sorted(urls):
        states: StateCounts = {}
        for (sent, bound, code), number in counts.items():
            if url.lower() in sent.lower() or url.lower() in bound.lower():
                states[STATES_BY_CODE[code]] = states.get(STATES_BY_CODE[code], 0) + number
        found[url] = states
    return dict(sorted(found.items(), key=lambda item: -sum(item[1].values())))


def _quantile(numbers: Mapping[int, int], share: float) -> int:
    """The value below which this share of the values is; `numbers` are how often each is there, ascending."""
    left = sum(numbers.values()) * share
    for value, number in numbers.items():
        left -= number
        if left <= 0:
            return value
    return 0
