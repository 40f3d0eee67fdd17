"""Secret trial: what the service that a secret is for says about it, before it is saved."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class SecretTrial(Struct, frozen=True):
    """Result of trying a secret."""

    verdict: Literal["accepted", "rejected", "untried"]
    text: str
    """A sentence about it, without a full stop."""
    hint: str = ""
    region: str = ""
    """Region of Segment where a token was accepted, if it is not the one that was tried first."""

    @property
    def message(self) -> str:
        """Text and hint in one line."""
        return "; ".join(filter(None, (self.text, self.hint)))
