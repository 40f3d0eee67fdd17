"""Owner of a Write Key: which source of the workspace it belongs to, and what speaks against using it. Pure.

Only what the token sees is known: a key that belongs to none of the sources whose keys are hidden may belong to one
of those.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from sprig_tui.segment.public_api_models import Source, source_of_key, source_text
from sprig_tui.segment.source_checks import source_mismatches
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings


_SERVER_KINDS = frozenset(
    {
        "http api",
        "http",
        "node.js",
        "node",
        "python",
        "ruby",
        "java",
        "php",
        "go",
        ".net",
        "c#",
        "clojure",
        "rust",
        "c++",
    }
)
"""Kinds of sources that take events of servers, by Segment's name in lower case."""


def kind_doubt(kind: str) -> str:
    """Why a source of this kind may be the wrong one, in words; empty for none, and for a kind that is not known."""
    if not kind or kind.casefold() in _SERVER_KINDS:
        return ""
    return (
        f"it is of the kind {kind!r}, not HTTP API: the key of a web or mobile source is public, and its destinations"
        " may be connected for that device only"
    )


class OwnerKind(StrEnum):
    """What the workspace's sources say about a key."""

    SOURCE = "source"
    NO_SOURCE = "no-source"
    """The keys of all sources were seen, and it is none of them."""
    NOT_SEEN = "not-seen"
    """It is none of the keys that were seen, and some were not."""


class KeyOwner(Struct, frozen=True, kw_only=True):
    """Owner of one key, for one environment."""

    kind: OwnerKind
    source: Source | None = None
    mismatches: tuple[str, ...] = ()
    """Why the source may be the wrong one, in words."""
    sources: int = 0
    """Sources of the workspace."""
    hidden: int = 0
    """Sources whose keys the token does not see."""

    @property
    def text(self) -> str:
        """One sentence on what was found, without a full stop."""
        if self.source is not None:
            return one_line(f"it belongs to the source {source_text(self.source)}")
        if self.kind is OwnerKind.NO_SOURCE:
            return "it belongs to no source of the workspace: Segment answers 200 to any key, and would not say so"
        return (
            f"whose key it is is not known: the token sees no key of {self.hidden:,} of the {self.sources:,} sources, "
            "and it is none of the others"
            if self.hidden < self.sources
            else "whose key it is is not known: the token sees no Write Keys"
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What has to be confirmed before the key is stored."""
        if self.kind is OwnerKind.NO_SOURCE:
            return (self.text,)
        return tuple(one_line(f"its source: {mismatch}") for mismatch in self.mismatches)


def find_owner(key: str, sources: Sequence[Source], settings: Settings, environment: str) -> KeyOwner:
    """The owner of a key that `environment` is to use; `sources` are all of the workspace."""
    hidden = sum(not source.write_keys for source in sources)
    source = source_of_key(key, sources)
    if source is None:
        kind = OwnerKind.NOT_SEEN if hidden else OwnerKind.NO_SOURCE
        return KeyOwner(kind=kind, sources=len(sources), hidden=hidden)
    mismatches = (
        *source_mismatches(source, environment, settings.environments),
        *filter(None, (kind_doubt(source.kind),)),
        *(f"the key of {name} belongs to it too" for name in _sharing(source, key, settings, environment)),
    )
    return KeyOwner(kind=OwnerKind.SOURCE, source=source, mismatches=mismatches, sources=len(sources), hidden=hidden)


def key_to_take(source: Source, settings: Settings, environment: str) -> str:
    """The key of a source that an environment takes: its present one if that is among them, else the first.

    A source has several while a key is rotated, and Segment does not say which is the newer one. Empty without keys.
    """
    found = settings.environments.get(environment)
    key = found.write_key if found is not None else None
    present = key.reveal() if key is not None and key.is_read else ""
    return present if present in source.write_keys else next(iter(source.write_keys), "")


def _sharing(source: Source, key: str, settings: Settings, environment: str) -> list[str]:
    """Other environments with another key of this source; those with the same key are told apart elsewhere."""
    return [
        name
        for name, other in settings.environments.items()
        if name != environment
        and other.write_key is not None
        and other.write_key.is_read
        and other.write_key.reveal() != key
        and other.write_key.reveal() in source.write_keys
    ]
