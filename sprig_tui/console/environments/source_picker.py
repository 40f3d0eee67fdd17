"""Source picker: offers the sources of a Segment workspace by name, instead of pasting a key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from sprig_tui.config.secret_lint import WRITE_KEY_CHARS
from sprig_tui.console.widgets.dialogs import Dialog, ask_confirmation, hint, plain_content
from sprig_tui.console.widgets.line import Line, TextSpan
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.errors import SprigTuiError
from sprig_tui.segment.public_api_models import Source, state_text
from sprig_tui.segment.source_checks import source_mismatches
from sprig_tui.setup.key_owner import KeyOwner, find_owner, key_to_take
from sprig_tui.text import mask, one_line

if TYPE_CHECKING:
    from textual.app import App

    from sprig_tui.config.settings import Settings
    from sprig_tui.console.session import Session


ABOUT_CELLS, STATE_CELLS, KEY_CELLS = 22, 9, 11
"""Widths of the columns; the name gets the rest."""


class SourceRow(Struct, frozen=True):
    """A source, and why it may be the wrong one."""

    source: Source
    mismatches: tuple[str, ...]

    @property
    def about(self) -> str:
        """Labels, else the kind of source."""
        return ", ".join(self.source.labels) or self.source.kind

    @property
    def state(self) -> str:
        """Whether the source is enabled in Segment."""
        return state_text(self.source.enabled)

    @property
    def key(self) -> str:
        """Its first write key, masked."""
        return mask(self.source.write_keys[0]) if self.source.write_keys else "not visible"

    @property
    def detail(self) -> str:
        """The sentence under the list for the highlighted row."""
        source = self.source
        if not source.write_keys:
            return "the token cannot see its write keys: it needs the role of a source admin or workspace owner"
        if self.mismatches:
            return f"! {'; '.join(self.mismatches)}"
        more = f", the first of {len(source.write_keys)} keys" if len(source.write_keys) > 1 else ""
        return f"{', '.join(filter(None, (source.kind, source.slug)))}; key {self.key}{more}"


def source_rows(sources: Sequence[Source], environment: str, environments: Collection[str]) -> tuple[SourceRow, ...]:
    """Rows in the order of the workspace, those without mismatches first."""
    rows = [SourceRow(source, source_mismatches(source, environment, environments)) for source in sources]
    return tuple(sorted(rows, key=lambda row: bool(row.mismatches)))


def filter_rows(rows: Sequence[SourceRow], text: str) -> tuple[SourceRow, ...]:
    """Rows whose name, slug, kind or labels contain every word of the text."""
    words = text.casefold().split()
    return tuple(row for row in rows if all(word in _search_text(row) for word in words))


def _search_text(row: SourceRow) -> str:
    source = row.source
    return " ".join((source.name, source.slug, source.kind, *source.labels)).casefold()


class SourceList:
    """The sources of the workspace, asked for once: the picker and the key form of one change share them."""

    def __init__(self, settings: Settings, list_sources: Callable[[Settings], Awaitable[tuple[Source, ...]]]) -> None:
        self.settings = settings
        self._list_sources = list_sources
        self.sources: tuple[Source, ...] | None = None
        """None until Segment has answered."""

    async def load(self) -> tuple[Source, ...]:
        """Ask, unless that was answered; raises SprigTuiError."""
        if self.sources is None:
            self.sources = await self._list_sources(self.settings)
        return self.sources

    def owner(self, key: str, environment: str) -> KeyOwner | None:
        """Whose key it is; None while Segment has not answered."""
        return find_owner(key, self.sources, self.settings, environment) if self.sources is not None else None


SourceChoice = SourceRow | Literal["paste"]

_OTHER_COLUMNS_CELLS = 2 + 1 + ABOUT_CELLS + 1 + STATE_CELLS + KEY_CELLS
"""Width of a row without the name."""
PASTE_LABEL = "paste a key instead"


class SourceLines(LineList):
    """List of the filtered sources, with a last line for pasting a key."""

    def __init__(self) -> None:
        super().__init__(id="source-list")
        self.rows: tuple[SourceRow, ...] = ()

    def show(self, rows: tuple[SourceRow, ...]) -> None:
        """Show these rows from the top."""
        self.rows = rows
        self.resize(len(rows) + 1)
        self.cursor = 0
        self.scroll_to(0, 0, animate=False)
        self.invalidate()

    def on_resize(self) -> None:
        """Give the names the width that there is now."""
        self.invalidate()

    def line(self, index: int) -> Line | None:
        """Flag, name, labels, state and masked key of a source."""
        if index >= len(self.rows):
            return [TextSpan(f"  {PASTE_LABEL}", "accent")]
        row = self.rows[index]
        name = max(self.scrollable_content_region.width - _OTHER_COLUMNS_CELLS, 12)
        flag = TextSpan("! ", "warning") if row.mismatches else TextSpan("  ")
        return [
            flag,
            TextSpan(one_line(row.source.name, limit=2 * name), "muted" if row.source.enabled is False else "", name),
            TextSpan(" "),
            TextSpan(one_line(row.about, limit=2 * ABOUT_CELLS), "muted", ABOUT_CELLS),
            TextSpan(" "),
            TextSpan(row.state, "warning" if row.source.enabled is False else "muted", STATE_CELLS),
            TextSpan(row.key, "" if row.source.write_keys else "muted"),
        ]


class SourceForm(Dialog[SourceChoice | None]):
    """Asks which source the answers of an environment go to. Result: its row, `paste`, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "into_list", show=False),
        Binding("tab,shift+tab", "other", show=False, priority=True),
    ]

    def __init__(self, environment: str, source_list: SourceList) -> None:
        super().__init__(f"Source of {environment}")
        self._environment = environment
        self._source_list = source_list
        self._rows: Sequence[SourceRow] = ()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog-box", id="sources"):
            yield from self.head()
            yield Input(placeholder="part of a name or label", id="source-filter")
            yield SourceLines()
            yield Static("asking Segment for the workspace's sources …", id="source-detail")
            keys = (("down goes to the list", "down"), ("enter takes it", "enter"), ("escape cancels", "escape"))
            yield Static(Content.assemble("type to filter, ", hint(*keys)), classes="dialog-hint")

    def on_mount(self) -> None:
        """List the sources in a worker; the paste line works meanwhile."""
        self.query_one(SourceLines).show(())
        self.query_one(Input).focus()
        self.run_worker(self._load(), exit_on_error=False)

    async def _load(self) -> None:
        try:
            sources = await self._source_list.load()
        except SprigTuiError as error:
            self._show_status(f"the sources cannot be listed: {error.message}; {error.hint}", fault=True)
            return
        self._rows = source_rows(sources, self._environment, self._source_list.settings.environments)
        self._filter(self.query_one(Input).value)
        if not sources:
            self._show_status("the workspace has no source")

    def _filter(self, text: str) -> None:
        lines = self.query_one(SourceLines)
        lines.show(filter_rows(self._rows, text))
        self._show_row_detail(0)

    def _show_row_detail(self, index: int) -> None:
        rows = self.query_one(SourceLines).rows
        if self._rows:
            self._show_status(rows[index].detail if 0 <= index < len(rows) else "the key is then asked for, masked")

    def _show_status(self, text: str, *, fault: bool = False) -> None:
        detail = self.query_one("#source-detail", Static)
        detail.set_class(fault, "-fault")
        detail.update(plain_content(text))

    @on(Input.Changed)
    def _on_filter_changed(self, event: Input.Changed) -> None:
        event.stop()
        typed = event.value.strip()
        if len(typed) == WRITE_KEY_CHARS and typed.isalnum():
            # the field is not masked, so a key must not stay in it
            with event.input.prevent(Input.Changed):
                event.input.value = ""
            self._filter("")
            self._show_status(f"that is a key: choose {PASTE_LABEL!r}, where it is masked", fault=True)
        else:
            self._filter(typed)

    @on(Input.Submitted)
    def _on_submit(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip() and not self.query_one(SourceLines).rows:
            self._show_status("no source has that in its name, slug or labels", fault=True)
        else:
            self._choose(0)

    @on(LineList.Highlighted)
    def _on_highlighted(self, event: LineList.Highlighted) -> None:
        event.stop()
        self._show_row_detail(event.index)

    @on(LineList.Selected)
    def _on_selected(self, event: LineList.Selected) -> None:
        event.stop()
        self._choose(event.index)

    def _choose(self, index: int) -> None:
        rows = self.query_one(SourceLines).rows
        if index >= len(rows):
            self.dismiss("paste")
        elif not rows[index].source.write_keys:
            self._show_status(rows[index].detail, fault=True)
        else:
            self.dismiss(rows[index])

    def action_into_list(self) -> None:
        self.query_one(SourceLines).focus()

    def action_other(self) -> None:
        field = self.query_one(Input)
        (self.query_one(SourceLines) if field.has_focus else field).focus()


PASTE: Final = "paste"
"""Choice to paste a key; too short to be mistaken for one."""


def source_list(session: Session) -> SourceList | None:
    """The list for one change of a key; None where no token of Segment's Public API is configured."""
    list_sources, settings = session.dependencies.list_sources, session.settings
    if list_sources is None or settings.workspace.token is None:
        return None
    return SourceList(settings, list_sources)


async def pick_key(app: App[Any], sources: SourceList | None, environment: str) -> str | None:
    """The key of the source that the user chose, PASTE to ask for a key, None for no change.

    Returns PASTE at once where there is no list to choose from.
    """
    if sources is None:
        return PASTE
    settings = sources.settings
    while True:
        choice = await app.push_screen_wait(SourceForm(environment, sources))
        if choice is None or choice == PASTE:
            return choice
        key = key_to_take(choice.source, settings, environment)
        owner = find_owner(key, [choice.source], settings, environment)
        mismatches = [f"- {mismatch}" for mismatch in owner.mismatches]
        mismatches += [
            f"- {name} has the same key"
            for name, other in settings.environments.items()
            if name != environment
            and other.write_key is not None
            and other.write_key.is_read
            and other.write_key.reveal() == key
        ]
        if not mismatches:
            return key
        question = f"Take {one_line(choice.source.name, limit=60)} for {environment}?"
        if await ask_confirmation(app, question, "\n".join(mismatches), yes="Take it"):
            return key
