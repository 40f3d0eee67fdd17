"""The title of the pane and its hints."""

import pytest

from sprig_tui.console.deliveries.row_format import TitleState, empty_log_hints, log_title


@pytest.mark.parametrize(
    ("standing", "text"),
    [
        (TitleState(), "Deliveries ── 0 ── following"),
        (TitleState(shown=12, total=12), "Deliveries ── 12 ── following"),
        (
            TitleState(filter="status:failed survey:Checkout", shown=3, total=1_000_412),
            "Deliveries ── /status:failed survey:Checkout ── 3 of 1,000,412 ── following",
        ),
        (
            TitleState(filter="slow", shown=200, total=1_000_000, searched=0.406, following=False),
            "Deliveries ── /slow ── 200 so far, 40 % searched",
        ),
        (TitleState(shown=9, total=9, following=False, new=123, marked=2), "Deliveries ── 9 ── 2 marked ── +123 new"),
        (TitleState(shown=15, total=12), "Deliveries ── 15 ── following"),
        (TitleState(filter="[red]\x1b[2J", total=1), "Deliveries ── /[red]␛[2J ── 0 of 1 ── following"),
    ],
)
def test_titles(standing, text):
    assert log_title(standing) == text


def test_a_long_filter_leaves_room_for_the_rest():
    assert len(log_title(TitleState(filter="x" * 1000))) < 110


@pytest.mark.parametrize(
    ("standing", "opened", "begins"),
    [
        (TitleState(), False, "opening the journal"),
        (TitleState(), True, "no deliveries yet"),
        (TitleState(filter="x"), True, "nothing matches"),
        (TitleState(filter="x", total=10, searched=0.5), True, "searching: 50 % of 10"),
    ],
)
def test_hints(standing, opened, begins):
    assert empty_log_hints(standing, opened=opened)[0].startswith(begins)


def test_a_console_that_sends_nothing_says_so_instead_of_how_to_send():
    said = " ".join(empty_log_hints(TitleState(), opened=True, file="S sends all 4", sends=False))
    assert "sends all" not in said
    assert "read-only" in said
