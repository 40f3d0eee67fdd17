"""The exception tree and the exit codes.

SprigTuiError
├── ConfigError               the config cannot be read, understood or changed           exit 2
│   └── KeymapError           two commands on one key, or a key for no command
├── InputError                a file to read is not there or cannot be opened            exit 2
├── SprigApiError               Sprig's API refused the key or the request               exit 2
│   ├── SprigApiPageError          a page is not what the specification says                exit 1
│   └── SprigApiUnreachableError  no answer, or none but those that pass                 exit 3
├── SegmentApiError            Segment's Public API refused the token or the request      exit 2
│   └── SegmentApiUnreachableError  it gave no answer, or none but those that pass        exit 3
├── FilterError               a filter cannot be understood; says where                  exit 2
└── JournalError              the journal cannot be opened or written                    exit 2
    ├── JournalUnavailableError  not now: the same again may succeed                     exit 3
    │   ├── JournalLockedError    another process held it too long
    │   ├── JournalFullError      the disk is full
    │   ├── JournalLostError      its file is no longer the one at its path
    │   └── JournalUnreachableError  its server does not answer
    ├── JournalReadOnlyError  no right to write
    ├── JournalCorruptError   the file is damaged or not a journal
    └── JournalVersionError   written by a newer version

Bad *records* are never exceptions: they are read, journaled as withheld, and reading goes on.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status says; part of the interface."""

    OK = 0
    REJECTED = 1
    USAGE = 2
    UNREACHABLE = 3
    INTERRUPTED = 130


class SprigTuiError(Exception):
    """What happened, to which thing; `hint` says what to do now."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def place_of(what: str) -> str:
    """The beginning of a message that names what it is about; empty where whoever shows it names that already."""
    return f"{what}: " if what else ""


class ConfigError(SprigTuiError):
    """The config cannot be read, understood or changed."""


class KeymapError(ConfigError):
    """Two commands on one key, or a key for no command."""


class InputError(SprigTuiError):
    """A file to read is not there or cannot be opened."""


class UnknownFormatError(InputError):
    """A file whose first records are of no form that is known."""


class SprigApiError(SprigTuiError):
    """Sprig's API refused the key or the request; `status` is its HTTP status, 0 where none came."""

    def __init__(self, message: str, *, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class SprigApiPageError(SprigApiError):
    """A page of Sprig's API is not what its specification says, so that no next one can be asked for."""

    exit_code = ExitCode.REJECTED


class SprigApiUnreachableError(SprigApiError):
    """Sprig's API gave no answer, or none but those that pass, for longer than we wait."""

    exit_code = ExitCode.UNREACHABLE


class SegmentApiError(SprigTuiError):
    """Segment's Public API refused the token or the request, or answered what it should not."""


class SegmentApiUnreachableError(SegmentApiError):
    """Segment's Public API gave no answer, or none but those that pass, for longer than we wait."""

    exit_code = ExitCode.UNREACHABLE


class FilterError(SprigTuiError):
    """A filter cannot be understood; `position` is the offset in characters of what is wrong."""

    def __init__(self, message: str, *, position: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.position = position


class JournalError(SprigTuiError):
    """The journal cannot be opened, read or written."""


class JournalUnavailableError(JournalError):
    """The journal takes nothing now; what is always on waits, and tries the same again."""

    exit_code = ExitCode.UNREACHABLE


class JournalLockedError(JournalUnavailableError):
    """Another process held the journal longer than we wait."""


class JournalFullError(JournalUnavailableError):
    """The disk that holds the journal is full; nothing of the last write was kept."""


class JournalLostError(JournalUnavailableError):
    """The journal in use is no longer the one at its place; what would be stored now would never be found again."""


class JournalReadOnlyError(JournalError):
    """The journal or its folder may not be written."""


class JournalUnreachableError(JournalUnavailableError):
    """The server that holds the journal does not answer, or takes no writes now; nothing of the last write is known."""


class JournalCorruptError(JournalError):
    """The file is damaged, or is no journal of ours."""


class JournalVersionError(JournalError):
    """The journal was written by a newer version of this program."""
