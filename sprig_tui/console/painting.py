"""Painting: a compositor that renders only the rows that a frame writes, and no widget that others cover.

Textual renders every widget in a rectangle around all that changed, row by row, also the containers behind the panes.
A page of the log changes rows in two panes: that rectangle is most of the screen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region

if TYPE_CHECKING:
    from textual._compositor import CompositorMap, ReflowResult
    from textual.geometry import Size
    from textual.screen import Screen
    from textual.strip import Strip
    from textual.widget import Widget

Span = tuple[int, int, int]
"""Row, first column, and the column after the last."""
Chops = dict[int, "Strip | None"]
"""Strips of a row by their first column."""


def use_sparing_compositor(screen: Screen[Any]) -> None:
    """Give a screen that was not composed yet the compositor of this module."""
    screen._compositor = SparingCompositor()


class SparingCompositor(Compositor):
    """Compositor that renders only what its updates write, and clears each place that a widget leaves.

    Its `reflow` compares with the layout that the widgets and the terminal know. Textual's compares with a map that it
    also makes anew for whoever asks for a place out of sight: what had moved by then stayed painted where it was.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known_map: CompositorMap = {}
        self._scrolled_map: CompositorMap = {}
        """Where things came by scrolling since then."""

    @property
    def full_map(self) -> CompositorMap:
        """The places of all widgets, made anew where they may have changed; Textual kept the cuts of the old places."""
        if self._full_map_invalidated:
            self._cuts = self._layers = self._layers_visible = None
        return super().full_map

    def reflow_visible(self, parent: Widget, size: Size) -> set[Widget]:
        """Lay out what is visible, after a scroll; the widgets that came in sight."""
        exposed = super().reflow_visible(parent, size)
        self._scrolled_map = self._visible_map or {}
        return exposed

    def reflow(self, parent: Widget, size: Size) -> ReflowResult:
        """Lay out; the widgets that were hidden, shown, and resized since the last time."""
        scrolled, self._scrolled_map = self._scrolled_map, {}
        self._full_map = self._known_map
        result = super().reflow(parent, size)
        self._known_map = self._full_map
        if scrolled and size.region not in self._dirty_regions:
            changes = {widget: place for widget, place in scrolled.items() if self._known_map.get(widget) != place}
            for place in (*changes.values(), *filter(None, map(self._known_map.get, changes))):
                if region := place.clip.intersection(place.region):
                    self._dirty_regions.add(region)
        return result

    def render_partial_update(self) -> ChopsUpdate | None:
        """An update of what changed; None where nothing did."""
        regions = self._dirty_regions.copy()
        self._dirty_regions.clear()
        height = self.size.height
        spans = [span for span in self._regions_to_spans(regions) if 0 <= span[0] < height]
        if not spans:
            return None
        chops, ends = self._render_spans(spans)
        return ChopsUpdate(cast("Sequence[Mapping[int, Strip | None]]", chops), spans, ends)

    def _render_chops(self, crop: Region, is_rendered_line: Callable[[int], bool]) -> Sequence[Mapping[int, Strip]]:
        spans = [(y, 0, self.size.width) for y in crop.line_range if y < self.size.height and is_rendered_line(y)]
        return cast("Sequence[Mapping[int, Strip]]", self._render_spans(spans)[0])

    def _render_spans(self, spans: Iterable[Span]) -> tuple[list[Chops], list[list[int]]]:
        """The strips that overlap the spans, for each row of the screen, and the columns where they end."""
        cuts = self.cuts
        chops: list[Chops] = [{} for _ in cuts]
        ends: list[list[int]] = [[] for _ in cuts]
        for y, left, right in spans:
            row = chops[y]
            for start, end in pairwise(cuts[y]):
                if start < right and end > left and start not in row:
                    row[start] = None
                    ends[y].append(end)
        # front to back: what is painted first covers the rest
        missing = {y: len(row) for y, row in enumerate(chops) if row}
        for widget, (region, clip) in self.visible_widgets.items():
            shown = region.intersection(clip)
            rows = [y for y in shown.line_range if y in missing and _has_room(chops[y], shown)]
            if not rows:
                continue
            top = rows[0]
            strips = widget.render_lines(Region(shown.x - region.x, top - region.y, shown.width, rows[-1] + 1 - top))
            for y in rows:
                missing[y] -= _fill(chops[y], cuts[y], strips[y - top], shown)
                if not missing[y]:
                    del missing[y]
            if not missing:
                break
        return chops, ends


def _has_room(row: Chops, shown: Region) -> bool:
    """Whether a row lacks a strip where a widget is shown."""
    left, right = shown.column_span
    return any(strip is None and left <= start < right for start, strip in row.items())


def _fill(row: Chops, cuts: list[int], strip: Strip, shown: Region) -> int:
    """Put the parts of a widget's strip where nothing is in front of it; returns how many it put."""
    left, right = shown.column_span
    inside = [cut for cut in cuts if left <= cut <= right]
    # a list beside its scrollbar paints no column below it
    parts = (strip,) if strip.cell_length == inside[1] - left else strip.divide([cut - left for cut in inside[1:]])
    filled = 0
    for start, part in zip(inside, parts, strict=False):
        if row.get(start, part) is None:
            row[start] = part
            filled += 1
    return filled
