"""The comparison: rules by table, and as a property over random histories."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from sprig_tui.journal.accepted import AcceptedBin, bins_from_rows
from sprig_tui.reconcile.compare import compare
from sprig_tui.reconcile.model import Shortfall, Verdict, shortfalls
from sprig_tui.segment.metrics import MetricPoint

MINUTE, HOUR = 60_000, 3_600_000
SKEW = 120_000
HOLD_BACK = 5 * MINUTE
T0 = 1_790_000_000_000 - 1_790_000_000_000 % HOUR
UNANSWERED, REPEAT, FIRST = range(3)


def hours(count: int) -> list[tuple[int, int]]:
    return [(T0 + n * HOUR, T0 + (n + 1) * HOUR) for n in range(count)]


def at(*sends: tuple[float, int]) -> list[AcceptedBin]:
    """First acceptances, by one request each: (hour, how many)."""
    return [AcceptedBin(T0 + int(hour * HOUR), number, number, is_one_request=True) for hour, number in sends]


def run(bins, counts, *, buckets=None, now=None):
    buckets = buckets or hours(len(counts))
    points = [MetricPoint(start, number) for (start, _), number in zip(buckets, counts, strict=True)]
    now = buckets[-1][1] + HOUR if now is None else now
    return compare(bins, points, buckets=buckets, now=now, hold_back_ms=HOLD_BACK)


def said(found):
    """Short spans in hours."""
    return [((one.start - T0) / HOUR, (one.end - T0) / HOUR, one.short) for one in shortfalls(found)]


def counted_by_hour(bins, count: int) -> list[int]:
    return [sum(one.first for one in bins if n <= (one.start - T0) / HOUR < n + 1) for n in range(count)]


AGREES, SHORT, MORE, TOO_YOUNG = Verdict.AGREES, Verdict.SHORT, Verdict.MORE, Verdict.TOO_YOUNG


@pytest.mark.parametrize(
    ("sends", "counts", "verdicts"),
    [
        ([], [0, 0], [AGREES, AGREES]),
        ([(0.5, 10), (1.5, 7)], [10, 7], [AGREES, AGREES]),
        ([(0.5, 10), (1.5, 7)], [9, 7], [SHORT, AGREES]),
        ([(0.5, 10), (1.5, 7)], [10, 0], [AGREES, SHORT]),
        ([(0.5, 10), (1.5, 7)], [10, 9], [AGREES, MORE]),
        ([(0.5, 10), (1.5, 7)], [9, 9], [SHORT, MORE]),
        ([], [3, 0], [MORE, AGREES]),
    ],
)
def test_bucket_is_short_below_its_distinct_ids_only(sends, counts, verdicts):
    assert [one.verdict for one in run(at(*sends), counts)] == verdicts


def test_bucket_says_what_we_sent_and_what_segment_counted():
    bins = [*at((0.5, 10)), AcceptedBin(T0 + HOUR + HOUR // 2, 2, 5, ((T0 + HOUR // 2, 3),))]
    first, second = run(bins, [8, 2])
    assert (first.distinct, first.sends, first.repeats, first.received, first.short) == (10, 10, 0, 8, 2)
    assert (second.distinct, second.sends, second.repeats, second.received) == (2, 5, 3, 2)


@pytest.mark.parametrize("counted", range(10, 14))
def test_repeats_in_a_bucket_may_be_counted_or_not(counted):
    bins = [AcceptedBin(T0 + HOUR // 2, 10, 13, ((T0 + HOUR // 2, 3),))]
    assert [one.verdict for one in run(bins, [counted])] == [AGREES]


@pytest.mark.parametrize(
    ("counts", "spans"),
    [
        ([10, 5], []),
        ([7, 8], []),  # the three were missed at first, and counted when they were sent again
        ([7, 5], [(0, 2, 3)]),  # or the repeats were counted, and three others of the second hour were not
        ([7, 6], [(0, 2, 2)]),
        ([6, 8], [(0, 1, 1)]),  # only three were sent again
        ([10, 8], []),  # repeats that were counted once more
    ],
)
def test_repeat_that_was_counted_repays_the_bucket_of_its_first_acceptance(counts, spans):
    bins = [*at((0.5, 10)), AcceptedBin(T0 + HOUR + HOUR // 2, 5, 8, ((T0 + HOUR // 2, 3),))]
    assert said(run(bins, counts)) == spans


def test_repair_is_seen_in_a_bucket_that_is_still_young():
    bins = [*at((0.5, 10)), AcceptedBin(T0 + HOUR + HOUR // 2, 0, 3, ((T0 + HOUR // 2, 3),))]
    now = T0 + HOUR + HOUR // 2 + MINUTE
    assert [one.verdict for one in run(bins, [7, 0], now=now)] == [SHORT, TOO_YOUNG]
    assert [one.verdict for one in run(bins, [7, 3], now=now)] == [AGREES, TOO_YOUNG]


def test_request_without_an_answer_may_have_been_counted_where_it_was_made():
    bins = [
        AcceptedBin(T0 + HOUR // 2, 4, 4, unanswered=((T0 + HOUR + HOUR // 2, 3), (0, 2))),
        *at((1.5, 10)),
    ]
    assert said(run(bins, [7, 7])) == []
    assert [one.verdict for one in run(bins, [9, 10])] == [AGREES, AGREES], "two were never accepted, but may be there"
    assert said(run(bins, [3, 10])) == [(0, 1, 1)]
    assert said(run(bins, [7, 6])) == [(1, 2, 1)]
    assert said(run(bins, [6, 6])) == [(0, 2, 2)], (
        "which hour lacks the other one depends on those that may have arrived"
    )


def test_buckets_between_which_repeats_leave_it_open_are_one_span():
    repeated = ((T0 + HOUR // 2, 1), (T0 + HOUR + HOUR // 2, 1))
    bins = [*at((0.5, 10), (1.5, 10)), AcceptedBin(T0 + 2 * HOUR + HOUR // 2, 5, 7, repeated)]
    assert said(run(bins, [9, 9, 6])) == [(0, 3, 1)]
    assert said(run(bins, [9, 9, 7])) == []


@pytest.mark.parametrize("seconds_ahead", [-119.7, -60, -3.2, 0, 0.4, 47.3, 120])
def test_constant_skew_of_the_clocks_is_no_loss(seconds_ahead):
    # one a minute, so that every edge has some near it
    sends = [(minute / 60 + 0.004, 1 + minute % 3) for minute in range(-5, 4 * 60 + 5)]
    counts = Counter[int]()
    for hour, number in sends:
        counts[int((hour * HOUR + seconds_ahead * 1000) // HOUR)] += number
    received = [counts[n] for n in range(4)]
    assert {one.verdict for one in run(at(*sends), received)} == {AGREES}
    received[2] -= 3
    assert said(run(at(*sends), received)) == [(2, 3, 3)]


def test_loss_that_skew_may_have_moved_is_said_of_both_buckets():
    # the one at 59:30 may have been counted in either hour, and there is nothing else to tell the offset from
    bins = at((0.2, 5), (1 - 0.5 / 60, 1), (1.5, 5))
    assert said(run(bins, [5, 5])) == [(0, 2, 1)]
    assert {(one.verdict, one.short) for one in run(bins, [5, 5])} == {(SHORT, 1)}


def test_batch_on_the_edge_is_not_short_in_either_hour():
    bins = at((0.2, 5), (1, 100), (1.5, 5))
    for moved in (0, 40, 100):
        assert said(run(bins, [5 + moved, 105 - moved])) == [], "within a second both hours may have counted it"
    assert [one[2] for one in said(run(bins, [40, 67]))] == [3]


@pytest.mark.parametrize("hour", [0, 2])
def test_request_on_the_outer_edge_may_have_been_counted_outside(hour):
    # so many others that no offset but 0 explains the counts
    others = [(0.2, 5), *((1 + second / 3_600, 5) for second in range(-120, 121, 2)), (1.8, 5)]
    bins = at(*others, (hour - 0.2 / 3_600 if hour else 0, 20))
    received = counted_by_hour(bins, 2)
    in_hour = 1 if hour else 0
    received[in_hour] -= 20
    assert said(run(bins, received)) == []
    received[in_hour] += 17
    assert said(run(bins, received)) == [(in_hour, in_hour + 1, 3)], "a request is counted as one"


@pytest.mark.parametrize("lost", [0, 2, 4])
def test_loss_from_a_pull_each_hour_is_said_of_its_hour(lost):
    # a minute after each full hour: at an offset of a minute all of them are on an edge
    sizes = (24, 20, 27, 22, 31, 24, 29)
    bins = at(*((hour + 1 / 60 + 0.004 * (hour % 3) / 60, sizes[hour + 1]) for hour in range(-1, 6)))
    received = counted_by_hour(bins, 5)
    received[lost] -= 3
    assert said(run(bins, received)) == [(lost, lost + 1, 3)]


def test_young_buckets_are_not_judged():
    now = T0 + 2 * HOUR + HOLD_BACK + SKEW
    assert [one.verdict for one in run(at((0.5, 3), (1.5, 3)), [3, 0], now=now)] == [AGREES, SHORT]
    assert [one.verdict for one in run(at((0.5, 3), (1.5, 3)), [3, 0], now=now - 1)] == [AGREES, TOO_YOUNG]


def test_points_of_minutes_are_added_up_in_longer_buckets():
    points = [MetricPoint(T0 + minute * MINUTE, 1) for minute in range(10)]
    found = compare(at((0.1, 10)), points, buckets=[(T0, T0 + 10 * MINUTE)], now=T0 + HOUR, hold_back_ms=HOLD_BACK)
    assert [(one.received, one.verdict) for one in found] == [(10, AGREES)]


def test_nothing_to_compare_gives_nothing():
    assert compare([], [], buckets=[], now=T0, hold_back_ms=HOLD_BACK) == ()


def test_others_hide_no_loss_of_another_hour():
    bins = at((0.5, 10), (1.5, 10), (2.5, 10))
    found = run(bins, [10, 40, 9])
    assert [one.verdict for one in found] == [AGREES, MORE, SHORT]
    assert (found[1].more, found[2].short) == (30, 1)


def test_short_span_counts_once():
    bins = at((0.2, 5), (1 - 0.5 / 60, 1), (1.5, 5))
    assert shortfalls(run(bins, [5, 5])) == (Shortfall(T0, T0 + 2 * HOUR, 1),)


# -- random histories -------------------------------------------------------------------------------------------------


@dataclass
class Send:
    """A request for one id, at our time; whether it arrived at Segment, and whether Segment answered."""

    time: int
    arrived: bool
    answered: bool = True


@dataclass
class History:
    """What we sent, and what Segment did with it."""

    width: int
    count: int
    skew: int
    counts_repeats: bool
    others: list[tuple[int, int]]
    ids: list[list[Send]] = field(default_factory=list)
    jitter: list[int] = field(default_factory=list)
    late: int = 0

    @property
    def buckets(self):
        return [(T0 + n * self.width, T0 + (n + 1) * self.width) for n in range(self.count)]

    @property
    def now(self):
        """The last bucket is too young."""
        return T0 + (self.count - 1) * self.width + HOLD_BACK + SKEW

    def stamp(self, send: Send) -> int:
        """Time of a send by Segment's clock; the answer comes a moment later."""
        return send.time + self.skew - self.jitter[send.time % len(self.jitter)]

    def bins(self):
        rows = Counter()
        for sends in self.ids:
            accepted = [one.time for one in sends if one.answered]
            first = min(accepted, default=None)
            for number, one in enumerate(sends):
                if one.time > self.now:
                    continue
                is_first = one.answered and number == next(n for n, each in enumerate(sends) if each.answered)
                kind = (FIRST if is_first else REPEAT) if one.answered else UNANSWERED
                rows[one.time, first, kind] += 1
        since, until = T0 - HOUR, T0 + HOUR * 4
        return bins_from_rows((), [(*key, number, key[0], key[0]) for key, number in rows.items()], since, until)

    def counted(self):
        """Sends that Segment counted by now: of an id the first that arrived, or all."""
        for sends in self.ids:
            arrived = [one for one in sends if one.arrived and self.stamp(one) <= self.now + self.skew - self.late]
            yield from arrived if self.counts_repeats else arrived[:1]

    def points(self):
        counts = Counter(self.stamp(one) // MINUTE * MINUTE for one in self.counted())
        counts.update(dict(self.others))
        return [MetricPoint(time, number) for time, number in counts.items()]

    def lost(self):
        """Accepted ids that Segment never counted, in buckets that are old enough: stamps of their first acceptance."""
        end = self.buckets[-1][0]
        found = []
        for sends in self.ids:
            first = next((one for one in sends if one.answered), None)
            if first is None or any(one.arrived for one in sends):
                continue
            if T0 <= self.stamp(first) < end:
                found.append(self.stamp(first))
        return found

    def unseen(self):
        """As `lost`, of ids that Segment counted only in time that is not judged."""
        end = self.buckets[-1][0]
        return [
            self.stamp(first)
            for sends in self.ids
            if (first := next((one for one in sends if one.answered), None)) is not None
            and any(one.arrived for one in sends)
            and not any(one.arrived and self.stamp(one) < end for one in sends)
        ]


@st.composite
def histories(draw, *, others=False, losses=True, quiet_ends=False):
    width = draw(st.sampled_from([10 * MINUTE, 60 * MINUTE]))
    count = draw(st.integers(2, 4))
    total = width * (count - 1)
    margin = SKEW + 2_000
    edge = st.builds(lambda n, near: n * width + near, st.integers(0, count), st.integers(-margin, margin))
    times = st.one_of(st.integers(-margin, total + width), edge)
    if quiet_ends:
        times = times.map(lambda t: margin + t % (total - 2 * margin))
    history = History(
        width=width,
        count=count,
        skew=draw(st.one_of(st.just(0), st.integers(-SKEW, SKEW))),
        counts_repeats=draw(st.booleans()),
        others=[],
        jitter=draw(st.lists(st.integers(0, 400), min_size=1, max_size=3)),
        late=draw(st.integers(0, HOLD_BACK)),
    )
    for _ in range(draw(st.integers(0, 8))):
        time = T0 + draw(times)
        shape = draw(st.integers(0, 9))
        arrived = not losses or shape != 1
        sends = [Send(time, arrived)]
        if shape in (2, 3):
            again = T0 + draw(times)
            first_arrived = shape == 3 or not losses or draw(st.booleans())
            sends = [Send(min(time, again), first_arrived), Send(max(time, again), True)]
        elif shape == 4:
            before = T0 + draw(times)
            sends = [Send(min(time, before), draw(st.booleans()), answered=False), Send(max(time, before), True)]
        history.ids += [list(sends) for _ in range(draw(st.integers(1, 5)) if shape > 4 else 1)]
    if others:
        # more than could be ours, shifted
        history.others = [(T0 + draw(st.integers(0, (count - 1) * width // MINUTE - 1)) * MINUTE, 60)]
    return history


def compared(history):
    return compare(history.bins(), history.points(), buckets=history.buckets, now=history.now, hold_back_ms=HOLD_BACK)


def covers(one: Shortfall, stamps) -> bool:
    return any(one.start - 1_000 <= stamp < one.end + 1_000 for stamp in stamps)


@settings(max_examples=150)
@given(histories())
def test_short_is_never_said_of_complete_buckets(history):
    missed = [*history.lost(), *history.unseen()]
    found = compared(history)
    event(f"lost: {bool(history.lost())}, said: {bool(shortfalls(found))}")
    for one in shortfalls(found):
        assert covers(one, missed), one
    assert found[-1].verdict is TOO_YOUNG


@settings(max_examples=100)
@given(histories(quiet_ends=True).filter(lambda history: not history.counts_repeats))
def test_short_is_always_said_of_a_span_that_lost_an_answer(history):
    found = shortfalls(compared(history))
    event(f"lost: {bool(history.lost())}")
    for stamp in history.lost():
        assert any(covers(one, [stamp]) for one in found), (stamp - T0, found)
    if history.lost() and not history.unseen():
        assert 1 <= sum(one.short for one in found) <= len(history.lost())


@settings(max_examples=50)
@given(histories(others=True, losses=False))
def test_others_make_no_bucket_short(history):
    found = compared(history)
    assert shortfalls(found) == () or history.unseen()
