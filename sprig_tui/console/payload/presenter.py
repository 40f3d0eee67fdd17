"""Record presenter: the head, the lines and the verdict of a Payload pane, and its title."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from sprig_tui.console.payload.payload_lines import PayloadLines
from sprig_tui.console.payload.summary import LIST_NAME, payload_title, reason_line, verdict_content, verdict_spans
from sprig_tui.console.payload.views import make_view
from sprig_tui.console.payload.views.base import CopiedText, RecordView
from sprig_tui.console.payload.views.fields import FieldsView, field_header
from sprig_tui.console.widgets.panel import Caption

if TYPE_CHECKING:
    from sprig_tui.console.payload.inspector import PayloadInspector

MIN_TITLE_CELLS = 20
"""Width that the title is cut to at least."""


class RecordPresenter:
    """Shows the inspection of a Payload pane in the view that is chosen; the views are made when first shown."""

    def __init__(self, pane: PayloadInspector) -> None:
        self._pane = pane
        self.lines = PayloadLines(id="payload-lines")
        self._head = Caption(classes="payload-head")
        self._verdict = Caption(classes="payload-verdict")
        self._views: dict[str, RecordView] = {}
        """Views of the record shown, by name."""
        self._progress_text = ""

    def widgets(self) -> Iterator[Widget]:
        """Head, lines, verdict, in their order on the screen."""
        yield self._head
        yield self.lines
        yield self._verdict

    def show_record(self) -> None:
        """Show the views of another record from their first lines."""
        self._views.clear()
        self.show_view()

    def show_view(self) -> None:
        """Show the record in the view that is chosen."""
        if not self.lines.is_mounted:
            return
        pane, shown = self._pane, self._pane.inspection
        if shown is None:
            self.lines.show(None)
        else:
            view = self._views.get(pane.view_name)
            if view is None:
                view = self._views[pane.view_name] = make_view(pane.view_name, shown, pane.environments)
            self.lines.show(view)
        self.update_title()
        self.update_head()
        self.update_verdict()

    def copied_line(self) -> CopiedText | None:
        """What the line with the cursor is about, to be copied; None where it has no value."""
        view, at = self.lines.view, self.lines.cursor
        return view.copy_line(at) if view is not None and 0 <= at < len(view) else None

    def show_progress(self, text: str) -> None:
        """Show what is being read before the verdict; an empty text removes it."""
        self._progress_text = text
        self.update_verdict()

    def update_title(self) -> None:
        """Show the position and the view in the title."""
        pane = self._pane
        width = max(pane.size.width - 4, MIN_TITLE_CELLS)
        view = LIST_NAME if pane.listing.hides_record else pane.view_name
        pane.retitle(payload_title(pane.inspection, pane.navigator.position(), view, width))

    def update_head(self) -> None:
        """Show the titles of the columns."""
        has_columns = isinstance(self.lines.view, FieldsView) and not self._pane.listing.hides_record
        width = self.lines.scrollable_content_region.width or self._pane.size.width
        self._head.show(Content(field_header(width) if has_columns else ""))

    def update_verdict(self) -> None:
        """Show what would become of the record, or became of the delivery."""
        shown, environments = self._pane.inspection, self._pane.environments
        content = progress = Content.styled(self._progress_text, "$text-accent")
        if shown is not None:
            content = verdict_content(verdict_spans(shown, environments), reason_line(shown, environments))
            if self._progress_text:
                content = Content.assemble(progress, " · ", content)
        self._verdict.show(content)
