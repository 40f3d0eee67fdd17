"""What the Payload pane looks like: a title with tabs, one of four views, and what would become of the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from textual.app import ComposeResult
from textual.content import Content
from textual.reactive import reactive

from sprig_tui.config.environment import Environment
from sprig_tui.console.payload.inspection import Inspection
from sprig_tui.console.payload.payload_lines import PayloadLines
from sprig_tui.console.payload.summary import RecordPosition, delivery_text, position_text, reason_line, verdict_spans
from sprig_tui.console.payload.views import VIEW_NAMES, make_view
from sprig_tui.console.payload.views.base import RecordView, Span
from sprig_tui.console.payload.views.fields import FieldsView, field_header
from sprig_tui.console.theme import MUTED
from sprig_tui.console.widgets.panel import Caption, Panel
from sprig_tui.journal.records import Delivery
from sprig_tui.text import printable

_STYLES = {
    "good": "$text-success",
    "bad": "$text-error",
    "warning": "$text-warning",
    "accent": "$text-accent",
    "muted": MUTED,
}
_RULE = " ── "
_MIN_NAME_CELLS = 12


def payload_title(inspection: Inspection | None, position: RecordPosition | None, view: str, width: int) -> Content:
    """`Payload ── answers.jsonl  14 of 200 ── [Fields] JSON  Raw  curl`, its tabs clickable, in `width` cells."""
    head = "Payload"
    tabs = _tabs(view)
    room = width - len(head) - 2 * len(_RULE) - tabs.cell_length
    if inspection is None:
        return Content(head)
    if room < _MIN_NAME_CELLS:
        # The name first: the views have keys as well.
        tabs, room = Content(f"[{view}]"), width - len(head) - 2 * len(_RULE) - len(view) - 2
    what = position_text(position, room) if position is not None else delivery_text(inspection, room)
    return Content.assemble(head, _RULE, Content(what), _RULE, tabs)


def verdict_content(spans: Sequence[Span], reason: str) -> Content:
    """The bottom line, and the reason below it."""
    parts = [Content.styled(printable(text), _STYLES.get(role, "")) for text, role, _ in spans]
    if reason:
        parts.append(Content.styled(f"\n{printable(reason)}", MUTED))
    return Content("").join(parts)


def _tabs(view: str) -> Content:
    names = [f"[{name}]" if name == view else f" {name} " for name in VIEW_NAMES]
    # The names are our own, so that markup is safe here; it is what carries the click.
    markup = [f"[@click=\"view('{name}')\"]" for name in VIEW_NAMES]
    return Content("").join(
        Content.from_markup(f"{click}$text[/]", text=text) for click, text in zip(markup, names, strict=True)
    )


class PayloadPane(Panel):
    """Shows `inspection` in the view that `view_name` names."""

    inspection: reactive[Inspection | None] = reactive(None, repaint=False, always_update=True)
    """The record in sight."""
    view_name: reactive[str] = reactive("Fields", repaint=False)
    environments: reactive[Mapping[str, Environment]] = reactive({}, repaint=False, init=False)
    """By name, as the config has them."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id, classes="pane")
        self._views: dict[str, RecordView] = {}
        self._progress_texts: dict[str, str] = {}
        self._head = Caption(classes="payload-head")
        self.lines = PayloadLines(id="payload-lines")
        """The widget with the cursor."""
        self._verdict = Caption(classes="payload-verdict")

    def compose(self) -> ComposeResult:
        """Head, lines, verdict."""
        yield self._head
        yield self.lines
        yield self._verdict

    def focus(self, scroll_visible: bool = True, **options: bool) -> PayloadPane:
        """The lines take the keys."""
        self.lines.focus(scroll_visible, **options)
        return self

    @property
    def view(self) -> RecordView | None:
        """What is shown."""
        return self.lines.view

    def position(self) -> RecordPosition | None:
        """Where the record stands in its file; None where it comes from the log."""
        return None

    def show_progress(self, text: str, *, task: str = "sending") -> None:
        """Something goes on with the file, such as `sent 1,204 of 5,000`; empty when it is over.

        `of` names it, so that two things that go on at once do not end each other.
        """
        self._progress_texts[task] = text
        self._update_verdict()

    def update_delivery(self, delivery: Delivery) -> None:
        """What became of the delivery that is shown; its call, and what is open of it, stay as they are."""
        if self.inspection is not None and self.inspection.delivery is not None:
            now = msgspec.structs.replace(self.inspection, delivery=delivery)
            self.set_reactive(PayloadPane.inspection, now)
            self._update_verdict()

    def watch_inspection(self) -> None:
        """Another record: other views, from their first line."""
        self._views.clear()
        self._show_view()

    def watch_view_name(self) -> None:
        """The same record in another way."""
        self._show_view()

    def action_view(self, name: str) -> None:
        """Show one of the four views."""
        if name in VIEW_NAMES:
            self.view_name = name

    def on_resize(self) -> None:
        """Title and head are cut to the width."""
        self.update_title()
        self._update_head()

    def update_title(self) -> None:
        """Say anew what is shown."""
        self.retitle(payload_title(self.inspection, self.position(), self.view_name, max(self.size.width - 4, 20)))

    def _show_view(self) -> None:
        if not self.lines.is_mounted:
            return
        shown = self.inspection
        if shown is None:
            self.lines.show(None)
        else:
            view = self._views.get(self.view_name)
            if view is None:
                view = self._views[self.view_name] = make_view(self.view_name, shown, self.environments)
            self.lines.show(view)
        self.update_title()
        self._update_head()
        self._update_verdict()

    def _update_head(self) -> None:
        shown = isinstance(self.view, FieldsView)
        width = self.lines.scrollable_content_region.width or self.size.width
        self._head.show(Content(field_header(width) if shown else ""))

    def _update_verdict(self) -> None:
        shown = self.inspection
        going_on = " · ".join(printable(text) for text in self._progress_texts.values() if text)
        content = Content.styled(going_on, "$text-accent")
        if shown is not None:
            below = verdict_content(verdict_spans(shown, self.environments), reason_line(shown, self.environments))
            content = Content.assemble(content, " · ", below) if going_on else below
        self._verdict.show(content)
