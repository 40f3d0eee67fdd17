"""Screen of the help topics: the list, a search over all of them, and the text of one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input

from sprig_tui.console.commands.base import HasCommands, bindings
from sprig_tui.console.commands.topics import COMMANDS
from sprig_tui.console.notify import notify
from sprig_tui.console.widgets.key_bar import KeyBar
from sprig_tui.console.widgets.line import Line, TextSpan
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.docs.markdown import StyledLine, plain_text, render_markdown
from sprig_tui.docs.topics import TOPICS, read_topic
from sprig_tui.text import one_line

MAX_TEXT_CELLS = 100
"""Widest text of a topic; longer lines are hard to read."""
MAX_SEARCH_CHARS = 200
NAME_CELLS = 16
PLACE_TOPICS: Mapping[str, str] = {
    "environments": "environments",
    "payload": "mapping",
    "records": "formats",
    "deliveries": "filters",
    "detail": "replay",
    "reconcile": "reconcile",
    "insight": "statistics",
    "explain": "reconcile",
    "setup": "setup",
}
"""The topic of each place; the others have that of the console."""
_STYLES = {"heading": "strong", "strong": "strong", "code": "accent", "dim": "muted"}
_LINK = re.compile(r"\(help ([a-z-]+)\)")


def topic_of(scope: str) -> str:
    """The topic about a pane or screen."""
    return PLACE_TOPICS.get(scope, "console")


class TopicEntry(NamedTuple):
    """A topic in the list, and what is said beside it: what it is about, or the first line that matches."""

    name: str
    about: str
    matches: int = 0


def find_topics(words: str) -> list[TopicEntry]:
    """Topics whose text contains these words, those with most matches first; all topics without words."""
    wanted = " ".join(words.lower().split())
    if not wanted:
        return [TopicEntry(name, about) for name, about in TOPICS.items()]
    found = []
    for name, about in TOPICS.items():
        lines = [line for line in read_topic(name).splitlines() if wanted in line.lower()]
        if lines or wanted in name or wanted in about.lower():
            shown = lines[0].strip("|# -").replace("`", "") if lines else about
            found.append(TopicEntry(name, one_line(shown, limit=200), len(lines)))
    return sorted(found, key=lambda entry: -entry.matches)


class TopicLines(LineList, inherit_bindings=False):
    """The list of topics, or the text of one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        binding for binding in LineList.BINDINGS if isinstance(binding, Binding) and binding.id != "list.open"
    ]

    def __init__(self) -> None:
        super().__init__()
        self.entries: Sequence[TopicEntry] = ()
        self.text: Sequence[StyledLine] = ()
        """Lines of the topic that is shown; empty while the list is."""

    def show_entries(self, entries: Sequence[TopicEntry], cursor: int = 0) -> None:
        """Show a list of topics."""
        self.entries, self.text = entries, ()
        self._show(len(entries), 0, cursor)

    def show_text(self, text: Sequence[StyledLine], cursor: int = 0) -> None:
        """Show the text of a topic."""
        self.text = text
        self._show(len(text), max((len(plain_text(line)) for line in text), default=0), cursor)

    def _show(self, count: int, width: int, cursor: int) -> None:
        self.invalidate()
        self.resize(count, width=width)
        self.rearrange(count, cursor=cursor, top=max(0, cursor - 2))

    def line(self, index: int) -> Line | None:
        if self.text:
            return tuple(TextSpan(part.text, _STYLES.get(part.style, "")) for part in self.text[index])
        entry = self.entries[index]
        count = f"{entry.matches:>3}  " if entry.matches else ""
        room = self.scrollable_content_region.width - NAME_CELLS - len(count)
        name = TextSpan(entry.name, "strong", NAME_CELLS)
        return (name, TextSpan(count, "muted"), TextSpan(entry.about, width=max(1, room)))

    def empty_lines(self) -> Sequence[Line]:
        return ((TextSpan("no topic contains these words", "muted"),),)

    @property
    def text_width(self) -> int:
        """Width for the text of a topic."""
        return min(MAX_TEXT_CELLS, max(30, self.scrollable_content_region.width - 1))


class TopicsScreen(HasCommands, Screen[None]):
    """Reads the topics of the documentation."""

    HELP = (
        "The documentation, which sprig-tui help shows too. Each topic begins with the task and ends with what can go"
        " wrong."
    )
    COMMAND_CLASSES = COMMANDS
    BINDINGS: ClassVar[list[BindingType]] = bindings(COMMANDS)
    AUTO_FOCUS = "TopicLines"

    def __init__(self, topic: str = "") -> None:
        super().__init__()
        self.topic = topic
        self._from_list = not topic
        self._words = ""
        self.lines = TopicLines()
        self.search = Input(placeholder="words to search for in all topics", max_length=MAX_SEARCH_CHARS)
        self.search.display = False
        self._frame = Vertical(self.lines, self.search, classes="pane topics-frame")

    def compose(self) -> ComposeResult:
        yield self._frame
        yield KeyBar()

    def on_mount(self) -> None:
        self.call_after_refresh(self._show)

    def on_resize(self) -> None:
        if self.topic and self.lines.text:
            share = self.lines.cursor / max(1, self.lines.count)
            text = render_markdown(read_topic(self.topic), self.lines.text_width)
            self.lines.show_text(text, round(share * len(text)))

    def _show(self) -> None:
        """Show the topic, or the list."""
        if self.topic:
            text = render_markdown(read_topic(self.topic), self.lines.text_width)
            self.lines.show_text(text, next(iter(self._match_lines(text)), 0))
        else:
            self.lines.show_entries(find_topics(self._words))
        self._retitle()

    def _retitle(self) -> None:
        title = f"Help ── {self.topic or 'topics'}"
        if self._words:
            title += f" ── {one_line(self._words, limit=40)}"
        self._frame.border_title = Content(title)

    def _match_lines(self, text: Sequence[StyledLine]) -> list[int]:
        """Indices of the lines of a text that contain the words."""
        wanted = " ".join(self._words.lower().split())
        return [at for at, line in enumerate(text) if wanted and wanted in plain_text(line).lower()]

    def open(self, topic: str, *, from_list: bool) -> None:
        """Show a topic."""
        self.topic, self._from_list = topic, from_list or self._from_list
        self._show()

    @on(LineList.Selected)
    def _line_clicked(self, event: LineList.Selected) -> None:
        event.stop()
        self.action_open_topic()

    @on(Input.Changed)
    def _words_typed(self, event: Input.Changed) -> None:
        event.stop()
        self._words = event.value
        self.topic = ""
        self._show()

    @on(Input.Submitted)
    def _words_entered(self, event: Input.Submitted) -> None:
        event.stop()
        self._close_search()

    def _close_search(self) -> None:
        self.search.display = False
        self.lines.focus()

    # -- commands ------------------------------------------------------------------------------------------------------

    def action_close_topics(self) -> None:
        if self.search.display:
            self._close_search()
        elif self.topic and self._from_list:
            name, self.topic = self.topic, ""
            self._show()
            names = [entry.name for entry in self.lines.entries]
            self.lines.cursor = names.index(name) if name in names else 0
        elif self._words and not self.topic:
            self.action_list_topics()
        else:
            self.dismiss(None)

    def action_open_topic(self) -> None:
        at = self.lines.cursor
        if at < 0:
            return
        if not self.topic:
            self.open(self.lines.entries[at].name, from_list=True)
            return
        # a link may be broken over two lines
        around = " ".join(plain_text(line).strip() for line in self.lines.text[at : at + 2])
        link = _LINK.search(plain_text(self.lines.text[at])) or _LINK.search(around)
        if link and link[1] in TOPICS:
            self.open(link[1], from_list=self._from_list)
        else:
            notify(self.app, "this line names no topic; t lists them all")

    def action_search_topics(self) -> None:
        self._from_list = True
        self.search.display = True
        self.search.value = ""
        self.search.focus()

    def action_next_topic_match(self) -> None:
        self._go_to_match(1)

    def action_previous_topic_match(self) -> None:
        self._go_to_match(-1)

    def _go_to_match(self, step: int) -> None:
        matches = self._match_lines(self.lines.text)
        if not matches:
            notify(self.app, "nothing matches here" if self._words else "/ searches the topics")
            return
        cursor = self.lines.cursor
        if step > 0:
            self.lines.cursor = next((at for at in matches if at > cursor), matches[0])
        else:
            self.lines.cursor = next((at for at in reversed(matches) if at < cursor), matches[-1])

    def action_list_topics(self) -> None:
        self.topic, self._words, self._from_list = "", "", True
        self._show()

    def action_next_topic(self) -> None:
        self._go_to_topic(1)

    def action_previous_topic(self) -> None:
        self._go_to_topic(-1)

    def _go_to_topic(self, step: int) -> None:
        names = list(TOPICS)
        at = names.index(self.topic) if self.topic else -1 if step > 0 else 0
        self.open(names[(at + step) % len(names)], from_list=self._from_list)
