"""The files behind the Payload pane: opened, counted and moved through while keys are answered."""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from pathlib import Path
from threading import Event

from textual import work
from textual.timer import Timer

from sprig_tui.clock import Clock
from sprig_tui.console.notify import notify, notify_error, notify_warning
from sprig_tui.console.payload.file_picker import dropped_paths
from sprig_tui.console.payload.inspection import has_problems
from sprig_tui.console.payload.mapped_pane import FilePlace, MappedPane
from sprig_tui.console.payload.record_file import RecordFile, StoppedError
from sprig_tui.console.payload.summary import RecordPosition
from sprig_tui.errors import InputError
from sprig_tui.ingest import EntryBuilder
from sprig_tui.sprig.reader import find_files
from sprig_tui.sprig.records import Record


def _existing_files(sources: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[InputError, ...]]:
    """The sources that can be opened, and why the others cannot."""
    there: list[str] = []
    missing: list[InputError] = []
    for source in sources:
        try:
            find_files([source])
        except InputError as error:
            missing.append(error)
        else:
            there.append(source)
    return tuple(there), tuple(missing)


class ProblemIndex:
    """The numbers of the records in trouble, as far as they are known; filled by a thread, read by the screen."""

    def __init__(self) -> None:
        self.numbers = array("q")
        self.complete = False

    def next(self, number: int, step: int) -> int | None:
        """The nearest one after (step 1) or before (step -1) record `number`."""
        if step > 0:
            at = bisect_right(self.numbers, number)
            return self.numbers[at] if at < len(self.numbers) else None
        at = bisect_left(self.numbers, number)
        return self.numbers[at - 1] if at else None

    def rank(self, number: int) -> int:
        """Which of them a record is, from 1; 0 where it is none."""
        at = bisect_left(self.numbers, number)
        return at + 1 if at < len(self.numbers) and self.numbers[at] == number else 0


class RecordBrowser:
    """An open file and the record that is looked at. Reading goes on in threads, which `close` ends."""

    def __init__(self, file: RecordFile, missing: tuple[InputError, ...] = ()) -> None:
        self.file = file
        self.missing = missing
        """Why some of the sources that were asked for are not among it."""
        self.number = 0
        """The record asked for last, from 0."""
        self.problems: ProblemIndex | None = None
        """Set while only troubled records are wanted."""
        self.counting = False
        """Whether `count` goes on."""
        self._closed = Event()
        self._reading = Event()

    @classmethod
    async def open(cls, sources: tuple[str, ...]) -> RecordBrowser:
        """Of several sources those that can be opened; raises InputError as RecordFile does where none can."""
        if len(sources) < 2:
            return cls(await asyncio.to_thread(RecordFile, sources))
        there, missing = await asyncio.to_thread(_existing_files, sources)
        if missing and not there:
            raise missing[0]
        return cls(await asyncio.to_thread(RecordFile, there), missing)

    def close(self) -> None:
        """End what is still being read."""
        self._closed.set()
        self._reading.set()

    async def read(self, number: int) -> Record | None:
        """Record `number`, None past the end; a read that is still under way is given up, and raises StoppedError.

        Raises InputError when the file is gone or has changed.
        """
        self._reading.set()
        kept = self.file.cached(number)
        if kept is not None:
            return kept
        stop = self._reading = Event()
        while self.is_ahead(number):
            # The count comes by there and leaves marks; reading beside it would take both twice as long.
            await asyncio.sleep(0.05)
            if stop.is_set():
                raise StoppedError
        return await asyncio.to_thread(self.file.read, number, stop.is_set)

    def is_ahead(self, number: int) -> bool:
        """Whether the record lies where the count still has to come by."""
        return self.counting and self.file.seekable and number >= self.file.count

    async def count(self) -> None:
        """Count to the end; raises InputError, and StoppedError when closed."""
        self.counting = True
        try:
            await asyncio.to_thread(self.file.count_on, self._closed.is_set)
        finally:
            self.counting = False

    async def find_problems(self, problems: ProblemIndex, intake: EntryBuilder, now_ms: int) -> None:
        """Look at every record for trouble, until that is done or no longer wanted.

        The intake is for this alone. Raises InputError.
        """

        def stop() -> bool:
            return self._closed.is_set() or self.problems is not problems

        def look() -> None:
            for number, record in self.file.each(stop):
                if has_problems(record, intake, now_ms):
                    problems.numbers.append(number)
            problems.complete = True

        try:
            await asyncio.to_thread(look)
        except StoppedError:
            return

    @property
    def busy(self) -> bool:
        """Whether counting or looking for trouble goes on."""
        return not self.file.complete or (self.problems is not None and not self.problems.complete)

    def position(self) -> RecordPosition:
        """Where the record stands."""
        troubled = None
        if self.problems is not None:
            troubled = (self.problems.rank(self.number), len(self.problems.numbers), self.problems.complete)
        return RecordPosition(
            self.file.name, self.number + 1, max(self.file.count, self.number + 1), self.file.complete, troubled
        )


PROGRESS_UPDATES_PER_S = 8
"""How often the title is brought up to date while a file is being counted."""


class RecordsPane(MappedPane):
    """Moves through the records of a file, all or only those in trouble."""

    def __init__(self, *, clock: Clock | None = None, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(clock=clock, id=id)
        self.browser: RecordBrowser | None = None
        """The open file."""
        self._target = 0
        self._waiting_step = 0
        """The way to go once the next troubled record is known; 0 for none."""
        self._ticker: Timer | None = None

    def show_file(self, path: str | Path | Sequence[str]) -> None:
        """Open a file, a folder, or several; what was open stays until the new one is read."""
        self._open((str(path),) if isinstance(path, str | Path) else tuple(path))

    def open_pasted(self, text: str) -> bool:
        """Open what a pasted text names, if it is a path that exists; whether it was one."""
        paths = dropped_paths(text)
        if paths:
            self.show_file(paths)
        return bool(paths)

    def position(self) -> RecordPosition | None:
        """Where the record stands in its file; None where it comes from the log."""
        return self.browser.position() if self.browser is not None and self.in_file else None

    def go_to(self, number: int) -> None:
        """Show record `number`, from 0; a notice says when there is none."""
        browser = self.browser
        if browser is None or number < 0:
            return
        self._target = number
        kept = browser.file.cached(number)
        if kept is not None:
            self._show_fetched(number, kept)
        else:
            self._fetch(number)

    def step(self, step: int) -> None:
        """To the next record (1) or the one before (-1), of those that are wanted."""
        browser = self.browser
        if browser is None:
            return
        if browser.problems is not None:
            self._step_problems(step)
        elif not self.in_file:
            self.go_to(browser.number)
        elif self._target + step < 0:
            notify(self.app, "this is the first record")
        elif browser.file.complete and self._target + step >= browser.file.count:
            notify(self.app, "this is the last record")
        else:
            self.go_to(self._target + step)

    def toggle_problems(self) -> None:
        """Want only troubled records, or all again."""
        browser = self.browser
        if browser is None:
            return
        self._waiting_step = 0
        if browser.problems is not None:
            browser.problems = None
            self.update_title()
        else:
            browser.problems = ProblemIndex()
            self._find_problems(browser, browser.problems)
            self._target = browser.number - 1
            self._step_problems(1)

    def _step_problems(self, step: int) -> None:
        browser = self.browser
        if browser is None or browser.problems is None:
            self._waiting_step = 0
            return
        troubles, self._waiting_step = browser.problems, 0
        found = troubles.next(self._target, step)
        if found is not None:
            self.go_to(found)
        elif step > 0 and not troubles.complete:
            # Looked for still: the clock of the title comes back to it.
            self._waiting_step = step
        elif not troubles.numbers:
            browser.problems = None
            self._target = browser.number
            notify(self.app, "no record of this file is in trouble; all are shown")
            self.update_title()
        elif not troubles.rank(browser.number):
            self.go_to(troubles.numbers[-1])
        else:
            self._target = browser.number
            notify(self.app, f"this is the {'last' if step > 0 else 'first'} troubled record")

    @work(exclusive=True, group="payload-troubles", exit_on_error=False)
    async def _find_problems(self, browser: RecordBrowser, problems: ProblemIndex) -> None:
        self._watch_progress()
        try:
            await browser.find_problems(problems, self.make_intake(), self._clock.now())
        except InputError as error:
            notify_error(self.app, error)
        self._tick()

    @work(exclusive=True, group="loading-record", exit_on_error=False)
    async def _open(self, sources: tuple[str, ...], number: int = 0) -> None:
        try:
            browser = await RecordBrowser.open(sources)
            record = await browser.read(number)
        except InputError as error:
            notify_error(self.app, error)
            return
        if record is None and number == 0:
            notify_warning(self.app, f"{browser.file.name} holds no records")
            return
        if browser.missing:
            said = "; ".join(error.message for error in browser.missing[:3])
            more = f"; and {len(browser.missing) - 3:,} more" if len(browser.missing) > 3 else ""
            opened = len(sources) - len(browser.missing)
            notify_warning(self.app, f"{opened:,} of {len(sources):,} opened: {said}{more}")
        self._close_file()
        self.browser = browser
        self.detail = None
        self._show_fetched(number if record is not None else 0, record or await browser.read(0))
        self._count(browser)

    def _close_file(self) -> None:
        if self.browser is not None:
            self.browser.close()

    def on_unmount(self) -> None:
        """Threads that still read end."""
        self._close_file()

    @work(group="payload-count", exit_on_error=False)
    async def _count(self, browser: RecordBrowser) -> None:
        self._watch_progress()
        try:
            await browser.count()
        except StoppedError:
            return
        except InputError as error:
            notify_error(self.app, error)
        self.update_title()
        self.post_message(self.RecordShown(self.inspection))

    def _watch_progress(self) -> None:
        if self._ticker is None:
            self._ticker = self.set_interval(1 / PROGRESS_UPDATES_PER_S, self._tick)
        self._ticker.resume()

    def _tick(self) -> None:
        browser = self.browser
        if browser is None or not browser.busy:
            if self._ticker is not None:
                self._ticker.pause()
            self.update_title()
        elif self.in_file:
            self.update_title()
        if self._waiting_step:
            self._step_problems(self._waiting_step)

    @work(exclusive=True, group="loading-record", exit_on_error=False)
    async def _fetch(self, number: int) -> None:
        browser = self.browser
        if browser is None:
            return
        if number >= browser.file.count:
            self.show_progress(f"reading up to record {number + 1:,}", task="reading")
        try:
            record = await browser.read(number)
        except StoppedError:
            return
        except InputError as error:
            self._target = browser.number
            notify_warning(self.app, f"{error.message}: it is read again from its beginning")
            self._open(browser.file.sources, number)
            return
        finally:
            if self._target in (number, browser.number):
                self.show_progress("", task="reading")
        if record is not None:
            self._show_fetched(number, record)
        else:
            self._target = browser.number
            notify_warning(self.app, f"record {number + 1:,} is past the end: there are {browser.file.count:,}")

    def _show_fetched(self, number: int, record: Record | None) -> None:
        if self.browser is None or record is None:
            return
        self.browser.number = self._target = number
        self.place = FilePlace(self.browser.file.sources, number)
        edited = self.edited_at(self.place, record)
        self.show_record(edited or record, edited=edited is not None, in_file=True)
