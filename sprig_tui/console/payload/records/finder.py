"""Record finder: goes from a record to the next one that a filter matches, in a file whose records are all listed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event

from textual.widget import Widget

from sprig_tui.console.notify import notify
from sprig_tui.console.payload.record_file import RecordFile
from sprig_tui.console.payload.records.listed_record import RecordAssessor
from sprig_tui.console.payload.records.search import RecordFilter, find_next
from sprig_tui.errors import InputError
from sprig_tui.sprig.held_input import StoppedError

PROBLEM = "trouble"
"""What is looked for where that is the next record with a problem."""


class RecordFinder:
    """Looks for one record at a time, in a worker of `owner`; notices say that there is none, or that it went around.

    `on_found` gets the number of the record, `on_change` is called when the search begins and ends, `on_error` when the
    file cannot be read.
    """

    def __init__(
        self,
        owner: Widget,
        make_assessor: Callable[[], RecordAssessor],
        *,
        on_found: Callable[[int], None],
        on_change: Callable[[], None],
        on_error: Callable[[InputError], None],
    ) -> None:
        self._owner = owner
        self._make_assessor = make_assessor
        self._on_found, self._on_change, self._on_error = on_found, on_change, on_error
        self.text = ""
        """What is looked for, in a sentence; empty while nothing is."""
        self._stop = Event()

    def stop(self) -> None:
        """End the search soon."""
        self._stop.set()

    def find(self, file: RecordFile, wanted: RecordFilter, start: int, step: int, what: str) -> None:
        """Look for `what` after (step 1) or before (step -1) record `start`; a search that is under way ends."""
        self.stop()
        # keys wait a moment for a group of this name: they are meant for the record that is found
        work = self._find(file, wanted, start, step, what)
        self._owner.run_worker(work, group="loading-look", exclusive=True, exit_on_error=False)

    async def _find(self, file: RecordFile, wanted: RecordFilter, start: int, step: int, what: str) -> None:
        stop = self._stop = Event()
        self.text = f"looking for {what}; escape stops it"
        self._on_change()
        try:
            found = await asyncio.to_thread(find_next, file, wanted, start, step, self._make_assessor(), stop.is_set)
        except StoppedError:
            return
        except InputError as error:
            self._on_error(error)
            return
        finally:
            self.text = ""
            self._on_change()
        app = self._owner.app
        if found is None:
            notify(app, f"no record is in {what}" if what == PROBLEM else f"there is nothing of {what}")
            return
        if (found <= start) if step > 0 else (found >= start):
            only = found == start
            from_end = "beginning" if step > 0 else "end"
            notify(app, "this is the only one" if only else f"on from the {from_end} of the file")
        self._on_found(found)
