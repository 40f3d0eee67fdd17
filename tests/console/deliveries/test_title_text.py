"""The title of the pane and its hints."""

import pytest

from sprig_tui.console.deliveries.title_text import Standing, hints, title


@pytest.mark.parametrize(
    ("standing", "text"),
    [
        (Standing(), "Deliveries ── 0 ── following"),
        (Standing(shown=12, total=12), "Deliveries ── 12 ── following"),
        (
            Standing(filter="status:failed survey:Checkout", shown=3, total=1_000_412),
            "Deliveries ── /status:failed survey:Checkout ── 3 of 1,000,412 ── following",
        ),
        (
            Standing(filter="slow", shown=200, total=1_000_000, searched=0.406, following=False),
            "Deliveries ── /slow ── 200 so far, 40 % searched",
        ),
        (Standing(shown=9, total=9, following=False, new=123, marked=2), "Deliveries ── 9 ── 2 marked ── +123 new"),
        (Standing(shown=15, total=12), "Deliveries ── 15 ── following"),
        (Standing(filter="[red]\x1b[2J", total=1), "Deliveries ── /[red]␛[2J ── 0 of 1 ── following"),
    ],
)
def test_titles(standing, text):
    assert title(standing) == text


def test_a_long_filter_leaves_room_for_the_rest():
    assert len(title(Standing(filter="x" * 1000))) < 110


@pytest.mark.parametrize(
    ("standing", "opened", "begins"),
    [
        (Standing(), False, "opening the journal"),
        (Standing(), True, "no deliveries yet"),
        (Standing(filter="x"), True, "nothing matches"),
        (Standing(filter="x", total=10, searched=0.5), True, "searching: 50 % of 10"),
    ],
)
def test_hints(standing, opened, begins):
    assert hints(standing, opened=opened)[0].startswith(begins)


def test_a_console_that_sends_nothing_says_so_instead_of_how_to_send():
    said = " ".join(hints(Standing(), opened=True, file="S sends all 4", sends=False))
    assert "sends all" not in said
    assert "read-only" in said
