"""MatchIndex, compared with a sorted list after every change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sprig_tui.console.deliveries.search import MatchIndex


class AgainstAList(RuleBasedStateMachine):
    """Every way to change Matches, beside a list that is sorted."""

    @initialize(newest=st.integers(0, 60), dense=st.booleans())
    def start(self, newest, dense):
        if dense and newest:
            self.matches = MatchIndex.of_everything(1, newest)
            self.expected = list(range(1, newest + 1))
            self.low = 1
        else:
            self.matches = MatchIndex(newest=newest)
            self.expected = []
            self.low = newest + 1
        self.high = newest

    @precondition(lambda self: self.low > 1)
    @rule(data=st.data())
    def search_back(self, data):
        found = sorted(data.draw(st.sets(st.integers(1, self.low - 1))), reverse=True)
        self.matches.add_older(found)
        self.expected = sorted({*self.expected, *found})
        self.low = 1 if not found else found[-1]

    @rule(steps=st.lists(st.integers(1, 5), max_size=8))
    def arrive(self, steps):
        found = []
        for step in steps:
            self.high += step
            found.append(self.high)
        assert self.matches.add_newer(found) == len(found)
        assert self.matches.add_newer(found) == 0
        self.expected += found

    @precondition(lambda self: self.high >= self.low)
    @rule(data=st.data())
    def matches_now(self, data):
        one = data.draw(st.integers(self.low, self.high))
        assert self.matches.insert(one) is (one not in self.expected)
        self.expected = sorted({*self.expected, one})

    @rule(gone=st.sets(st.integers(1, 80), max_size=30))
    def matches_no_longer(self, gone):
        assert self.matches.remove(gone) == len(gone & set(self.expected))
        self.expected = [one for one in self.expected if one not in gone]

    @invariant()
    def same(self):
        if not hasattr(self, "matches"):
            return
        assert len(self.matches) == len(self.expected)
        assert self.matches.slice(0, len(self.expected) + 5) == self.expected
        for first in range(0, len(self.expected), 3):
            assert self.matches.slice(first, first + 4) == self.expected[first : first + 4]
        assert self.matches.newest == (self.expected[-1] if self.expected else 0)
        for one in range(90):
            assert (one in self.matches) is (one in self.expected)
            assert self.matches.position(one) == sum(known < one for known in self.expected)


TestAgainstAList = AgainstAList.TestCase


@pytest.mark.parametrize(("first", "last", "expected"), [(-5, 2, [3, 4]), (1, 3, [4, 5]), (2, 99, [5]), (7, 9, [])])
def test_slice_is_clipped_to_the_index(first, last, expected):
    assert MatchIndex.of_everything(3, 5).slice(first, last) == expected


@given(st.integers(1, 10**12), st.integers(0, 10**6))
def test_dense_index_is_a_range(oldest, more):
    matches = MatchIndex.of_everything(oldest, oldest + more)
    assert len(matches) == more + 1
    assert matches[0] == oldest
    assert matches.position(oldest + more) == more
    assert matches.position(oldest - 1) == matches.position(oldest) == 0
    assert matches.position(oldest + more + 1) == more + 1
