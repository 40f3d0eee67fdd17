"""List of the steps: a line each with mark, number, title, state and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from sprig_tui.console.setup.words import STATE_MARKS, STATE_STYLES, STATE_WORDS, STEP_TITLES, evidence_text
from sprig_tui.console.widgets.line import Line, TextSpan
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.setup.model import Checklist, Step, StepKind
from sprig_tui.text import one_line

TITLE_CELLS = 14
STATE_CELLS = max(map(len, STATE_WORDS.values())) + 2
MAX_TEXT_CHARS = 400


class StepList(LineList, inherit_bindings=False):
    """The steps of a checklist; the cursor stays with its step while the checklist is renewed."""

    # enter is the screen's command, which the key bar shows; a line is never wider than the list
    BINDINGS: ClassVar[list[BindingType]] = [
        binding
        for binding in LineList.BINDINGS
        if isinstance(binding, Binding) and binding.id not in ("list.open", "list.left", "list.right")
    ]

    class Paged(Message):
        """The words below are to be scrolled by so many pages."""

        def __init__(self, pages: float) -> None:
            super().__init__()
            self.pages = pages

    def __init__(self) -> None:
        super().__init__()
        self._steps: tuple[Step, ...] = ()
        self._next: StepKind | None = None

    def show(self, checklist: Checklist | None) -> None:
        """Show these steps."""
        steps = checklist.steps if checklist else ()
        following = checklist.next_step.kind if checklist and checklist.next_step else None
        if (steps, following) == (self._steps, self._next):
            return
        self._steps, self._next = steps, following
        self.resize(len(steps))
        self.invalidate()

    def choose(self, kind: StepKind | None) -> None:
        """Put the cursor on a step; on the first one where it is None or missing."""
        self.cursor = next((n for n, step in enumerate(self._steps) if step.kind is kind), 0)

    @property
    def selected(self) -> Step | None:
        """The step with the cursor."""
        return self._steps[self.cursor] if 0 <= self.cursor < len(self._steps) else None

    @property
    def selected_kind(self) -> StepKind | None:
        """The kind of the step with the cursor."""
        return self.selected.kind if self.selected else None

    def line(self, index: int) -> Line | None:
        step = self._steps[index]
        style = STATE_STYLES[step.state]
        following = step.kind is self._next
        state = f"{STATE_WORDS[step.state]}{' ◂' if following else ''}"
        room = max(8, self.scrollable_content_region.width - 5 - TITLE_CELLS - STATE_CELLS)
        return [
            TextSpan(f"{STATE_MARKS[step.state]} ", style),
            TextSpan(f"{index + 1}  ", "muted"),
            TextSpan(STEP_TITLES[step.kind], "strong", TITLE_CELLS),
            TextSpan(state, style, STATE_CELLS),
            TextSpan(one_line(evidence_text(step), limit=MAX_TEXT_CHARS), "", room),
        ]

    def empty_lines(self) -> Sequence[Line]:
        return ((TextSpan("  looking at config and journal ...", "muted"),),)

    def on_resize(self) -> None:
        """The evidence is cut to the width, and the chosen step stays in view."""
        self.invalidate()
        if self.cursor >= 0:
            self.scroll_to_line(self.cursor)

    def action_page(self, pages: float) -> None:
        """Scroll the words: the steps always fit, or nearly."""
        self.post_message(self.Paged(pages))
