"""Token rejection: that Segment rejects the token of its Public API, as all processes of an installation know it.

The state folder has `token-rejected.json` while it does. What asks Segment by itself waits until `retry_at`, so that
many processes with one wrong token ask a few times an hour; what a person asks for goes to Segment at once.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from sprig_tui.clock import Clock
from sprig_tui.config.secret_reader import process_secrets
from sprig_tui.config.secrets import Workspace
from sprig_tui.errors import ConfigError, SegmentApiError
from sprig_tui.files import make_folder, write_atomically
from sprig_tui.segment.timestamps import format_iso

REJECTION_FILE = "token-rejected.json"
MIN_RETRY_S = 60.0
MAX_RETRY_S = 3600.0
"""Seconds from a rejection until the token is tried again; doubled each time."""
REJECTED_HINT = "store another with sprig-tui keys workspace"
_DIGEST_BYTES = 8


class TokenRejection(Struct, frozen=True, kw_only=True):
    """A token that Segment rejected, without the token."""

    rejected_at: int
    """Wall time of the last rejection, ms since 1970 UTC."""
    times: int = 1
    """Rejections in a row."""
    place: str
    """Digest of the address and of where the token is kept."""
    token: str
    """Digest of the token."""

    @property
    def retry_at(self) -> int:
        """Wall time in ms from which it is tried again without being asked to."""
        pause_s = min(MIN_RETRY_S * 2 ** min(self.times - 1, 16), MAX_RETRY_S)
        return self.rejected_at + int(pause_s * 1000)

    @property
    def message(self) -> str:
        """A sentence for people."""
        return f"Segment rejects the token of its Public API ({_minute(self.rejected_at)})"


class TokenRejectionStore:
    """The note of one installation, for one workspace."""

    def __init__(self, state_dir: Path, workspace: Workspace) -> None:
        self._file = state_dir / REJECTION_FILE
        self._workspace = workspace

    def load(self) -> TokenRejection | None:
        """The rejection of the token in use; None for none, and for one of another token."""
        token = self._workspace.token
        if token is None:
            return None
        try:
            found = msgspec.json.decode(self._file.read_bytes(), type=TokenRejection)
        except (OSError, msgspec.DecodeError, ValueError):
            return None
        if found.place != self._place() or (token.is_read and found.token != _digest(token.reveal())):
            return None
        return found

    def waiting(self, now: int) -> TokenRejection | None:
        """The rejection, while the token must not be tried without being asked to."""
        found = self.load()
        # one of a clock that was ahead does not count
        return found if found is not None and found.rejected_at <= now < found.retry_at else None

    def save(self, now: int) -> None:
        """Note that Segment rejected the token; it is read again from the command or keyring that keeps it."""
        token = self._workspace.token
        if token is None or not token.is_read:
            return
        process_secrets.report_rejected(token)
        before = self.load()
        times = before.times + (now >= before.retry_at) if before is not None else 1
        found = TokenRejection(rejected_at=now, times=times, place=self._place(), token=_digest(token.reveal()))
        with suppress(ConfigError):  # each process then finds out by itself
            make_folder(self._file.parent)
            write_atomically(self._file, msgspec.json.encode(found))

    def clear(self) -> None:
        """Segment accepts the token."""
        if self.load() is not None:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)

    def _place(self) -> str:
        return _digest(f"{self._workspace.base_url}\0{self._workspace.token.identity if self._workspace.token else ''}")


class TokenWatcher:
    """Notes for all processes whether Segment accepts the token; called by the client that uses it."""

    def __init__(self, state_dir: Path, workspace: Workspace, clock: Clock, *, is_trial: bool = False) -> None:
        """In a trial of a token that is not stored, a rejection is not noted."""
        self._store = TokenRejectionStore(state_dir, workspace)
        self._clock = clock
        self._is_trial = is_trial

    def __call__(self, accepted: bool) -> None:
        """Segment accepted or rejected the token."""
        if accepted:
            self._store.clear()
        elif not self._is_trial:
            self._store.save(self._clock.now())

    def check(self) -> None:
        """Raise SegmentApiError while nothing but a person may try the token."""
        if found := self._store.waiting(self._clock.now()):
            raise SegmentApiError(
                f"{found.message}; it is tried again at {_minute(found.retry_at)}",
                hint=REJECTED_HINT,
                status=401,
            )


def _minute(ms: int) -> str:
    return f"{format_iso(ms)[:16]}Z"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
