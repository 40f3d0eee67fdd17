"""Forget actions: find what holds the persons of some deliveries, ask for confirmation, and remove it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from textual.widget import Widget

from sprig_tui.clock import SystemMonotonicClock
from sprig_tui.console.notify import notify, notify_error, notify_warning
from sprig_tui.console.widgets.dialogs import ask_confirmation
from sprig_tui.delivery.forget import ForgetOutcome, ForgetStep, FoundContent, find_content, forget, requester
from sprig_tui.errors import SprigTuiError
from sprig_tui.journal.base import Journal
from sprig_tui.journal.forgetting import counts_text
from sprig_tui.journal.payload_codec import DamagedPayloadError
from sprig_tui.journal.persons import Identifier, identifiers_of_person
from sprig_tui.text import one_line

MAX_SHOWN = 8
"""Identifiers that the question lists."""


class ForgetActions:
    """Forgetting from the Deliveries pane. The method waits for a dialog, so it runs in a worker; errors are shown."""

    def __init__(self, pane: Widget, *, on_progress: Callable[[str], None]) -> None:
        self._pane = pane
        self._on_progress = on_progress
        self.capture_folders: Callable[[], tuple[Path, ...]] = tuple
        """Folders of `listen --capture`."""
        self.state_dir: Path | None = None
        """The folder of copies."""

    async def forget(self, journal: Journal, ids: Sequence[int]) -> bool:
        """Forget the persons of these deliveries; returns whether it was done."""
        app = self._pane.app
        try:
            identifiers, others = await _identifiers(journal, ids)
            if not identifiers:
                notify_warning(app, "nothing to forget: these deliveries name nobody any more")
                return False
            found = await find_content(
                journal, identifiers, self.capture_folders(), self._show, state_dir=self.state_dir
            )
            self._on_progress("")
            question, text = forget_question(identifiers), forget_explanation(identifiers, found, others)
            if not await ask_confirmation(app, question, text, yes="Forget"):
                return False
            outcome = await forget(
                journal,
                identifiers,
                requester(),
                SystemMonotonicClock(),
                capture_folders=self.capture_folders(),
                state_dir=self.state_dir,
                on_step=self._show,
            )
        except SprigTuiError as error:
            notify_error(app, error)
            return False
        finally:
            self._on_progress("")
        is_whole = not (outcome.leased or outcome.undeleted)
        (notify if is_whole else notify_warning)(app, forget_outcome(outcome))
        return True

    def _show(self, step: ForgetStep) -> None:
        self._on_progress(step.text)


async def _identifiers(journal: Journal, ids: Sequence[int]) -> tuple[tuple[Identifier, ...], tuple[Identifier, ...]]:
    """Those by which the persons of these deliveries are forgotten, each once, and the others that their records carry.

    A delivery with a User ID is forgotten by it alone: people may share a visitor id or an address, and what is
    forgotten of another person does not come back.
    """
    found: dict[Identifier, None] = {}
    others: dict[Identifier, None] = {}
    for delivery_id in ids:
        try:
            detail = await journal.get(delivery_id)
        except DamagedPayloadError:
            rows = await journal.get_many([delivery_id])
            found |= dict.fromkeys(one for row in rows for one in identifiers_of_person(row.user_id, b""))
            continue
        if detail is not None:
            content = detail.raw or detail.body
            carried = identifiers_of_person(detail.delivery.user_id, content)
            users = [one for one in carried if one.kind == "user"]
            found |= dict.fromkeys(users or carried)
            others |= dict.fromkeys(carried if users else ())
    return tuple(found), tuple(one for one in others if one not in found)


def forget_question(identifiers: Sequence[Identifier]) -> str:
    """The title of the dialog."""
    users = sum(one.kind == "user" for one in identifiers)
    return "Forget the person of this delivery?" if users <= 1 else f"Forget the {users:,} persons of these deliveries?"


def forget_explanation(
    identifiers: Sequence[Identifier], found: FoundContent, others: Sequence[Identifier] = ()
) -> str:
    """What it does, in a few lines. `others` are identifiers of the records by which nobody is forgotten."""
    lines = _identifier_lines(identifiers)
    if others:
        lines += ["not by these, which other people may share (sprig-tui forget --linked adds them):"]
        lines += _identifier_lines(others)
    states = ", ".join(
        f"{number:,} {state.value} {f'in {one_line(name, limit=40)}' if name else 'without an environment'}"
        for (name, state), number in found.states.items()
    )
    lines.append(f"deliveries: {states}" if states else "deliveries: none")
    if found.captures:
        lines.append(f"captured requests and copies: {len(found.captures):,}")
    if found.mentions:
        lines.append(f"mentioned within answers of other people, which are kept: {found.mentions:,}")
    lines.append("their content is removed for good; later answers are withheld as forgotten")
    lines.append("not reached: files, exports, backups, and what Segment has")
    return "\n".join(lines)


def _identifier_lines(identifiers: Sequence[Identifier]) -> list[str]:
    lines = [f"{one.kind:<8}{one_line(one.value, limit=80)}" for one in identifiers[:MAX_SHOWN]]
    if len(identifiers) > MAX_SHOWN:
        lines.append(f"and {len(identifiers) - MAX_SHOWN:,} more")
    return lines


def forget_outcome(outcome: ForgetOutcome) -> str:
    """Result, in one line."""
    text = f"forgotten: {counts_text(outcome.receipt.counts)}"
    if outcome.leased:
        text += f"; {outcome.leased:,} left, which a worker is sending: sprig-tui forget --resume removes them"
    if outcome.undeleted:
        text += f"; {len(outcome.undeleted):,} files could not be removed"
    return text
