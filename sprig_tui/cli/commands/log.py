"""Command `log`: lists deliveries of the journal."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.context import existing_journal_session, journal_exists, open_settings
from sprig_tui.cli.filter_options import (
    DELIVERY_ID_TYPE,
    FilterCommand,
    check_environments,
    filter_arguments,
    read_filter,
)
from sprig_tui.cli.log_format import OutputFormat, write_deliveries
from sprig_tui.cli.options import json_option
from sprig_tui.errors import ExitCode
from sprig_tui.journal.base import Journal
from sprig_tui.journal.origins import origins_of
from sprig_tui.journal.query import Query, Term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sprig_tui.cli.log_format import OutputFormat
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.records import Delivery


FOLLOW_POLL_INTERVAL_S = 0.25
"""Seconds between two queries for changes."""
MAX_CHANGED_ROWS = 10_000
"""Rows of one query for changes; further additions are read in pages."""
FOLLOW_PAGE_SIZE = 1_000
MAX_REMEMBERED_REPAIRS = 10_000
"""Repaired deliveries of which it is remembered what repaired them; the oldest are forgotten, and printed once more."""
MAX_DERIVED = 20
"""Deliveries made of another one that its detail lists at most."""


class LogFollower:
    """Writes deliveries that are added or change after the start."""

    def __init__(self, journal: Journal, query: Query, form: OutputFormat, cursor: str, newest: int) -> None:
        self._journal = journal
        self._query = query
        self._form = form
        self._cursor = cursor
        self._newest = newest
        self._repaired_by: dict[int, int] = {}
        """What repaired a delivery, as its line was printed last."""

    @classmethod
    async def start(cls, journal: Journal, query: Query, form: OutputFormat) -> Self:
        """Start to follow at the current state."""
        newest = (await journal.page(Query(), limit=1)).deliveries
        return cls(journal, query, form, (await journal.changes()).cursor, newest[-1].id if newest else 0)

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            seen = await self.poll()
            output.flush()
            if not seen:
                await asyncio.sleep(FOLLOW_POLL_INTERVAL_S)

    async def poll(self) -> bool:
        """Write new and changed deliveries; False where there were none."""
        changes = await self._journal.changes(self._cursor, limit=MAX_CHANGED_ROWS)
        self._cursor = changes.cursor
        rows = changes.deliveries
        if changes.overflow and rows:
            # `changes` holds the newest. Earlier additions are read in pages; only changes of older rows are lost.
            write_deliveries([row for row in rows if row.id <= self._newest and self._query.matches(row)], self._form)
            await self._write_added(rows[-1].id)
            diagnostics.info("more changed at once than can be followed: all that was added is shown, not every change")
        else:
            write_deliveries([row for row in await self._with_repaired(rows) if self._query.matches(row)], self._form)
        self._newest = max(self._newest, rows[-1].id if rows else 0)
        return bool(rows)

    async def _with_repaired(self, rows: Sequence[Delivery]) -> list[Delivery]:
        """The changed deliveries, and after them those that they repair now, or repair no longer."""
        for row in rows:
            self._note_repair(row)
        return [*rows, *(row for row in await origins_of(self._journal, rows) if self._note_repair(row))]

    def _note_repair(self, delivery: Delivery) -> bool:
        """Remember what repaired a delivery; whether that changed."""
        before = self._repaired_by.pop(delivery.id, 0)
        if delivery.repaired_by:
            self._repaired_by[delivery.id] = delivery.repaired_by
            if len(self._repaired_by) > MAX_REMEMBERED_REPAIRS:
                del self._repaired_by[next(iter(self._repaired_by))]
        return before != delivery.repaired_by

    async def _write_added(self, last: int) -> None:
        cursor, more = self._newest, True
        while more:
            page = await self._journal.page(self._query, cursor=cursor, limit=FOLLOW_PAGE_SIZE, direction="newer")
            write_deliveries([row for row in page.deliveries if row.id <= last], self._form)
            cursor = page.deliveries[-1].id if page.deliveries else last
            more = page.more and cursor < last


PAGE_SIZE = 1_000


@click.command("log", cls=FilterCommand)
@filter_arguments
@click.option("-n", "number", type=click.IntRange(min=0), default=100, show_default=True, help="The newest N; 0: all.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what is added or changes, until Ctrl-C.")
@click.option("--csv", "as_csv", is_flag=True, help="Write CSV, heading first: every column, safe in a spreadsheet.")
@click.option("--detail", type=DELIVERY_ID_TYPE, metavar="ID", help="Everything about one delivery.")
@json_option
def log(
    words: tuple[str, ...],
    number: int,
    follow: bool,
    as_csv: bool,
    detail: int | None,
    as_json: bool,
    **options: str | None,
) -> int:
    """The journal: every delivery, its state and its reason.

    FILTER is as in the console: words such as status:failed env:production survey:"Checkout effort" user:acct_1
    since:yesterday, free text, -word for 'not this', OR, parentheses, and @name for a saved filter: sprig-tui help
    filters.

    With --json: one object per line. `sprig-tui log status:failed -n 0 --csv > failed.csv` is for a spreadsheet.
    """
    if as_csv and (as_json or follow or detail is not None):
        raise click.UsageError("--csv goes with a filter and -n alone")
    if detail is not None and (words or follow or any(options.values())):
        raise click.UsageError("--detail takes one delivery, no filter and no --follow")
    query = read_filter(words, **options)
    form: OutputFormat = "csv" if as_csv else "json" if as_json else "lines"
    return asyncio.run(_write_log(query, number, detail, follow=follow, form=form))


async def _write_log(query: Query, number: int, detail: int | None, *, follow: bool, form: OutputFormat) -> int:

    settings = open_settings(quiet=True)
    if follow and not journal_exists(settings):
        diagnostics.info("there is no journal yet; it is followed as soon as there is one")
        while not journal_exists(settings):  # noqa: ASYNC110 - another program makes it
            await asyncio.sleep(FOLLOW_POLL_INTERVAL_S)
    async with existing_journal_session(settings) as journal:
        await check_environments(query, settings, journal)
        if journal is None:
            return _report_no_journal(detail, form)
        if detail is not None:
            return await _write_detail(journal, detail, as_json=form == "json")
        follower = await LogFollower.start(journal, query, form) if follow else None
        if form == "csv":
            _write_csv_heading()
        shown = await _write_matching(journal, query, number, form)
        if follower is None:
            if number and shown == number and (total := await journal.count(query)) > shown:
                diagnostics.info(f"the newest {shown:,} of {total:,}; -n 0 shows all")
            elif not shown:
                diagnostics.info("nothing matches" if query.terms else "the journal is empty")
            return ExitCode.OK
        output.flush()
        await follower.run()
    return ExitCode.OK


def _report_no_journal(detail: int | None, form: OutputFormat) -> int:
    """Report that there is no journal; returns the exit code."""
    if detail is not None:
        diagnostics.failure(f"there is no delivery {detail}", "there is no journal yet: the first send makes it")
        return ExitCode.USAGE
    if form == "csv":
        _write_csv_heading()
    diagnostics.info("there is no journal yet: the first send makes it")
    return ExitCode.OK


def _write_csv_heading() -> None:
    from sprig_tui.journal.export_format import EXPORT_FIELDS, csv_lines

    output.write_line(csv_lines([EXPORT_FIELDS]).rstrip("\r\n"))


async def _write_detail(journal: Journal, delivery_id: int, *, as_json: bool) -> int:
    from sprig_tui.cli.log_format import detail_json, detail_lines

    found = await journal.get(delivery_id)
    if found is None:
        diagnostics.failure(f"there is no delivery {delivery_id}", "sprig-tui log lists them, the id in front")
        return ExitCode.USAGE
    derived = (await journal.page(Query((Term("origin", str(delivery_id)),)), limit=MAX_DERIVED)).deliveries
    if as_json:
        output.write_json(detail_json(found, derived))
    else:
        output.write_lines(detail_lines(found, derived))
    return ExitCode.OK


async def _write_matching(journal: Journal, query: Query, number: int, form: OutputFormat) -> int:
    """Write the newest `number`, oldest first, or all; a page at a time, whatever their number."""
    from sprig_tui.cli.log_format import write_deliveries
    from sprig_tui.journal.export import iter_pages, newest_id

    if number == 0:
        shown = 0
        async with contextlib.aclosing(iter_pages(journal, query, await newest_id(journal))) as pages:
            async for deliveries, _ in pages:
                await asyncio.sleep(0)  # the next page begins to be read in its thread
                write_deliveries(deliveries, form)
                shown += len(deliveries)
        return shown
    rows: list[Delivery] = []
    cursor = 0
    while len(rows) < number:
        page = await journal.page(query, cursor=cursor, limit=min(PAGE_SIZE, number - len(rows)), direction="older")
        if not page.deliveries:
            break
        rows[:0] = page.deliveries
        cursor = page.deliveries[0].id
        if not page.more:
            break
    write_deliveries(rows, form)
    return len(rows)
