"""Row reader of the list of records: reads and assesses what is in view, a page at a time, in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sprig_tui.console.payload.record_file import RecordFile
from sprig_tui.console.payload.records.listed_record import ListedRecord, RecordAssessor
from sprig_tui.console.payload.records.record_lines import RecordLines
from sprig_tui.errors import InputError
from sprig_tui.sprig.held_input import StoppedError


class RowReader:
    """Gives `lines` the rows that they want; its owner runs `run` in a worker, and calls `close` at the end.

    `on_rows` is called when what is in view was read, `on_error` when the file cannot be read.
    """

    def __init__(
        self,
        lines: RecordLines,
        make_assessor: Callable[[], RecordAssessor],
        *,
        on_rows: Callable[[], None],
        on_error: Callable[[InputError], None],
    ) -> None:
        self._lines = lines
        self._make_assessor = make_assessor
        self._on_rows, self._on_error = on_rows, on_error
        self._file: RecordFile | None = None
        self._assessor: RecordAssessor | None = None
        """For the thread that reads."""
        self._closed = False

    def start(self, file: RecordFile | None) -> None:
        """Read from this file from now on, and assess by what holds now."""
        self._file = file
        self._assessor = None

    def close(self) -> None:
        """End the thread that still reads."""
        self._closed = True

    async def run(self) -> None:
        """Read the rows in view whenever they are wanted."""
        while True:
            await self._lines.rows_wanted.wait()
            self._lines.rows_wanted.clear()
            numbers, file = self._lines.wanted_numbers(), self._file
            if file is None or not numbers:
                self._on_rows()
                continue
            if self._assessor is None:
                self._assessor = self._make_assessor()
            try:
                rows = await asyncio.to_thread(self._read, file, numbers, self._assessor)
            except StoppedError:
                continue
            except InputError as error:
                if file is self._file:
                    self._on_error(error)
                continue
            if file is self._file:
                self._lines.add_rows(rows)
                self._on_rows()

    def _read(self, file: RecordFile, numbers: list[int], assessor: RecordAssessor) -> list[ListedRecord]:
        def stop() -> bool:
            return self._closed or not self._lines.is_in_view(numbers)

        rows = []
        for number in numbers:
            record = file.read(number, stop)
            if record is not None:
                rows.append(assessor.listed(number, record))
        return rows
