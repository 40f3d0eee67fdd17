"""Commands of the list of records in the Payload pane."""

from __future__ import annotations

from sprig_tui.console.commands.base import Command


class FilterRecords(Command):
    """Filter the records by the language of the log: status:withheld, reason:anonymous, user:acct_1, or any text.

    A record that would be sent is queued here, its id is its number in the file, and its time that of the answer.
    """

    id = "filter-records"
    key = "slash"
    label = "filter"
    title = "Filter the records"
    scope = "records"


class ClearRecords(Command):
    """Remove the marks; without marks, show all records again. n and N still go to those that the filter matches."""

    id = "clear-records"
    key = "escape"
    label = "clear"
    title = "Clear the marks or the filter of the records"
    scope = "records"
    in_bar = False


class OpenRecord(Command):
    """Show the record field by field. Escape comes back to the list."""

    id = "open-record"
    key = "enter"
    label = "open"
    title = "Open the record"
    scope = "records"


class ChooseRecordColumns(Command):
    """Choose the columns of the list of records, their order and their widths."""

    id = "choose-record-columns"
    key = "vertical_line"
    label = "columns"
    title = "Choose the columns of the records"
    scope = "records"
    in_bar = False


class MarkRecord(Command):
    """Mark the record, or unmark it. s sends the marked records, after a question."""

    id = "mark-record"
    key = "space"
    label = "mark"
    title = "Mark the record"
    scope = "records"


class MarkRecords(Command):
    """Mark every record that the list shows; where all are marked, unmark them."""

    id = "mark-records"
    key = "asterisk"
    label = "mark all"
    title = "Mark all records that the list shows"
    scope = "records"
    in_bar = False


class NextMatch(Command):
    """Go to the next record that the filter matches, or that the last filter matched; after the last, to the first."""

    id = "next-match"
    key = "n"
    label = "next match"
    title = "Next record that matches the filter"
    scope = "records"


class PreviousMatch(Command):
    """Go to the record before that the filter matches, or that the last filter matched."""

    id = "previous-match"
    key = "N"
    label = "match before"
    title = "Previous record that matches the filter"
    scope = "records"
    in_bar = False


class NextProblem(Command):
    """Go to the next record that would be withheld or has a problem."""

    id = "next-problem"
    key = "right_curly_bracket"
    label = "next problem"
    title = "Next record of the list with a problem"
    scope = "records"


class PreviousProblem(Command):
    """Go to the record before that would be withheld or has a problem."""

    id = "previous-problem"
    key = "left_curly_bracket"
    label = "problem before"
    title = "Previous record of the list with a problem"
    scope = "records"
    in_bar = False


class ListProblems(Command):
    """List only records that would be withheld or have a problem; again, all."""

    id = "list-troubled"
    key = "exclamation_mark"
    label = "problems"
    title = "List only records with problems"
    scope = "records"


class ReadAgain(Command):
    """Read the file again from its beginning, such as after it has changed. The marks are removed."""

    id = "read-again"
    key = "f5"
    label = "read again"
    title = "Read the file again"
    scope = "records"
    in_bar = False


COMMANDS = (
    OpenRecord,
    FilterRecords,
    MarkRecord,
    MarkRecords,
    NextMatch,
    PreviousMatch,
    NextProblem,
    PreviousProblem,
    ListProblems,
    ChooseRecordColumns,
    ClearRecords,
    ReadAgain,
)
