"""Screen of the notices that were shown before."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from sprig_tui.console.theme import MUTED
from sprig_tui.console.widgets.dialogs import ESCAPE_CLOSES, hint
from sprig_tui.formatting import local_time

if TYPE_CHECKING:
    from sprig_tui.console.notify import NoticeHistory, PastNotice

COLOURS = {"information": "", "warning": "$text-warning", "error": "$text-error"}


class NoticesScreen(ModalScreen[None]):
    """The notices of this console, the newest first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,at", "leave", "close"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, history: NoticeHistory) -> None:
        super().__init__(classes="dialog")
        self._history = history
        self._box = VerticalScroll(classes="dialog-box notices-box")

    def compose(self) -> ComposeResult:
        with self._box:
            yield Static(notices_text(list(self._history.notices)))

    def on_mount(self) -> None:
        self._box.border_title = Content("Notices")
        self._box.border_subtitle = hint(ESCAPE_CLOSES)
        # those in the corner would cover the list, which has them
        self.app.clear_notifications()

    def action_scroll(self, lines: int) -> None:
        self._box.scroll_relative(y=lines, animate=False)

    def action_leave(self) -> None:
        self.dismiss(None)


def notices_text(notices: list[PastNotice]) -> Content:
    """A paragraph for each, with its local time."""
    if not notices:
        return Content("there was no notice yet")
    pieces: list[str | tuple[str, str]] = []
    for notice in reversed(notices):
        again = f"  {notice.times:,} times" if notice.times > 1 else ""
        pieces += ["\n" if pieces else "", (f"{local_time(notice.at_ms):%H:%M:%S}{again}\n", MUTED)]
        pieces.append((f"{notice.text}\n", COLOURS[notice.severity]))
    return Content.assemble(*pieces).rstrip()
