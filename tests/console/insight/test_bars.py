"""Bars: what fits the width, which glyphs are shown, and that no part is lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from sprig_tui.console.insight.bars import SHADES, Bar, Part, bar_layout, bar_line, bar_spans, parts_text, split_cells
from sprig_tui.console.widgets.line import visible_text

COUNTS = st.lists(st.integers(0, 10**9), min_size=4, max_size=4)
HOSTILE = "[/red]日本語\x1b[2J\u202e\x9b31m"


def parts(numbers):
    return tuple(Part(shade, number) for shade, number in zip(SHADES.values(), numbers, strict=True))


def drawn(line):
    return "".join(visible_text(span.text, span.width) for span in line)


@settings(max_examples=40)
@given(COUNTS, st.integers(0, 200))
def test_cells_are_all_given_and_each_part_has_one_where_there_are_enough(counts, cells):
    given_cells = split_cells(counts, cells)
    assert sum(given_cells) == (cells if sum(counts) else 0)
    assert all(not given for given, count in zip(given_cells, counts, strict=True) if not count)
    if cells >= sum(bool(count) for count in counts):
        assert all(given for given, count in zip(given_cells, counts, strict=True) if count)


@settings(max_examples=40)
@given(COUNTS, st.integers(0, 120), st.integers(0, 4 * 10**9))
def test_bar_is_as_wide_as_its_room_and_never_longer_than_the_peak(counts, cells, more):
    spans = bar_spans(parts(counts), cells, sum(counts) + more)
    text = "".join(span.text for span in spans)
    assert len(text) == cells
    assert bool(text.strip()) == bool(cells and sum(counts))


@settings(max_examples=40)
@given(st.lists(st.tuples(st.text(max_size=80), COUNTS), max_size=5), st.integers(24, 200))
def test_every_line_has_the_width_of_the_list(groups, width):
    bars = [Bar(str(at), label, parts(numbers), str, "12 %") for at, (label, numbers) in enumerate(groups)]
    layout = bar_layout(bars, width)
    peak = max((bar.total for bar in bars), default=0)
    for bar in bars:
        if layout.bar:  # else the numbers alone are wider
            assert cell_len(drawn(bar_line(bar, layout, peak))) == width


def test_line_shows_label_parts_number_and_share():
    bars = [
        Bar("a", "Checkout", parts((70, 20, 9, 1)), str, "50 %"),
        Bar("b", HOSTILE, parts((0, 0, 0, 50)), str, "25 %"),
    ]
    layout = bar_layout(bars, 60)
    assert drawn(bar_line(bars[0], layout, 100)) == "Checkout                  ████████████████○○○○▒▒✗  100  50 %"
    assert drawn(bar_line(bars[1], layout, 100)) == "[/red]日本語␛[2J⟨U+202E…  ✗✗✗✗✗✗✗✗✗✗✗✗              50  25 %"


def test_parts_in_words():
    assert parts_text(parts((1204, 0, 0, 3))) == "1,204 delivered, 3 failed"
    assert parts_text(parts((0, 0, 0, 0))) == "nothing"
