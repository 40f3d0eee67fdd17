"""Secret reference: where the config says that a secret is kept, instead of the secret itself.

`write_key_command = ["op", "read", "op://team/segment/key"]` is a command whose output is the secret;
`write_key_keyring = "service/user"` is an entry of the system's keyring. Nothing is read here.
"""

from __future__ import annotations

import hashlib
import os

from msgspec import Struct

from sprig_tui.errors import ConfigError
from sprig_tui.text import one_line

MAX_COMMAND_WORDS = 64
MAX_WORD_CHARS = 4096
MAX_SHOWN_NAME_CHARS = 60


class SecretReference(Struct, frozen=True):
    """A command or an entry of the keyring; either `command` is set, or `service` and `user` are."""

    command: tuple[str, ...] = ()
    """The program and its arguments. The arguments are never shown: they could hold a secret."""
    service: str = ""
    user: str = ""

    def __repr__(self) -> str:
        return f"SecretReference({self.label})"

    @property
    def label(self) -> str:
        """Name for people, such as `command op` or `keyring sprig-tui/production`."""
        if self.command:
            return f"command {one_line(os.path.basename(self.command[0]), limit=MAX_SHOWN_NAME_CHARS)}"  # noqa: PTH119 - text, not a file
        return f"keyring {one_line(self.entry, limit=2 * MAX_SHOWN_NAME_CHARS)}"

    @property
    def entry(self) -> str:
        """The entry of the keyring as the config has it."""
        return f"{self.service}/{self.user}"

    @property
    def identity(self) -> str:
        """Differs for each reference, and reveals nothing."""
        parts = ("command", *self.command) if self.command else ("keyring", self.service, self.user)
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def parse_reference(command: list[str] | None, keyring: str | None, label: str) -> SecretReference | None:
    """The reference of `<label>_command` or `<label>_keyring`; the command counts where both are set.

    Raises ConfigError, which names the key and never its value.
    """
    found = None if keyring is None or not keyring.strip() else parse_entry(keyring, f"{label}_keyring")
    return found if command is None else parse_command(command, f"{label}_command")


def parse_command(words: list[str], label: str) -> SecretReference:
    """The command of these words. Raises ConfigError, which names `label` and no word."""
    if not words or not words[0].strip():
        raise ConfigError(f"{label} names no program", hint='write it as ["op", "read", "op://..."]')
    if len(words) > MAX_COMMAND_WORDS or any(len(word) > MAX_WORD_CHARS for word in words):
        raise ConfigError(f"{label} is too long", hint="put the command into a script, and name that")
    if any("\0" in word for word in words):
        raise ConfigError(f"{label} holds a NUL character, which no command may", hint="remove it")
    return SecretReference(command=tuple(words))


def parse_entry(text: str, label: str) -> SecretReference:
    """The entry that `service/user` names; the first slash divides. Raises ConfigError."""
    service, _, user = text.partition("/")
    if not service.strip() or not user.strip() or "\0" in text or len(text) > MAX_WORD_CHARS:
        raise ConfigError(
            f"{label} is no entry of a keyring", hint='write it as "service/user", such as "sprig-tui/production"'
        )
    return SecretReference(service=service, user=user)
