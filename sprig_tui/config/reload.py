"""Config reload: what a running process takes up of a config file that others write, and what it holds against it.

After a good config only another good one is taken up. A file that is missing, empty, unreadable, at fault or broken
off is not: what was in use stays. One that has lost something (an environment, a token, a mapping rule) is taken up
once it has stood still for a while, and what it lost is named; one whose end alone is missing looks as a writer leaves
it that stopped, so it waits for a person. What a command of ours wrote is whole, and is taken up at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from sprig_tui.config.contents import contents_of, lost_names
from sprig_tui.config.document import Document
from sprig_tui.config.held import drop_held, note_held
from sprig_tui.config.memory import ConfigMemory
from sprig_tui.config.paths import Paths
from sprig_tui.config.settings import Settings
from sprig_tui.config.truncation import lacks_digits, lacks_end
from sprig_tui.errors import ConfigError

SETTLE_S = 5.0
"""Seconds for which a config that has lost something must stand still before it is taken up."""
NAMED = 12
"""Of what was lost, named in one message."""

_PUT_BACK = "put it back; to go on without it, start this process again"
_END_IT = "if that is meant, end the line"
_CONFIRM = "if that is meant, send SIGHUP, start it again, or write a comment on the file's last line"


class ConfigNews(Struct, frozen=True):
    """What a look at the file found: `settings` to take up, the file `restored` to what is in use, or one `held` off.

    `settings` are those in use in the last two cases.
    """

    kind: Literal["changed", "restored", "held"]
    settings: Settings
    lost: tuple[str, ...] = ()
    """What settings that are to be taken up no longer have, by name."""
    message: str = ""
    hint: str = ""


class ConfigReload:
    """Follows the config of one process: `look` now and then, `take` what it offers once that is in use.

    `load` reads the settings and raises ConfigError. Not for two threads at once.
    """

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        load: Callable[[], Settings],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths = paths
        self._settings = settings
        self._load = load
        self._monotonic = monotonic
        self._memory = ConfigMemory(paths)
        self._still: tuple[str, float] = ("", 0.0)
        """Digest of a config that has lost something, and since when it is that one."""
        self.message = ""
        """Why the config on disk is not the one in use; empty where it is."""
        self.hint = ""
        self._memory.remember(settings.document)

    @property
    def settings(self) -> Settings:
        """Those in use."""
        return self._settings

    def look(self, *, confirmed: bool = False, written: str = "") -> ConfigNews | None:
        """Read the file; None where nothing is new.

        `confirmed`: a person asked for it, so that whatever is good is taken up. `written` is the digest of what this
        process wrote itself.
        """
        try:
            found = self._load()
        except ConfigError as error:
            return self.hold(error.message, error.hint)
        before, now = self._settings.document, found.document
        if before.digest == now.digest:
            # the same file; what pulls learnt of surveys may be new
            return self._restored() or (ConfigNews("changed", found) if found.digest != self._settings.digest else None)
        lost = lost_names(contents_of(before.tables), contents_of(now.tables))
        ours = now.digest in (written, self._memory.seen().written)
        if not ours and (against := self._against(before, now, lost, confirmed=confirmed)):
            return self.hold(*against)
        return ConfigNews("changed", found, lost)

    def _against(
        self, before: Document, now: Document, lost: tuple[str, ...], *, confirmed: bool
    ) -> tuple[str, str] | None:
        """What speaks against a file that is valid by itself, and what to do about it."""
        if before.mode is not None and now.mode is None:
            return f"{now.file} is not there", _PUT_BACK
        if before.tables and not now.tables:
            return f"{now.file} is empty", _PUT_BACK
        if confirmed:
            return None
        if torn := _torn(before, now, lost):
            return torn
        if lost and self._moves(now.digest):
            return f"{now.file} lacks {listed(lost)}", f"it is taken up once it has not changed for {SETTLE_S:g} s"
        return None

    def take(self, settings: Settings) -> None:
        """These are in use from now on."""
        self._settings = settings
        self._restored()
        self._memory.remember(settings.document)

    def hold(self, message: str, hint: str) -> ConfigNews | None:
        """Go on with what is in use, for this reason; None where it is the reason already."""
        if (message, hint) == (self.message, self.hint):
            return None
        self.message, self.hint = message, hint
        note_held(self._paths, message, hint)
        return ConfigNews("held", self._settings, (), message, hint)

    def close(self) -> None:
        """Nobody looks any more."""
        drop_held(self._paths)

    def _restored(self) -> ConfigNews | None:
        self._still = ("", 0.0)
        if not self.message:
            return None
        self.message = self.hint = ""
        drop_held(self._paths)
        return ConfigNews("restored", self._settings)

    def _moves(self, digest: str) -> bool:
        """Whether it was another a moment ago."""
        if self._still[0] != digest:
            self._still = (digest, self._monotonic())
        return self._monotonic() - self._still[1] < SETTLE_S


def listed(names: tuple[str, ...]) -> str:
    """Names in one line, at most so many of them."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _torn(before: Document, now: Document, lost: tuple[str, ...]) -> tuple[str, str] | None:
    """What tells that its writer did not get to the end of it, and what to do where it did."""
    if lacks_digits(_text(before), _text(now)):
        return f"{now.file} breaks off in its last line: the number there lacks its end", _END_IT
    if lost and lacks_end(_text(before), _text(now)):
        return f"{now.file} breaks off, or its end was deleted: it lacks {listed(lost)}", _CONFIRM
    return None


def _text(document: Document) -> str:
    return document.data.decode("utf-8-sig")
