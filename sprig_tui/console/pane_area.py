"""Pane area: room of the three panes, whose borders the mouse drags; sizes are shares, so that they fit any screen."""

from __future__ import annotations

from typing import Literal, NamedTuple

from textual import events
from textual.containers import Container
from textual.geometry import Region
from textual.widget import Widget

MIN_ROWS = 5
"""Rows of the upper panes and of the Deliveries pane, frames included; narrow screens have two panes above."""
MIN_NARROW_UPPER_ROWS = 7
MIN_ENVIRONMENTS_CELLS = 22
MIN_PAYLOAD_CELLS = 40
MIN_RECORDS_CELLS = 30
STEP_ROWS, STEP_CELLS = 1, 3
"""By which a key moves a border."""

Divider = Literal["upper", "environments", "records"]


class PaneSizes(NamedTuple):
    """Shares of the room, 0 to 1; 0 for the usual size."""

    upper: float = 0.0
    """Of the rows, for Environments and Payload beside each other."""
    focused: float = 0.0
    """Of the rows of a narrow screen, for the half that has the focus."""
    environments: float = 0.0
    """Of the columns, for Environments beside Payload."""
    records: float = 0.0
    """Of the columns of Payload, for the list beside the record."""


USUAL_SIZES = PaneSizes()


def clamped(cells: int, total: int, least: int, least_rest: int) -> int:
    """Cells for one of two neighbours, so that both keep their least; the middle where there is no room for both."""
    if total < least + least_rest:
        return total // 2
    return max(least, min(cells, total - least_rest))


class PaneArea(Container):
    """Holds `#upper` (Environments, Payload) above the Deliveries pane. Call `fit` after each change of the screen."""

    def __init__(self) -> None:
        super().__init__(id="panes")
        self.sizes = USUAL_SIZES
        self._dragged: Divider | None = None
        """The border under the pressed button."""
        self._grip = 0
        """Where the border was taken hold of, in cells from its first one."""

    # -- sizes ---------------------------------------------------------------------------------------------------------

    @property
    def _is_narrow(self) -> bool:
        return self.screen.has_class("-narrow")

    @property
    def _is_divided(self) -> bool:
        """Whether all panes are shown."""
        return not any(name == "-short" or name.startswith("-zoom-") for name in self.screen.classes)

    @property
    def _lower_has_focus(self) -> bool:
        return self.screen.has_class("-at-deliveries")

    def fit(self) -> None:
        """Lay the panes out by the sizes."""
        sizes, divided = self.sizes, self._is_divided
        share = sizes.upper
        if self._is_narrow:
            share = 1 - sizes.focused if sizes.focused and self._lower_has_focus else sizes.focused
        rows = self._fitting("upper", share) if divided else 0
        for child in self.children:
            own = rows if child.id == "upper" else self.size.height - rows
            _set_size(child, "height", f"{own}fr" if rows else None)
        cells = self._fitting("environments", sizes.environments) if divided and not self._is_narrow else 0
        for pane in self.query("#environments"):
            _set_size(pane, "width", cells or None)
        for records in self.query("#records"):
            own_cells = self._fitting("records", sizes.records) if records.has_class("-beside") else 0
            _set_size(records, "width", own_cells or None)

    def _fitting(self, divider: Divider, share: float) -> int:
        """Rows or columns of what is before the border; 0 for the usual size."""
        total = self._total(divider)
        if not share or not total:
            return 0
        least, rest = self._least(divider)
        return clamped(round(share * total), total, least, rest)

    def _total(self, divider: Divider) -> int:
        if divider == "records":
            return next((pane.size.width for pane in self.query("#payload")), 0)
        return self.size.height if divider == "upper" else self.size.width

    def _least(self, divider: Divider) -> tuple[int, int]:
        if divider == "upper":
            return (MIN_NARROW_UPPER_ROWS if self._is_narrow else MIN_ROWS), MIN_ROWS
        if divider == "environments":
            return MIN_ENVIRONMENTS_CELLS, MIN_PAYLOAD_CELLS
        return MIN_RECORDS_CELLS, MIN_PAYLOAD_CELLS

    def _move(self, divider: Divider, cells: int) -> None:
        """Give what is before the border so many rows or columns."""
        total = self._total(divider)
        if not total:
            return
        least, rest = self._least(divider)
        share = round(clamped(cells, total, least, rest) / total, 4)
        if divider == "upper" and self._is_narrow:
            self.sizes = self.sizes._replace(focused=1 - share if self._lower_has_focus else share)
        else:
            self.sizes = self.sizes._replace(**{divider: share})
        self.fit()

    def reset(self, divider: Divider | None = None) -> None:
        """Give the panes at a border, or all, their usual sizes again."""
        if divider is None:
            self.sizes = USUAL_SIZES
        elif divider == "upper":
            self.sizes = self.sizes._replace(upper=0.0, focused=0.0)
        else:
            self.sizes = self.sizes._replace(**{divider: 0.0})
        self.fit()

    def resize(self, pane: Widget, *, larger: bool) -> None:
        """Make a pane larger or smaller by a step."""
        if not self._is_divided:
            return
        step = 1 if larger else -1
        if pane.id == "environments" and not self._is_narrow:
            self._move("environments", pane.outer_size.width + step * STEP_CELLS)
        elif pane.id == "records" and pane.has_class("-beside"):
            self._move("records", pane.outer_size.width + step * STEP_CELLS)
        else:
            rows = self.query_one("#upper").outer_size.height
            self._move("upper", rows + (-step if pane.id == "deliveries" else step) * STEP_ROWS)

    # -- mouse ---------------------------------------------------------------------------------------------------------

    def divider_at(self, column: int, row: int) -> Divider | None:
        """The border at a place of the screen that can be dragged."""
        if not self._is_divided:
            return None
        upper = self.query_one("#upper").region
        if row in (upper.bottom - 1, upper.bottom) and self.region.contains(column, row):
            return "upper"
        if not self._is_narrow and _is_right_edge(self._region_of("#environments"), column, row, width=2):
            return "environments"
        if any(pane.has_class("-beside") for pane in self.query("#records")) and _is_right_edge(
            self._region_of("#records"), column, row, width=1
        ):
            return "records"
        return None

    def _region_of(self, selector: str) -> Region:
        return next((widget.region for widget in self.query(selector)), Region())

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._dragged = self.divider_at(event.screen_x, event.screen_y) if event.button == 1 else None
        if self._dragged is not None:
            # a border is two cells wide where two frames meet
            self._grip = self._cells_to(self._dragged, event) - self._cells_now(self._dragged)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Move the border; the button may have been released outside of the terminal."""
        if self._dragged is None:
            return
        if event.button != 1:
            self._end_drag()
            return
        event.stop()
        self.capture_mouse()
        self.screen.clear_selection()
        self._move(self._dragged, self._cells_to(self._dragged, event) - self._grip)

    def _cells_now(self, divider: Divider) -> int:
        """Rows or columns of what is before the border."""
        if divider == "upper":
            return self._region_of("#upper").height
        return self._region_of(f"#{divider}").width

    def _cells_to(self, divider: Divider, event: events.MouseEvent) -> int:
        """Rows or columns from the beginning of what is before the border to the mouse."""
        start = self._region_of("#records" if divider == "records" else "#upper")
        return event.screen_y - start.y if divider == "upper" else event.screen_x - start.x

    def on_mouse_up(self) -> None:
        self._end_drag()

    def on_click(self, event: events.Click) -> None:
        """A double click on a border brings the usual sizes back."""
        if event.chain == 2 and (divider := self.divider_at(event.screen_x, event.screen_y)) is not None:
            self.reset(divider)

    def _end_drag(self) -> None:
        if self._dragged is not None:
            self._dragged = None
            self.release_mouse()


def _set_size(widget: Widget, rule: Literal["width", "height"], size: int | str | None) -> None:
    """Set a size, or leave it to the style sheets (None): that lays the screen out again only where there was one."""
    if size is not None or widget.styles.inline.has_rule(rule):
        setattr(widget.styles, rule, size)


def _is_right_edge(region: Region, column: int, row: int, *, width: int) -> bool:
    """Whether a place is on the right edge, or in the columns after it."""
    return region.y <= row < region.bottom and region.right - 1 <= column < region.right - 1 + width
