"""The exception tree and the exit codes.

SprigTuiError
├── ConfigError               the config cannot be read, understood or changed           exit 2
│   ├── KeymapError           two commands on one key, or a key for no command
│   └── SecretReadError       a command or the keyring does not give a secret
├── InputError                an input file is missing or cannot be opened               exit 2
│   └── UnknownFormatError    its first records have no known format
├── SprigApiError             Sprig's API rejected the key or the request                exit 2
│   ├── SprigApiPageError     a page does not follow the API's specification             exit 1
│   └── SprigApiUnreachableError    no response, or only transient errors                exit 3
├── SegmentApiError           Segment's Public API rejected the token or the request     exit 2
│   └── SegmentApiUnreachableError  no response, or only transient errors                exit 3
│       └── SegmentWriteUnknownError    a write had no response: it may have happened
├── FilterError               a filter cannot be understood; names the position          exit 2
└── JournalError              the journal cannot be opened or written                    exit 2
    ├── JournalUnavailableError     transient: a retry may succeed                       exit 3
    │   ├── JournalLockedError    another process held its lock too long
    │   ├── JournalFullError      the disk is full
    │   ├── JournalLostError      the file at its path is no longer the one that was opened
    │   └── JournalUnreachableError    its server does not respond
    ├── JournalReadOnlyError  no permission to write
    ├── JournalCorruptError   the file is damaged or not a journal
    └── JournalVersionError   written by a newer version

Invalid *records* never raise: they are journaled as withheld, and reading continues.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit status of a command; part of the interface."""

    OK = 0
    REJECTED = 1
    USAGE = 2
    UNREACHABLE = 3
    INTERRUPTED = 130


class SprigTuiError(Exception):
    """Base class. `message` says what happened to which thing, `hint` names the next step."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def message_prefix(label: str) -> str:
    """The beginning of a message that names its subject; empty if the caller names it elsewhere."""
    return f"{label}: " if label else ""


class ConfigError(SprigTuiError):
    """The config cannot be read, understood or changed."""


class SecretReadError(ConfigError):
    """A command or the keyring does not give a secret; the message names it, and never holds what it printed."""


class KeymapError(ConfigError):
    """Two commands on one key, or a key for no command."""


class InputError(SprigTuiError):
    """An input file is missing or cannot be opened."""


class UnknownFormatError(InputError):
    """The first records of a file have no known format; `why` says that of the first one."""

    def __init__(self, message: str, *, hint: str = "", why: str = "") -> None:
        super().__init__(message, hint=hint)
        self.why = why


class SprigApiError(SprigTuiError):
    """Sprig's API rejected the key or the request; `status` is its HTTP status, 0 without a response."""

    def __init__(self, message: str, *, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class SprigApiPageError(SprigApiError):
    """A page of Sprig's API does not follow the specification, so the next one cannot be requested."""

    exit_code = ExitCode.REJECTED


class SprigApiUnreachableError(SprigApiError):
    """Sprig's API did not respond, or only with transient errors, until the timeout."""

    exit_code = ExitCode.UNREACHABLE


class SegmentApiError(SprigTuiError):
    """Segment's Public API rejected the token or the request, or its response is not understood.

    `status` is its HTTP status: 0 without a response, 200 if it came but is not understood. `request` is what was
    asked, such as `GET /sources/{id}/settings`. A 401 or 403 also means that the token lacks the permission for it.
    """

    def __init__(self, message: str, *, hint: str = "", status: int = 0, request: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.request = request


class SegmentApiUnreachableError(SegmentApiError):
    """Segment's Public API did not respond, or only with transient errors, until the timeout."""

    exit_code = ExitCode.UNREACHABLE


class SegmentWriteUnknownError(SegmentApiUnreachableError):
    """A write to Segment's Public API got no response that says how it ended: look before it is repeated."""


class FilterError(SprigTuiError):
    """A filter cannot be understood; `position` is the offset of the mistake in characters."""

    def __init__(self, message: str, *, position: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.position = position


class JournalError(SprigTuiError):
    """The journal cannot be opened, read or written."""


class JournalClosedError(JournalError):
    """The journal was closed, such as by a console whose journal was moved away, while something still used it."""

    def __init__(self, place: object) -> None:
        super().__init__(f"the journal {place} is closed", hint="repeat this once it is open again")


class JournalUnavailableError(JournalError):
    """The journal cannot be used now. Long-running commands wait and retry."""

    exit_code = ExitCode.UNREACHABLE


class JournalLockedError(JournalUnavailableError):
    """Another process held the journal's lock until the timeout."""


class JournalFullError(JournalUnavailableError):
    """The disk of the journal is full; the last write was rolled back."""


class JournalLostError(JournalUnavailableError):
    """The open journal is no longer the file at its path, so new entries would be lost."""


class JournalReadOnlyError(JournalError):
    """The journal or its folder is not writable."""


class JournalUnreachableError(JournalUnavailableError):
    """The journal's server does not respond or takes no writes; it is unknown whether the last write was stored."""


class JournalCorruptError(JournalError):
    """The file is damaged, or is not a journal."""


class JournalVersionError(JournalError):
    """The journal was written by a newer version of this program."""
