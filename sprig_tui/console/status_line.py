"""Status line: its text, the most important parts first, and the widget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

from sprig_tui.console.commands.base import Permissions
from sprig_tui.console.environments.status import EnvironmentView
from sprig_tui.console.snapshot import HISTORY_SAMPLES, ConsoleSnapshot
from sprig_tui.console.theme import MUTED
from sprig_tui.text import printable

BARS = "▁▂▃▄▅▆▇█"


class StatusPart(NamedTuple):
    """A part of the line in one style of Textual, such as `$text-error` or `bold`."""

    text: str
    style: str = ""


HELD_CONFIG_TEXT = "old config in use"


def badge(label: str, permissions: Permissions) -> str:
    """Kind of console, such as `demo`, `read-only` or `no engine`; empty for one that delivers."""
    kinds = [label, "read-only" if permissions.read_only else "" if permissions.engine else "no engine"]
    return " ".join(kind for kind in kinds if kind)


def sparkline(history: Sequence[int]) -> str:
    """One bar per second, scaled to the highest; empty where nothing was delivered."""
    top = max(history, default=0)
    if top <= 0:
        return ""
    return "".join(BARS[(value * 8 - 1) // top] if value else " " for value in history).rjust(HISTORY_SAMPLES)


def status_parts(
    snapshot: ConsoleSnapshot, selected: str, label: str, width: int, *, config_is_held: bool = False
) -> list[StatusPart]:
    """The line for `width` cells; `config_is_held` while the config on disk is not in use."""
    badges = [StatusPart(f" {label}", "bold $text-accent"), StatusPart("  ")] if label else []
    if config_is_held:
        # in whichever pane the user is: the Environments pane, which says why, may be folded or behind another
        badges += [StatusPart(f" {HELD_CONFIG_TEXT}", "bold $text-warning"), StatusPart("  ")]
    left = [StatusPart(" sprig-tui", "bold"), *(badges or [StatusPart("  ")]), StatusPart(" ")]
    right = [StatusPart(f"journal: {snapshot.journal} ", _JOURNAL_STYLES.get(snapshot.journal, MUTED))]
    if snapshot.trouble:
        room = max(10, width - _cells(left) - _cells(right) - 4)
        return _spread_parts(
            [*left, StatusPart(f"✗ {printable(snapshot.trouble, limit=room)}", "$text-error")], right, width
        )
    current = next((view for view in snapshot.environments if view.name == selected), None)
    numbers, noted = _numbers(snapshot), _numbers(snapshot, notes=True)
    middle = _environment(current) if current else []
    others = [
        part
        for view in snapshot.environments
        if view.name != selected and view.rate
        for part in (
            StatusPart(f"○ {view.title} "),
            StatusPart(f"{view.rate:,}/s", "$text-success"),
            StatusPart("   "),
        )
    ]
    for groups in (
        (left, middle, others, noted, right),
        (left, middle, others, numbers, right),
        (left, middle, noted, right),
        (left, middle, numbers, right),
        (left, middle, noted),
        (badges, middle, noted),
        (left, middle, numbers),
        (badges, middle, numbers),
        (badges, _environment(current, history=False) if current else [], numbers),
    ):
        parts = [part for group in groups for part in group]
        if _cells(parts) <= width:
            break
    return _spread_parts(parts[: len(parts) - len(right)], right, width) if right[0] in parts else parts


_JOURNAL_STYLES = {"lost": "$text-error", "opening": "$text-warning"}


def _environment(view: EnvironmentView, *, history: bool = True) -> list[StatusPart]:
    parts = [StatusPart(f"● {view.title}", "bold"), StatusPart("   ")]
    status = view.status
    if view.rate or view.in_flight:
        parts += [
            StatusPart(f"delivering {view.rate:,}/s ", "$text-success"),
            StatusPart(sparkline(view.history) if history else "", "$text-accent"),
        ]
    else:
        # the Environments pane has the rest
        word = status.brief or status.text
        style = {"bad": "$text-error", "warning": "$text-warning", "good": "$text-success"}.get(status.level, "")
        parts.append(StatusPart(printable(word, limit=40), style or MUTED))
    return [*parts, StatusPart("   ")]


def _numbers(snapshot: ConsoleSnapshot, *, notes: bool = False) -> list[StatusPart]:
    """The numbers; with `notes` also how many of the failed and the withheld ones are repaired."""
    return [
        StatusPart(f"queued {snapshot.queued:,}  ", "" if snapshot.queued else MUTED),
        _problem_part("failed", snapshot.failed, snapshot.repaired_failed, "$text-error", notes=notes),
        _problem_part("withheld", snapshot.withheld, snapshot.repaired_withheld, "$text-warning", notes=notes),
    ]


def _problem_part(word: str, number: int, repaired: int, style: str, *, notes: bool) -> StatusPart:
    """Such as `withheld 41 (1 repaired)`; in its colour only while one is left to repair."""
    note = f" ({repaired:,} repaired)" if repaired and notes else ""
    return StatusPart(f"{word} {number:,}{note}  ", style if number > repaired else MUTED)


def _cells(parts: Sequence[StatusPart]) -> int:
    return sum(cell_len(part.text) for part in parts)


def _spread_parts(left: list[StatusPart], right: list[StatusPart], width: int) -> list[StatusPart]:
    return [*left, StatusPart(" " * max(1, width - _cells(left) - _cells(right))), *right]


class Badge(Widget):
    """Kind of console in the corner of a screen that has no status line, or may hide it."""

    ALLOW_SELECT = False

    def __init__(self, text: str) -> None:
        super().__init__(id="badge")
        self._text = text
        self._left = -1

    def on_mount(self) -> None:
        self.styles.width = cell_len(self._text) + 2
        self._place(self.screen)
        self.screen.screen_layout_refresh_signal.subscribe(self, self._place)

    def _place(self, screen: Screen[object]) -> None:
        # below a dialog the status line of the panes shows the same, where the dialog does not reach it
        own = [child for child in screen.children if child is not self and not child.has_class("-textual-system")]
        hidden = screen.is_modal and not any(child.region and child.region.y <= 0 for child in own)
        if hidden == self.visible:
            self.visible = not hidden
        left = max(0, screen.size.width - cell_len(self._text) - 5)
        if left != self._left:
            self._left = left
            self.styles.offset = (left, 0)

    def render(self) -> Content:
        return Content(self._text)


class StatusLine(Widget):
    """Status line of a snapshot; repaints only when its own text changes."""

    ALLOW_SELECT = False

    snapshot: reactive[ConsoleSnapshot] = reactive(ConsoleSnapshot(), repaint=False)
    selected: reactive[str] = reactive("", repaint=False)
    config_is_held: reactive[bool] = reactive(False, repaint=False)

    def __init__(self, label: str = "", *, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self._label = label
        self._shown: list[StatusPart] = []

    def watch_snapshot(self) -> None:
        """Other numbers."""
        self._refresh()

    def watch_selected(self) -> None:
        """Another environment."""
        self._refresh()

    def watch_config_is_held(self) -> None:
        """The config on disk is in use again, or no more."""
        self._refresh()

    def _refresh(self) -> None:
        if self._parts() != self._shown:
            self.refresh()

    def _parts(self) -> list[StatusPart]:
        return status_parts(
            self.snapshot, self.selected, self._label, self.size.width, config_is_held=self.config_is_held
        )

    def render(self) -> Content:
        """One line."""
        self._shown = self._parts()
        return Content.assemble(*(part if part.style else part.text for part in self._shown))
