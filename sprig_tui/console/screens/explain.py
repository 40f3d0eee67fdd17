"""Screen that explains a delivery: from its record to each destination, line by line as the answers come."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.worker import Worker

from sprig_tui.console.clipboard import CopyRequested
from sprig_tui.console.commands.base import HasCommands, bindings
from sprig_tui.console.commands.explain import COMMANDS
from sprig_tui.console.deliveries.detail_view import delivery_heading
from sprig_tui.console.keyboard.queue import track_flow
from sprig_tui.console.notify import notify, notify_error, notify_warning
from sprig_tui.console.session import Session
from sprig_tui.console.widgets.dialogs import ask_confirmation
from sprig_tui.console.widgets.key_bar import KeyBar
from sprig_tui.console.widgets.line import Line, TextSpan
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.console.widgets.panel import Caption
from sprig_tui.errors import SprigTuiError
from sprig_tui.explain.model import Answer, title
from sprig_tui.explain.model import Line as Finding
from sprig_tui.formatting import local_time, relative_day
from sprig_tui.journal.records import DeliveryDetail
from sprig_tui.text import one_line, printable

_SIGNS = {Answer.YES: ("✓", "good"), Answer.NO: ("✗", "bad"), Answer.UNKNOWN: ("?", "warning")}
MAX_TEXT_CHARS = 2_000
_SEND_TEXT = (
    "The payload of this delivery goes to Segment's Public API, which runs the filters of each connected destination on"
    " it and answers whether one drops it. It is a preview: no event is sent to a destination."
)


class ExplainRequested(Message):
    """A delivery is to be explained; the app opens the screen."""

    def __init__(self, detail: DeliveryDetail) -> None:
        super().__init__()
        self.detail = detail


class _Row(NamedTuple):
    """A line of the list."""

    text: str
    style: str
    indent: int = 0


class ExplainLines(LineList, inherit_bindings=False):
    """The findings, wrapped to the width; each is a statement with its answer, then evidence, source and time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        binding
        for binding in LineList.BINDINGS
        if isinstance(binding, Binding) and binding.id not in ("list.open", "list.left", "list.right")
    ]

    def __init__(self, now: Callable[[], int]) -> None:
        super().__init__()
        self._now = now
        self.findings: list[Finding] = []
        self._rows: list[_Row] = []

    def add(self, finding: Finding) -> None:
        """Add a finding below the others; the cursor stays."""
        before = self.findings[-1] if self.findings else None
        self.findings.append(finding)
        self._rows += finding_rows(finding, before, self._now(), self._width)
        self.resize(len(self._rows))

    def clear(self) -> None:
        """Begin anew."""
        self.findings = []
        self._lay_out()

    def on_resize(self) -> None:
        self._lay_out()

    @property
    def _width(self) -> int:
        return max(20, self.scrollable_content_region.width)

    def _lay_out(self) -> None:
        self._rows = []
        for before, finding in zip([None, *self.findings], self.findings, strict=False):
            self._rows += finding_rows(finding, before, self._now(), self._width)
        self.resize(len(self._rows))
        self.invalidate()

    def line(self, index: int) -> Line | None:
        if index >= len(self._rows):
            return ()
        row = self._rows[index]
        return (TextSpan(" " * row.indent), TextSpan(row.text, row.style))


class ExplainScreen(HasCommands, Screen[None]):
    """Explains one delivery; asking goes on in the background while the lines are read."""

    HELP = (
        "Why an answer is, or is not, where it should be. Each line is a statement and ends in yes, no or cannot be"
        " known, with what was found, where, and when. Nothing is claimed beyond what was asked and answered."
    )
    COMMAND_CLASSES = COMMANDS
    BINDINGS: ClassVar[list[BindingType]] = bindings(COMMANDS)
    AUTO_FOCUS = "ExplainLines"

    def __init__(self, session: Session, detail: DeliveryDetail) -> None:
        super().__init__()
        self._session = session
        self._detail = detail
        self._asking: Worker[None] | None = None
        self.lines = ExplainLines(session.clock.now)
        self._notice = Caption(classes="explain-notice")
        self._frame = Vertical(self._notice, self.lines, classes="pane explain-frame")

    def compose(self) -> ComposeResult:
        yield self._frame
        yield KeyBar()

    def on_mount(self) -> None:
        self._frame.border_title = Content(f"Explain ── {delivery_heading(self._detail.delivery)}")
        self._explain(send_payload=False)

    @property
    def is_asking(self) -> bool:
        """Whether lines are still to come."""
        return self._asking is not None and not self._asking.is_finished

    def _explain(self, *, send_payload: bool) -> None:
        self.lines.clear()
        self._show_notice("asking …")
        self._asking = self.run_worker(self._ask(send_payload=send_payload), group="asking", exclusive=True)

    async def _ask(self, *, send_payload: bool) -> None:
        session = self._session
        explain, journal = session.dependencies.explain, session.journal
        if explain is None:
            self._show_notice("Segment cannot be asked from here: there is no workspace")
            return
        try:
            if journal is not None:
                # as it is by now; one that was pruned meanwhile is explained as it was
                self._detail = await journal.get(self._detail.delivery.id) or self._detail
            found = explain(session.settings, journal, self._detail, send_payload, self._show_notice)
            async with aclosing(found) as findings:
                async for finding in findings:
                    self.lines.add(finding)
        except SprigTuiError as error:
            notify_error(self.app, error)
            self._show_notice("it was not explained to the end")
            return
        self._show_notice("")

    def _show_notice(self, text: str) -> None:
        self._notice.show(Content(printable(text, limit=200)))

    # -- commands ------------------------------------------------------------------------------------------------------

    def action_close_explanation(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        self.dismiss(None)

    def action_explain_again(self) -> None:
        if self.is_asking:
            notify(self.app, "it is being asked")
        else:
            self._explain(send_payload=False)

    def action_check_filters(self) -> None:
        if self._session.settings.workspace.token is None:
            notify_warning(self.app, "there is no token of Segment's Public API: sprig-tui keys workspace asks for one")
        elif not self._detail.body:
            notify_warning(self.app, "this delivery has no payload that could be sent")
        else:
            self.run_worker(track_flow(self.app, self._check_filters()), group="work", exclusive=True)

    async def _check_filters(self) -> None:
        question = "Send this payload to Segment, to run filters on it?"
        if await ask_confirmation(self.app, question, _SEND_TEXT, yes="Send payload"):
            self._explain(send_payload=True)

    def action_copy_explanation(self) -> None:
        if not self.lines.findings:
            notify(self.app, "there is nothing to copy yet")
            return
        text = "\n".join(explanation_text(self.lines.findings, self._session.clock.now()))
        heading = delivery_heading(self._detail.delivery)
        self.post_message(CopyRequested(f"{heading}\n{text}\n", "the explanation"))


def finding_rows(finding: Finding, before: Finding | None, now: int, width: int) -> Iterator[_Row]:
    """The rows of a finding; a reason that is the one of the line before is not said again."""
    sign, style = _SIGNS[finding.answer]
    text = f"{sign} {one_line(title(finding), limit=MAX_TEXT_CHARS)}: {finding.answer.value}"
    for number, piece in enumerate(textwrap.wrap(text, width - 2)):
        yield _Row(piece, style, 2 if number else 0)
    if detail := _detail_text(finding, before, now):
        for piece in textwrap.wrap(detail, width - 4):
            yield _Row(piece, "muted", 4)


def explanation_text(findings: list[Finding], now: int) -> Iterator[str]:
    """The findings as plain text, one or two lines each."""
    for before, finding in zip([None, *findings], findings, strict=False):
        sign, _ = _SIGNS[finding.answer]
        yield f"{sign} {one_line(title(finding), limit=MAX_TEXT_CHARS)}: {finding.answer.value}"
        if detail := _detail_text(finding, before, now):
            yield f"    {detail}"


def _detail_text(finding: Finding, before: Finding | None, now: int) -> str:
    """Evidence, reason, source and time; empty where it would repeat the line before."""
    if before is not None and finding.why and finding.why == before.why and not finding.evidence:
        return ""
    said = "; ".join(one_line(text, limit=MAX_TEXT_CHARS) for text in (finding.evidence, finding.why) if text)
    at = local_time(finding.at)
    day = "" if at.date() == local_time(now).date() else f"{relative_day(finding.at, now)} "
    return f"{said} ({finding.source}, {day}{at:%H:%M:%S})".strip()
