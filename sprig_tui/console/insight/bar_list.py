"""List of bars: one line for each group of deliveries; the cursor stays on its bar when the numbers change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from sprig_tui.console.insight.bars import Bar, bar_layout, bar_line
from sprig_tui.console.widgets.line import Line, TextSpan
from sprig_tui.console.widgets.line_list import LineList


class BarList(LineList, inherit_bindings=False):
    """Shows `bars`; posts `Sideways` for the keys that choose another time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        binding for binding in LineList.BINDINGS if isinstance(binding, Binding) and binding.id != "list.open"
    ]

    class Sideways(Message):
        """The time before or after is to be chosen."""

        def __init__(self, steps: int) -> None:
            super().__init__()
            self.steps = steps

    def __init__(self) -> None:
        super().__init__()
        self.bars: Sequence[Bar] = ()
        self._hint = ""
        self._peak = 0
        self._layout = bar_layout((), 0)

    def show(self, bars: Sequence[Bar], *, hint: str = "", first: bool = False) -> None:
        """Show these, with the cursor on the same bar as before, or on the first one.

        Args:
            bars: from the top.
            hint: what is said where there are none.
            first: whether these are other groups than before, so that the cursor goes to the top.
        """
        before = None if first else self.selected
        same = (at for at, bar in enumerate(bars) if before is not None and bar.key == before.key)
        cursor = next(same, 0 if first else max(0, self.cursor))
        self.bars, self._hint = bars, hint
        self._peak = max((bar.total for bar in bars), default=0)
        self._layout = bar_layout(bars, self.scrollable_content_region.width)
        self.rearrange(len(bars), cursor=cursor, top=0 if first else self.scroll_offset.y)
        self.revise()

    @property
    def selected(self) -> Bar | None:
        """The bar with the cursor; None where there is none."""
        return self.bars[self.cursor] if 0 <= self.cursor < len(self.bars) else None

    def on_resize(self) -> None:
        """Fit the bars to the width."""
        self._layout = bar_layout(self.bars, self.scrollable_content_region.width)
        self.invalidate()

    def line(self, index: int) -> Line | None:
        if index >= len(self.bars):
            return ()
        return bar_line(self.bars[index], self._layout, self._peak)

    def empty_lines(self) -> Sequence[Line]:
        return [(TextSpan(self._hint, "muted"),)]

    def action_sideways(self, cells: int) -> None:
        self.post_message(self.Sideways(1 if cells > 0 else -1))
