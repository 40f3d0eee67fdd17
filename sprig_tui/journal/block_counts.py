"""Block counts: what the statistics keep of each stretch of BLOCK_IDS ids, and the sums over blocks.

A block is counted once its deliveries have changed no more for a while. Each transaction that changes deliveries marks
their blocks as stale, and a stale block is counted from its rows, so that all numbers are those of the rows: keeping
counts costs one small row in a transaction, and what is lost or damaged is counted again. A mark is random, so that
counts made before a change are not taken for those after it.
"""

from __future__ import annotations

import secrets
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

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
MAX_STALE_BLOCKS = 3
"""Stale blocks that may be left: each is counted again at each look, in some 5 ms."""
SLOT_MS = 900_000
"""Arrivals and answers are kept by quarters of an hour, of which the hours and days of every time zone consist."""
MAX_SURVEYS = 1_000
"""Surveys that are counted one by one, the first ones of a journal; all others together are OTHER."""
MAX_SURVEY_ID_CHARS = 200
"""Surveys with a longer id belong to OTHER."""
_OTHER_SURVEY = -1
_MAX_NAME_CHARS = 200
_FAILED, _WITHHELD = STATE_CODES[State.FAILED], STATE_CODES[State.WITHHELD]


class BlockTraits(Struct, array_like=True, gc=False):
    """What a search finds out about the deliveries of a block without reading them; see `block_filter`."""

    attempts: int
    """The most requests of one."""
    size: int
    """The largest call, bytes."""
    latency_ms: float
    """The longest last request."""
    statuses: list[int]
    """Of the last requests."""
    reasons: list[str]
    users: bytes
    """The `user_mark` of each user id, ascending."""


def user_mark(user_id: str) -> bytes:
    """Four bytes for a user id, so that it can be looked for in a block without being kept."""
    return zlib.crc32(user_id.encode("utf-8", "replace")).to_bytes(4, "little")


def user_marks(user_ids: Iterable[str]) -> bytes:
    """The marks of these users."""
    return b"".join(sorted({user_mark(user_id) for user_id in user_ids}))


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
    traits: BlockTraits | None = None


class RowCounts(Struct):
    """The counts of a block as they come from a database."""

    first_at: int
    last_at: int
    cells: Mapping[tuple[int, int | None, str, str], int]
    """Deliveries by packed place (see `PLACE`), number of the last request, reason, and survey."""
    attempts: Mapping[int, tuple[int, str, int, int]]
    """Status, endpoint, time of the answer and latency of these requests, in ms."""
    names: Mapping[str, str]
    """One of the names of surveys that have no number yet."""
    traits: BlockTraits | None = None
    """Where the store has them."""

    @property
    def rows(self) -> int:
        """Deliveries in the block."""
        return sum(self.cells.values())

    def within(self, first: int, end: int) -> RowCounts:
        """The counts of what arrived from one slot to before another."""
        cells = {key: number for key, number in self.cells.items() if first <= key[0] % _SLOTS < end}
        return RowCounts(self.first_at, self.last_at, cells, self.attempts, self.names)

    def new_surveys(self, known: Mapping[str, int]) -> dict[str, str]:
        """Ids and names of surveys that have no number yet, those with most deliveries first."""
        numbers: Counter[str] = Counter()
        for (_, _, _, survey), number in self.cells.items():
            if survey not in known and len(survey) <= MAX_SURVEY_ID_CHARS:
                numbers[survey] += number
        return {survey: self.names.get(survey, "")[:_MAX_NAME_CHARS] for survey, _ in numbers.most_common()}

    def summed(self, known: Mapping[str, int]) -> BlockCounts:
        """The sums, with the numbers of surveys in place of their ids."""
        arrivals: Counter[int] = Counter()
        surveys: Counter[tuple[int, str]] = Counter()
        requests: Counter[tuple[int, int | None, str]] = Counter()
        for (packed, attempt, reason, survey), number in self.cells.items():
            place = packed // _SLOTS
            arrivals[packed] += number
            surveys[place, survey] += number
            requests[place >> 1, attempt, reason] += number
        ends: Counter[tuple[int, int, str, int, str]] = Counter()
        answers: Counter[tuple[int, int, int]] = Counter()
        for (place, attempt, reason), number in requests.items():
            environment, state = place >> 2, place & 3
            status, endpoint, answered_at, latency = self.attempts.get(attempt or 0, _NO_ATTEMPT)
            why = reason if state == _WITHHELD else ""
            failure = status if state == _FAILED and 100 <= status <= 599 else NO_STATUS
            ends[environment, state, why, failure, endpoint] += number
            if status > 0:
                answers[environment, answered_at // SLOT_MS, rounded_latency(latency)] += number
        numbered: Counter[tuple[int, int, int, int]] = Counter()
        for (place, survey), number in surveys.items():
            numbered[place >> 3, place >> 1 & 3, known.get(survey, _OTHER_SURVEY), place & 1] += number
        merged: Counter[tuple[int, int, int]] = Counter()
        for packed, number in arrivals.items():
            place, slot = divmod(packed, _SLOTS)
            merged[place >> 3, place >> 1 & 3, slot] += number
        return BlockCounts(
            self.first_at,
            self.last_at,
            [(*key, number) for key, number in merged.items()],
            [(*key, number) for key, number in numbered.items()],
            [(*key, number) for key, number in ends.items()],
            [(*key, number) for key, number in answers.items()],
            self.traits,
        )


_NO_ATTEMPT = (0, "", 0, 0)
_SLOTS = 1 << 28
"""More than there are in the years of four digits."""
PLACE = (
    "((d.environment::bigint * 4 + d.state) * 2"
    " + CASE WHEN d.user_id = '' AND d.reason <> 'forgotten' THEN 1 ELSE 0 END)"
    f" * {_SLOTS} + d.added_at / {SLOT_MS}"
)
"""Environment, state, whether anonymous and slot of arrival of a delivery `d` as one number; in PostgreSQL's SQL."""
SURVEY = f"substr(d.survey_id, 1, {MAX_SURVEY_ID_CHARS + 1})"


def rounded_latency(latency: int) -> int:
    """A latency rounded down to one of few, by at most 7 %."""
    for limit, step in _LATENCY_STEPS:
        if latency < limit:
            return latency - latency % step
    return _LATENCY_STEPS[-1][0]


_LATENCY_STEPS = ((128, 1), (1_024, 8), (8_192, 64), (65_536, 512))


encode_block = msgspec.msgpack.Encoder().encode
decode_block = msgspec.msgpack.Decoder(BlockCounts).decode


def same_counts(content: bytes, counts: BlockCounts) -> bool:
    """Whether what is kept of a block is what was counted of its rows."""
    try:
        kept = decode_block(content)
    except msgspec.DecodeError:
        return False
    if kept.traits is None:
        counts.traits = None
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
        self._surveys_by_number: dict[int, str] = {number: survey for number, (survey, _) in surveys.items()}
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

    def recounted_blocks(self, kept: Iterable[tuple[int, bytes]], stale: Iterable[int]) -> list[tuple[int, bool]]:
        """Add what is kept of all blocks but the stale ones; returns those that have to be counted from their rows.

        With each, whether its answers have to be counted too: not of blocks that are only partly in the period.
        """
        changed = {*stale}
        divided = []
        for block, content in kept:
            if block in changed:
                continue
            try:
                counts = decode_block(content)
            except msgspec.DecodeError:
                changed.add(block)
                continue
            self._add_answers(counts.answers)
            held = self.holds(counts)
            if held:
                self._add_rows(counts)
            elif held is None:
                divided.append((block, False))
        return [*((block, True) for block in sorted(changed)), *divided]

    def add_counted(self, counts: RowCounts, *, answers: bool) -> None:
        """Add a block that was counted now; `answers` too where they were not added before."""
        self._recounted += counts.rows
        # numbers for this result alone, below those that are kept
        numbers = {survey: number for number, survey in self._surveys_by_number.items()}
        if not self._is_full:
            for survey, name in counts.new_surveys(numbers).items():
                number = min((_OTHER_SURVEY, *self._surveys_by_number)) - 1
                self._surveys_by_number[number] = survey
                self._names[survey] = name
                numbers[survey] = number
        block = counts.summed(numbers)
        if answers:
            self._add_answers(block.answers)
        if self.holds(block) is not True:
            block = counts.within(self.since // SLOT_MS, -(-self.until // SLOT_MS)).summed(numbers)
        self._add_rows(block)

    def _add_rows(self, block: BlockCounts) -> None:
        self._add_arrivals(block.arrivals)
        self._add_ends(block.ends)
        known, wanted = self._surveys_by_number, self._wanted
        for environment, state, survey, anonymous, number in block.surveys:
            if environment in wanted:
                self._surveys[known.get(survey), state, anonymous] += number

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
    """By the URL of the last request and the one that a delivery is bound for; once where they are the same."""
    found: dict[str, StateCounts] = {}
    for (sent, bound, code), number in sorted(counts.items()):
        for url in {sent, bound} - {""}:
            states = found.setdefault(url, {})
            states[STATES_BY_CODE[code]] = states.get(STATES_BY_CODE[code], 0) + number
    return dict(sorted(found.items(), key=lambda item: (-sum(item[1].values()), item[0])))


def _quantile(numbers: Mapping[int, int], share: float) -> int:
    """The value below which this share of the values is; `numbers` are how often each is there, ascending."""
    left = sum(numbers.values()) * share
    for value, number in numbers.items():
        left -= number
        if left <= 0:
            return value
    return 0
