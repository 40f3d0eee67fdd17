"""Config warnings: what was put right in the config or could not be used, as values with a sentence for people."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct


class WarningCode(StrEnum):
    """What a warning is about."""

    ENDPOINT_CHANGED = "endpoint_changed"
    API_URL_CHANGED = "api_url_changed"
    VARIABLE_NOT_SET = "variable_not_set"
    """`write_key_env` or its like names a variable that is not there."""
    SECRET_UNUSABLE = "secret_unusable"  # noqa: S105 - a code
    SECRET_TRIMMED = "secret_trimmed"  # noqa: S105 - a code
    CATALOGUE_UNUSABLE = "catalogue_unusable"


class ConfigWarning(Struct, frozen=True):
    """One thing to tell about; never holds a secret."""

    code: WarningCode
    text: str
    """A sentence without the place."""
    environment: str = ""
    """Name; empty where it concerns all of them."""
    table: str = ""
    """Table of the config that is not an environment's; empty where the sentence says enough."""

    @property
    def message(self) -> str:
        """The sentence with its place in front."""
        place = self.environment or self.table
        return f"{place}: {self.text}" if place else self.text

    @property
    def hint(self) -> str:
        """What to do now; empty where the sentence says it."""
        return _HINTS.get(self.code, "")


_HINTS = {WarningCode.VARIABLE_NOT_SET: "set that variable where sprig-tui runs"}


def messages_of(warnings: Iterable[ConfigWarning]) -> tuple[str, ...]:
    """The warnings as sentences."""
    return tuple(one.message for one in warnings)
