"""Forget actions: find what holds the persons of some deliveries, ask for confirmation, and remove it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from textual.widget import Widget

from sprig_tui.clock import SystemMonotonicClock
from sprig_tui.console.notify import notify, notify_error, notify_warning
from sprig_tui.console.widgets.dialogs import ask_confirmation
from sprig_tui.console.widgets.line_picker import LinePicker
from sprig_tui.delivery.forget import ForgetOutcome, ForgetStep, FoundContent, find_content, forget, requester
from sprig_tui.errors import SprigTuiError
from sprig_tui.journal.base import Journal
from sprig_tui.journal.forgetting import counts_text
from sprig_tui.journal.payload_codec import DamagedPayloadError
from sprig_tui.journal.persons import Identifier, identifiers_of_person
from sprig_tui.text import one_line

MAX_SHOWN = 8
"""Identifiers that the question lists."""
MAX_NAMED = 3
"""Identifiers that a line of the choice names."""
WHOM_QUESTION = "A record names two User IDs. Forget whom?"


class Persons(NamedTuple):
    """Identifiers of the persons of some deliveries."""

    sent_as: tuple[Identifier, ...]
    """The User IDs that were sent."""
    named: tuple[Identifier, ...]
    """Other User IDs of their records; all identifiers of a record that has none."""
    shared: tuple[Identifier, ...]
    """Identifiers that other people may share: those of devices, and addresses."""


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
            persons = await _read_persons(journal, ids)
            if not (persons.sent_as or persons.named):
                notify_warning(app, "nothing to forget: these deliveries name nobody any more")
                return False
            identifiers = persons.sent_as or persons.named
            if persons.sent_as and persons.named:
                chosen = await app.push_screen_wait(LinePicker(WHOM_QUESTION, whom_choices(persons), verb="chooses"))
                if chosen is None:
                    return False
                identifiers += persons.named[: len(persons.named) * chosen]
            others = tuple(one for one in (*persons.named, *persons.shared) if one not in identifiers)
            found = await find_content(
                journal, identifiers, self.capture_folders(), self._show, state_dir=self.state_dir
            )
            self._on_progress("")
            question = forget_question(identifiers, deliveries=len(ids))
            text = forget_explanation(identifiers, found, others)
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


async def _read_persons(journal: Journal, ids: Sequence[int]) -> Persons:
    """The identifiers of the persons of these deliveries, each once.

    A delivery with a User ID is forgotten by its User IDs alone: people may share a visitor id or an address, and what
    is forgotten of another person does not come back.
    """
    sent_as: dict[Identifier, None] = {}
    named: dict[Identifier, None] = {}
    shared: dict[Identifier, None] = {}
    for delivery_id in ids:
        try:
            detail = await journal.get(delivery_id)
        except DamagedPayloadError:
            rows = await journal.get_many([delivery_id])
            sent_as |= dict.fromkeys(one for row in rows for one in identifiers_of_person(row.user_id, b""))
            continue
        if detail is not None:
            user_id = detail.delivery.user_id
            carried = identifiers_of_person(user_id, detail.raw or detail.body)
            users = [one for one in carried if one.kind == "user"]
            sent_as |= dict.fromkeys(one for one in identifiers_of_person(user_id, b"") if one in users)
            named |= dict.fromkeys(users or carried)
            shared |= dict.fromkeys(carried if users else ())
    known = dict(sent_as)
    return Persons(
        tuple(sent_as),
        tuple(one for one in named if one not in known),
        tuple(one for one in shared if one not in known and one not in named),
    )


def whom_choices(persons: Persons) -> tuple[str, str]:
    """The lines of the question whom to forget: by the User IDs that were sent alone, or by all of the records."""
    sent_as, named = (_names(identifiers) for identifiers in (persons.sent_as, persons.named))
    return f"{sent_as}, the User ID that was sent", f"{sent_as} and {named}, which the record names too"


def _names(identifiers: Sequence[Identifier]) -> str:
    shown = ", ".join(one_line(one.value, limit=40) for one in identifiers[:MAX_NAMED])
    return f"{shown} and {len(identifiers) - MAX_NAMED:,} more" if len(identifiers) > MAX_NAMED else shown


def forget_question(identifiers: Sequence[Identifier], *, deliveries: int) -> str:
    """The title of the dialog."""
    users = sum(one.kind == "user" for one in identifiers)
    if deliveries == 1:
        by = f", by {users:,} User IDs" if users > 1 else ""
        return f"Forget the person of this delivery{by}?"
    return f"Forget the persons of these deliveries, by {users:,} User ID{'s' * (users != 1)}?"


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
