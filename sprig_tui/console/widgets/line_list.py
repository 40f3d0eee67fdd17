"""Virtual list: a scrolling list that renders its lines on demand; base of the log, the field table and the code view.

A subclass sets the number of lines (`resize`) and returns the content of one (`line`). There are no widgets per line,
so a million lines cost as much as a screenful. All text goes through `text.printable` here, and every Segment gets a
style, so that no subclass can pass control characters to the terminal.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from math import ceil
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import Reactive, reactive
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip

from sprig_tui.console.textual_private import own_vertical_scrollbar, set_virtual_size
from sprig_tui.console.widgets.line import Line, visible_text

if TYPE_CHECKING:
    from rich.console import RenderableType


EIGHTHS_PER_CELL = 8
"""Resolution in which Textual draws the ends of the thumb."""


def thumb_ends(size: int, lines: float, window: float, position: float) -> tuple[int, int]:
    """Start and length of the thumb in eighths of a cell, as Textual computes them; (0, 0) for none."""
    if size <= 0 or window <= 0 or lines <= window:
        return 0, 0
    lines, window = ceil(lines), ceil(window)
    thumb = max(1.0, window / (lines / size))
    return int((size - thumb) * (position / (lines - window)) * EIGHTHS_PER_CELL), ceil(thumb * EIGHTHS_PER_CELL)


class CachedScrollBar(ScrollBar):
    """Scrollbar that is painted only when its thumb moves."""

    window_virtual_size: Reactive[int] = Reactive(100, repaint=False)
    window_size: Reactive[int] = Reactive(0, repaint=False)
    position: Reactive[float] = Reactive(0, repaint=False)

    _drawn = (-1, -1)

    def render(self) -> RenderableType:
        """As Textual; remembers how it looks."""
        self._drawn = self._ends()
        return super().render()

    def watch_position(self) -> None:
        self._paint_if_moved()

    def watch_window_virtual_size(self) -> None:
        self._paint_if_moved()

    def watch_window_size(self) -> None:
        self._paint_if_moved()

    def _ends(self) -> tuple[int, int]:
        size = self.size.height if self.vertical else self.size.width
        return thumb_ends(size, self.window_virtual_size, self.window_size, self.position)

    def _paint_if_moved(self) -> None:
        if self._ends() != self._drawn:
            self.refresh()


MAX_CACHED_LINES = 256


class LineList(ScrollView, can_focus=True):
    """Virtual list with a cursor.

    Messages: `Highlighted` when the cursor moves to another line (by key, click or call), `Selected` for enter, or for
    a click on the line with the cursor.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "line--plain",
        "line--muted",
        "line--good",
        "line--bad",
        "line--warning",
        "line--accent",
        "line--strong",
        "line--cursor",
    }
    DEFAULT_CSS = """
    LineList {
        color: $foreground;
        overflow-x: auto;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size: 1 1;
        & > .line--muted { color: $text-muted; }
        & > .line--good { color: $text-success; }
        & > .line--bad { color: $text-error; }
        & > .line--warning { color: $text-warning; }
        & > .line--accent { color: $text-accent; }
        & > .line--strong { text-style: bold; }
        & > .line--cursor {
            color: $block-cursor-blurred-foreground;
            background: $block-cursor-blurred-background;
            text-style: $block-cursor-blurred-text-style;
        }
        &:focus > .line--cursor {
            color: $block-cursor-foreground;
            background: $block-cursor-background;
            text-style: $block-cursor-text-style;
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "cursor(-1)", "Up", show=False, id="list.up"),
        Binding("down,j", "cursor(1)", "Down", show=False, id="list.down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="list.page-up"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="list.page-down"),
        Binding("ctrl+u", "page(-0.5)", "Half a page up", show=False, id="list.half-up"),
        Binding("ctrl+d", "page(0.5)", "Half a page down", show=False, id="list.half-down"),
        Binding("home,g", "first", "First", show=False, id="list.first"),
        Binding("end,G", "last", "Last", show=False, id="list.last"),
        Binding("left,h", "sideways(-8)", "Left", show=False, id="list.left"),
        Binding("right,l", "sideways(8)", "Right", show=False, id="list.right"),
        Binding("enter", "choose", "Open", show=False, id="list.open"),
    ]

    cursor: reactive[int] = reactive(0, repaint=False)
    """The line with the cursor, from 0; -1 for no line."""

    class Highlighted(Message):
        """The cursor moved to another line."""

        def __init__(self, view: LineList, index: int) -> None:
            super().__init__()
            self.view = view
            self.index = index

        @property
        def control(self) -> LineList:
            """The list, for `@on(LineList.Highlighted, "#id")`."""
            return self.view

    class Selected(Highlighted):
        """A line was opened by enter or a click."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id, classes=classes)
        self._count = 0
        self._strips: LRUCache[tuple[Hashable, bool], Strip] = LRUCache(MAX_CACHED_LINES)
        self._styles: dict[tuple[str, bool], Style] = {}
        self.set_reactive(LineList.cursor, -1)

    # -- for subclasses ------------------------------------------------------------------------------------------------

    def line(self, index: int) -> Line | None:
        """Content of line `index`; None while it is loading: it is asked for again at the next paint."""
        raise NotImplementedError

    def line_key(self, index: int) -> Hashable:
        """Identity of line `index` while lines are inserted and removed; drawn lines are cached by it."""
        return index

    def empty_lines(self) -> Sequence[Line]:
        """Lines shown while the list is empty, such as the next step."""
        return ()

    def resize(self, count: int, *, width: int = 0) -> None:
        """Set the number of lines, and the width of the longest in cells (0: they fit the view).

        Cached lines stay valid: call `invalidate` for lines that changed.
        """
        before, self._count = self._count, count
        if (count, width) != (before, self.virtual_size.width):
            self._set_extent(before, count, width)
        if self.cursor >= count or (self.cursor < 0 < count):
            self.cursor = min(max(self.cursor, 0), count - 1)

    def _set_extent(self, before: int, count: int, width: int) -> None:
        height = self.container_size.height
        scrolled = 0 < height < min(before, count)
        if (scrolled or max(before, count) <= height) and width == self.virtual_size.width:
            # the scrollbar stays, so that a new line needs no new layout of the screen
            set_virtual_size(self, Size(width, count))
            if scrolled:
                self.vertical_scrollbar.window_virtual_size = count
            self.scroll_y = self.validate_scroll_y(self.scroll_y)
        else:
            self.virtual_size = Size(width, count)
        top = self.scroll_offset.y
        if min(before, count) < top + self.size.height:
            self.refresh()

    def rearrange(self, count: int, *, cursor: int, top: int) -> None:
        """Set the number of lines, the cursor and the first visible line, after insertions and removals anywhere.

        For lists whose `line_key` is not the index, so that cached lines stay valid. Posts no `Highlighted`.
        """
        same_lines = (self.cursor, self.scroll_offset.y) == (cursor, top)
        self.set_reactive(LineList.cursor, min(max(cursor, 0), count - 1) if count else -1)
        self.resize(count, width=self.virtual_size.width)
        # by force: whether there is a scrollbar is only known after the next layout
        self.scroll_to(y=top, animate=False, force=True)
        if not same_lines:
            self.refresh()

    def invalidate(self, indices: Iterable[int] | None = None) -> None:
        """Drop cached lines that changed (None: all); they are built again when they are next painted."""
        if indices is None:
            self._strips.clear()
            self.refresh()
            return
        top = self.scroll_offset.y
        bottom = top + self.size.height
        for index in indices:
            self.drop_cached(self.line_key(index))
            if top <= index < bottom:
                self.refresh_line(index)

    def drop_cached(self, key: Hashable) -> None:
        """Drop the line with this key (see `line_key`), which changed and is out of sight or painted anyway."""
        self._strips.discard((key, False))
        self._strips.discard((key, True))

    def revise(self) -> None:
        """Build all visible lines again, and paint those that differ."""
        before = {key: self._strips[key] for key in self._strips.keys()}  # noqa: SIM118 - it is no mapping
        self._strips.clear()
        for index in self.is_visible:
            strip = self._strip(index, index == self.cursor)
            if strip is None or strip != before.get((self.line_key(index), index == self.cursor)):
                self.refresh_line(index)

    @property
    def count(self) -> int:
        """The number of lines."""
        return self._count

    @property
    def is_visible(self) -> range:
        """Indices of the visible lines."""
        top = self.scroll_offset.y
        return range(top, min(self._count, top + self.scrollable_content_region.height))

    # -- the cursor ----------------------------------------------------------------------------------------------------

    def validate_cursor(self, cursor: int) -> int:
        """Limit the cursor to the lines; -1 where there are none."""
        return max(0, min(cursor, self._count - 1)) if self._count else -1

    def watch_cursor(self, before: int, now: int) -> None:
        """Repaint both lines, scroll to the cursor, and post `Highlighted`."""
        for index in (before, now):
            if index >= 0:
                self.refresh_line(index)
        if now >= 0:
            self.scroll_to_line(now)
        self.report_cursor(now)

    def report_cursor(self, index: int) -> None:
        """Post `Highlighted`; a list with one listener may call it instead."""
        self.post_message(self.Highlighted(self, index))

    def scroll_to_line(self, index: int) -> None:
        """Scroll just far enough to show line `index`."""
        height = self.scrollable_content_region.height
        top = self.scroll_offset.y
        if height <= 0 or top <= index < top + height:
            return
        self.scroll_to(y=index if index < top else index - height + 1, animate=False)

    def action_cursor(self, lines: int) -> None:
        """Move the cursor by so many lines."""
        self.cursor += lines

    def action_page(self, pages: float) -> None:
        """Move the cursor and the view by so many screenfuls."""
        lines = max(1, round(abs(pages) * self.scrollable_content_region.height)) * (1 if pages > 0 else -1)
        self.scroll_to(y=self.scroll_offset.y + lines, animate=False)
        self.cursor += lines

    def action_first(self) -> None:
        self.cursor = 0

    def action_last(self) -> None:
        self.cursor = self._count - 1

    def action_sideways(self, cells: int) -> None:
        self.scroll_to(x=self.scroll_offset.x + cells, animate=False)

    def action_choose(self) -> None:
        """Open the line with the cursor."""
        if self.cursor >= 0:
            self.post_message(self.Selected(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the line; open it where the cursor is already."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        index = offset.y + self.scroll_offset.y
        if 0 <= index < self._count:
            event.stop()
            if index == self.cursor:
                self.action_choose()
            else:
                self.cursor = index

    # -- drawing -------------------------------------------------------------------------------------------------------

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        """The scrollbar, made when it is first needed."""
        return own_vertical_scrollbar(
            self, lambda: CachedScrollBar(name="vertical", thickness=self.scrollbar_size_vertical)
        )

    def get_line_filters(self) -> Sequence[LineFilter]:
        """The filters without the one for ANSI colours, which themes do not use."""
        return [
            line_filter for line_filter in super().get_line_filters() if not isinstance(line_filter, ANSIToTruecolor)
        ]

    def render_lines(self, crop: Region) -> list[Strip]:
        """Lines of the view without what Textual does around each line: these fill the list, each in its own style."""
        if self.styles.gutter or self.opacity != 1:
            return super().render_lines(crop)
        width = self.scrollable_content_region.width
        strips = self._render_rows(crop.line_range, width)
        if crop.x or crop.right < width or (crop.right > width and not self.show_vertical_scrollbar):
            blank = Style(bgcolor=self._style("", cursor=False).bgcolor)
            strips = [strip.crop_extend(crop.x, crop.right, blank) for strip in strips]
        for line_filter in self.get_line_filters():
            background = self.background_colors[1]
            strips = [strip.apply_filter(line_filter, background) for strip in strips]
        return strips

    def render_line(self, y: int) -> Strip:
        """One line of the view, from the cache or made now."""
        return self._render_rows(range(y, y + 1), self.scrollable_content_region.width)[0]

    def _render_rows(self, rows: range, width: int) -> list[Strip]:
        left, top = self.scroll_offset
        count, cursor = self._count, self.cursor
        hints = () if count else self.empty_lines()
        strips: list[Strip] = []
        for y in rows:
            index = top + y
            has_cursor = count > 0 and index == cursor
            if index < count:
                strip = self._strip(index, has_cursor)
            else:
                strip = self._build_line(hints[y], cursor=False) if y < len(hints) else None
            shift = left if count else 0
            plain = self._style("", has_cursor)
            strips.append((strip or Strip.blank(0, plain)).crop_extend(shift, shift + width, plain))
        return strips

    def _strip(self, index: int, cursor: bool) -> Strip | None:
        key = self.line_key(index), cursor
        strip = self._strips.get(key)
        if strip is None:
            line = self.line(index)
            if line is None:
                return None
            strip = self._build_line(line, cursor=cursor)
            self._strips[key] = strip
        return strip

    def _build_line(self, line: Line, *, cursor: bool) -> Strip:
        segments: list[Segment] = []
        cells = 0
        run, name_of_run = "", ""
        for text, name, width in line:
            # most columns hold plain texts of their width already
            if width and len(text) == width and text.isascii() and text.isprintable():
                piece = text
            else:
                piece = visible_text(text, width)
            cells += width or cell_len(piece)
            # the compositor's cost is per segment, so neighbours in one style are joined
            if name != name_of_run and run:
                segments.append(Segment(run, self._style(name_of_run, cursor)))
                run = ""
            run, name_of_run = run + piece, name
        if run:
            segments.append(Segment(run, self._style(name_of_run, cursor)))
        return Strip(segments, cells)

    def _style(self, name: str, cursor: bool) -> Style:
        style = self._styles.get((name, cursor))
        if style is None:
            style = self.get_component_rich_style(f"line--{name or 'plain'}")
            if cursor:
                style += self.get_component_rich_style("line--cursor")
            self._styles[name, cursor] = style
        return style

    def notify_style_update(self) -> None:
        """Drop all cached lines: the theme or the focus changed."""
        super().notify_style_update()
        self._strips.clear()
        self._styles.clear()
