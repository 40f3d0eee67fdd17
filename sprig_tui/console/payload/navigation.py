"""Navigation through the records of the open file: its commands, its workers, and what they notify."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from threading import Event
from typing import Any

from textual.app import App
from textual.timer import Timer
from textual.widget import Widget

from sprig_tui.clock import Clock
from sprig_tui.console.notify import notify, notify_error, notify_warning
from sprig_tui.console.payload.inspection import PlanCheck
from sprig_tui.console.payload.record_browser import ProblemIndex, RecordBrowser, RecordRef
from sprig_tui.console.payload.summary import RecordPosition
from sprig_tui.console.widgets.dialogs import Prompt
from sprig_tui.errors import InputError
from sprig_tui.ingest import EntryBuilder
from sprig_tui.sprig.held_input import InputSource, StoppedError
from sprig_tui.sprig.records import Record

PROGRESS_UPDATES_PER_S = 8
"""Updates per second of the position shown while a file is counted."""


class RecordNavigator:
    """Position in the open file: moves to a record by number, to its neighbours, or to those with problems only.

    `owner` is the widget whose workers and timer are used. `on_record` gets each record that was asked for,
    `on_progress` a text while a far record is read (empty once it is there), and `on_position` is called when the
    position or the number of records changed, with True once the file is counted.
    """

    def __init__(
        self,
        owner: Widget,
        clock: Clock,
        make_builder: Callable[[], EntryBuilder],
        check_plan: PlanCheck,
        *,
        on_record: Callable[[RecordRef, Record], None],
        on_progress: Callable[[str], None],
        on_position: Callable[[bool], None],
    ) -> None:
        """`make_builder` makes a builder for the thread that looks for problems, `check_plan` is called there, too."""
        self._owner = owner
        self._clock = clock
        self._make_builder = make_builder
        self._check_plan = check_plan
        self._on_record, self._on_progress, self._on_position = on_record, on_progress, on_position
        self.browser: RecordBrowser | None = None
        """The open file."""
        self.in_view = False
        """Whether the record at the present position is on the screen; the owner clears it when it shows another."""
        self._opening = Event()
        """Ends the thread that opens something."""
        self._left = False
        """Whether the owner showed something else since the last file was to be opened."""
        self._target = 0
        self._waiting_step = 0
        """Direction to move in once the next record with problems is known; 0 for none."""
        self._timer: Timer | None = None

    def open(self, path: str | Path | Sequence[InputSource]) -> None:
        """Open a file, a folder, or several, or what is held; the open file stays until the new one is read."""
        self._start_open((str(path),) if isinstance(path, str | Path) else tuple(path))

    async def open_now(self, sources: tuple[str, ...]) -> bool:
        """Open files at their first record, and wait for it; False, with a notice, where they cannot be opened."""
        self._left = False
        await self._open(sources, 0, self._opening)
        return self.browser is not None

    def reopen(self) -> None:
        """Read the open file again, and show the same record, or the first one."""
        if self.browser is not None:
            self._start_open(self.browser.file.sources, self.browser.number)

    def close(self) -> None:
        """End the threads that still read."""
        self._opening.set()
        if self.browser is not None:
            self.browser.close()

    def leave(self) -> None:
        """The owner shows something else than a record of the file."""
        self.in_view = False
        self._left = True

    def position(self) -> RecordPosition | None:
        """The position of the record on the screen; None where that is not a record of the file."""
        return self.browser.position() if self.browser is not None and self.in_view else None

    def go_to(self, number: int) -> None:
        """Show record `number`, from 0; a notice says when there is none."""
        browser = self.browser
        if browser is None or number < 0:
            return
        browser.file.give_way()
        self._target = number
        cached = browser.file.cached(number)
        if cached is not None:
            self._show(browser, number, cached)
        else:
            self._run(self._fetch(browser, number), "loading-record")

    @property
    def target(self) -> int:
        """The record asked for last, from 0, whether it is shown yet or not."""
        return self._target

    def step(self, step: int) -> None:
        """Go to the next record (1) or the previous one (-1), of those that are wanted."""
        browser = self.browser
        if browser is None:
            return
        if browser.problems is not None:
            self._step_problems(step)
        elif not self.in_view:
            self.go_to(browser.number)
        elif self._target + step < 0:
            self._go_around(browser.file.count - 1, "record", is_known=browser.file.complete)
        elif browser.file.complete and self._target + step >= browser.file.count:
            self._go_around(0, "record", is_known=True)
        else:
            self.go_to(self._target + step)

    def _go_around(self, number: int, what: str, *, is_known: bool) -> None:
        """Go on from the other end of the file, and say so; where that is not known yet, stay."""
        browser = self.browser
        if browser is None:
            return
        forward = number <= browser.number
        if not is_known:
            self._target = browser.number
            notify(self._owner.app, f"this is the first {what}; the last is not known yet: the file is still read")
        elif number == browser.number:
            notify(self._owner.app, f"this is the only {what}")
        else:
            notify(self._owner.app, f"on from the {'first' if forward else 'last'} {what}")
            self.go_to(number)

    def toggle_problems(self) -> None:
        """Move between records with problems only, or between all again."""
        browser = self.browser
        if browser is None:
            return
        self._waiting_step = 0
        if browser.problems is not None:
            browser.problems = None
            self._on_position(False)
        else:
            browser.problems = ProblemIndex()
            self._run(self._find_problems(browser, browser.problems), "payload-troubles")
            self._target = browser.number - 1
            self._step_problems(1)

    def _step_problems(self, step: int) -> None:
        browser = self.browser
        if browser is None or browser.problems is None:
            self._waiting_step = 0
            return
        problems, self._waiting_step = browser.problems, 0
        number = problems.next(self._target, step)
        if number is not None:
            self.go_to(number)
        elif step > 0 and not problems.complete:
            # the search goes on; the timer tries the step again
            self._waiting_step = step
        elif not problems.numbers:
            browser.problems = None
            self._target = browser.number
            notify(self._owner.app, "no record of this file has a problem; all are shown")
            self._on_position(False)
        elif not problems.rank(browser.number):
            self.go_to(problems.numbers[-1])
        else:
            other_end = problems.numbers[0 if step > 0 else -1]
            self._go_around(other_end, "record with a problem", is_known=step > 0 or problems.complete)

    # -- workers -------------------------------------------------------------------------------------------------------

    def _run(self, work: Coroutine[None, None, None], group: str, *, exclusive: bool = True) -> None:
        self._owner.run_worker(work, name=group, group=group, exclusive=exclusive, exit_on_error=False)

    def _start_open(self, sources: tuple[InputSource, ...], number: int = 0) -> None:
        self._opening.set()
        self._opening = Event()
        self._left = False
        self._run(self._open(sources, number, self._opening), "loading-record")

    async def _open(self, sources: tuple[InputSource, ...], number: int, stop: Event) -> None:
        awaited = [source.title for source in sources if not isinstance(source, str) and not source.ended]
        if awaited:
            self._on_progress(f"waiting for {awaited[0]}")
        try:
            browser = await RecordBrowser.open(sources, stop.is_set)
            record = await browser.read(number)
        except StoppedError:
            return
        except InputError as error:
            notify_error(self._owner.app, error)
            return
        finally:
            if awaited:
                self._on_progress("")
        if record is None and number == 0:
            notify_warning(self._owner.app, f"{browser.file.name} holds no records")
            return
        if browser.missing:
            reasons = "; ".join(error.message for error in browser.missing[:3])
            more = f"; and {len(browser.missing) - 3:,} more" if len(browser.missing) > 3 else ""
            opened = len(sources) - len(browser.missing)
            notify_warning(self._owner.app, f"{opened:,} of {len(sources):,} opened: {reasons}{more}")
        self.close()
        self.browser = browser
        if awaited and self._left:
            # it came late: what the user looks at meanwhile is not replaced
            notify(self._owner.app, f"{browser.file.name} is there: n shows its first record")
        else:
            self._show(browser, number if record is not None else 0, record or await browser.read(0))
        self._run(self._count(browser), "payload-count", exclusive=False)

    async def _count(self, browser: RecordBrowser) -> None:
        self._start_timer()
        try:
            await browser.count()
        except StoppedError:
            return
        except InputError as error:
            notify_error(self._owner.app, error)
        for shortfall in browser.file.shortfalls:
            notify_warning(self._owner.app, shortfall)
        self._on_position(True)

    async def _find_problems(self, browser: RecordBrowser, problems: ProblemIndex) -> None:
        self._start_timer()
        try:
            await browser.find_problems(problems, self._make_builder(), self._clock.now(), self._check_plan)
        except InputError as error:
            notify_error(self._owner.app, error)
        self._tick()

    async def _fetch(self, browser: RecordBrowser, number: int) -> None:
        if number >= browser.file.count:
            self._on_progress(f"reading up to record {number + 1:,}")
        try:
            record = await browser.read(number)
        except StoppedError:
            return
        except InputError as error:
            self._target = browser.number
            notify_warning(self._owner.app, f"{error.message}: it is read again from its beginning")
            self._start_open(browser.file.sources, number)
            return
        finally:
            if self._target in (number, browser.number):
                self._on_progress("")
        if record is not None:
            self._show(browser, number, record)
            return
        self._target = browser.number
        count = f"{browser.file.count:,}"
        if browser.file.awaits_more:
            notify(self._owner.app, f"record {number + 1:,} has not come yet: {browser.file.name} gave {count} so far")
        else:
            notify_warning(self._owner.app, f"record {number + 1:,} is past the end: there are {count}")

    def _show(self, browser: RecordBrowser, number: int, record: Record | None) -> None:
        if record is None or browser is not self.browser:
            return
        browser.number = self._target = number
        self.in_view = True
        self._on_record(RecordRef(browser.file.sources, number), record)

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = self._owner.set_interval(1 / PROGRESS_UPDATES_PER_S, self._tick)
        self._timer.resume()

    def _tick(self) -> None:
        browser = self.browser
        busy = browser is not None and browser.busy
        if not busy and self._timer is not None:
            self._timer.pause()
        if not busy or self.in_view:
            self._on_position(False)
        if self._waiting_step:
            self._step_problems(self._waiting_step)


async def ask_record_number(app: App[Any], browser: RecordBrowser) -> int | None:
    """Ask for the number of a record; returns it counted from 0, or None."""
    more = "" if browser.file.complete else " or more"

    def check(typed: str) -> str:
        digits = typed.strip().replace(",", "")
        return "" if digits.isdecimal() and 0 < len(digits) < 13 and int(digits) else "type a number from 1 on"

    prompt = Prompt("Go to record", f"1 to {browser.file.count:,}{more}", check=check)
    typed = await app.push_screen_wait(prompt)
    return int(typed.strip().replace(",", "")) - 1 if typed is not None else None
