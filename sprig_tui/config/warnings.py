"""Config warnings: values that were corrected or cannot be used, as codes with a sentence for people."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class WarningCode(StrEnum):
    """Subject of a warning."""

    ENDPOINT_CHANGED = "endpoint_changed"
    API_URL_CHANGED = "api_url_changed"
    VARIABLE_NOT_SET = "variable_not_set"
    """`write_key_env` or its like names a variable that is not set."""
    SECRET_UNUSABLE = "secret_unusable"  # noqa: S105 - a code
    SECRET_TRIMMED = "secret_trimmed"  # noqa: S105 - a code
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105 - a code
    """A command or the keyring does not give it."""
    PRIVATE_KEY_UNUSABLE = "private_key_unusable"
    PRIVATE_KEY_READABLE = "private_key_readable"
    """By group or others."""
    CATALOGUE_UNUSABLE = "catalogue_unusable"
    KEEP_SHORT = "keep_short"
    """The journal keeps something for less than Segment's de-duplication window."""


class ConfigWarning(Struct, frozen=True):
    """One warning; it never holds a secret."""

    code: WarningCode
    text: str
    """The sentence, without the environment or table."""
    environment: str = ""
    """Name; empty for all of them."""
    table: str = ""
    """Table of the config that is not an environment's; often empty."""
    secret: str = ""
    """Key of the config, such as `write_key`, of the secret that it is about; empty for others."""

    @property
    def message(self) -> str:
        """The sentence, after the environment or table that it is about."""
        place = self.environment or self.table
        return f"{place}: {self.text}" if place else self.text

    @property
    def hint(self) -> str:
        """The next step; empty if the sentence names it."""
        return _HINTS.get(self.code, "")


UNUSABLE_CODES = frozenset({WarningCode.VARIABLE_NOT_SET, WarningCode.SECRET_UNUSABLE, WarningCode.SECRET_UNREADABLE})
"""Why a secret that the config names is missing."""
_HINTS = {WarningCode.VARIABLE_NOT_SET: "set that variable where sprig-tui runs"}
