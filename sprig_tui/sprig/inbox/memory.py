"""What was read before, by content: so that a restart sends nothing twice."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sprig_tui.errors import InputError

KEPT = 200_000
"""Contents remembered, at least; a forgotten one is read again, and its message ids make that harmless."""
_CHUNK = 1_048_576
_LINE = re.compile(rb"([0-9a-f]{32})(?: .*)?")


class SentFiles:
    """Digests of file contents, one per line in `file` (digest, time, name); each is on disk before `remember` returns.

    `scope` parts contents that are told apart for other reasons than their bytes, such as the journal they went to.
    Several processes may share the file: a line is written at once, and one that a crash tore is passed over.
    """

    def __init__(self, file: Path, scope: Iterable[str]) -> None:
        self._file = file
        self._scope = "\0".join(scope).encode(errors="surrogateescape")
        self._known: set[bytes] = set()

    def load(self) -> None:
        """Read the file, where there is one; raises InputError. One that grew too long is cut to its latest lines."""
        try:
            lines = self._file.read_bytes().splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputError(
                f"cannot read {self._file}: {error.strerror}", hint="check its owner and mode, or remove it"
            ) from error
        good = [match for line in lines if (match := _LINE.fullmatch(line))]
        if len(good) > 2 * KEPT:
            good = good[-KEPT:]
            with suppress(OSError):
                self._rewrite(b"".join(match.group() + b"\n" for match in good))
        self._known = {match.group(1) for match in good}

    def digest_of(self, path: str) -> bytes:
        """The content's digest, as hex; raises OSError. Takes as long as reading the file."""
        state = hashlib.blake2b(hashlib.blake2b(self._scope, digest_size=16).digest(), digest_size=16)
        with Path(path).open("rb", buffering=0) as stream:
            while chunk := stream.read(_CHUNK):
                state.update(chunk)
        return state.hexdigest().encode()

    def knows(self, digest: bytes) -> bool:
        """Whether this content was read before."""
        return digest in self._known

    def remember(self, digest: bytes, name: str) -> None:
        """Know it from now on, over restarts too; raises OSError, and then it is known until the end of this run."""
        if digest in self._known:
            return
        self._known.add(digest)
        moment = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        line = digest + f" {moment} {json.dumps(name)}\n".encode()
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size:
                os.lseek(descriptor, size - 1, os.SEEK_SET)
            if size and os.read(descriptor, 1) != b"\n":
                # a line that a crash or a full disk tore must not swallow this one
                line = b"\n" + line
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _rewrite(self, data: bytes) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=self._file.parent, prefix=f".{self._file.name}.", suffix=".new")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(self._file)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
