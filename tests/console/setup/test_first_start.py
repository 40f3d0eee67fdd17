"""When the set-up screen comes by itself."""

from __future__ import annotations

import pytest

from sprig_tui.console.setup.first_start import comes_at_start
from sprig_tui.journal.records import State

ONE = {State.DELIVERED: 1}


@pytest.mark.parametrize(
    ("keyed", "counts", "came_before", "comes"),
    [
        ({"production": False}, {}, False, True),
        ({"production": False}, {"production": {State.FAILED: 0}}, False, True),
        ({"production": True}, {}, False, False),
        ({"production": False}, {"production": ONE}, False, False),
        ({"production": True}, {}, True, True),
        ({"production": True, "development": False}, {"development": ONE}, True, True),
        ({"production": True}, {"production": ONE}, True, False),
        ({"production": True}, {"production": {State.WITHHELD: 2}}, True, False),
    ],
)
def test_it_comes_with_nothing_and_then_until_an_environment_has_a_key_and_a_delivery(
    keyed, counts, came_before, comes
):
    assert comes_at_start(keyed, counts, came_before=came_before) is comes
