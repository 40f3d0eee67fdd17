"""Message ids: the same answer gets the same id for ever, so that Segment drops repeats.

Segment de-duplicates on `messageId` alone, over all sources and workspaces, for about 24 hours; hence a hash under a
prefix of our own. Every id has the same form and length, so that one can take another's place in an encoded call.

What is hashed is a list of texts, each written as its length in characters, a colon and the text: no two lists give
the same bytes. Nothing here may ever change: golden values in the tests hold it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct, UnsetType

MESSAGE_ID_PREFIX = "sprig-"
MESSAGE_ID_CHARS = len(MESSAGE_ID_PREFIX) + 32
"""Characters of every id made here; Segment allows 100."""
MESSAGE_ID_VERSION = "1"


def message_id(environment: str, response_group_id: str, question: str, question_type: str) -> str:
    """The id of one answer in one environment.

    Made of what a webhook and the REST API both carry (facts/sprig.md 8.14), so that the two meet.
    """
    text = (
        f"1:{MESSAGE_ID_VERSION}{len(environment)}:{environment}{len(response_group_id)}:{response_group_id}"
        f"{len(question)}:{question}{len(question_type)}:{question_type}"
    )
    return MESSAGE_ID_PREFIX + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def derived_message_id(message_id: str, *parts: str) -> str:
    """An id made of another one: a tie by question id, a revision, a deliberate new sending."""
    return _hash_id(f"{MESSAGE_ID_VERSION}-derived", message_id, *parts)


def withheld_message_id(environment: str, raw: bytes) -> str:
    """The id of a record without an identity of its own: the same bytes read again are known again."""
    return _hash_id(f"{MESSAGE_ID_VERSION}-withheld", environment, sha256(raw).hexdigest())


def repeated_message_id(message_id: str, number: int) -> str:
    """The id of the `number`th (from 2) record of an input whose bytes are those of one without an identity."""
    return _hash_id(f"{MESSAGE_ID_VERSION}-repeated", message_id, str(number))


def _hash_id(*parts: str) -> str:
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return MESSAGE_ID_PREFIX + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class Track(Struct, frozen=True, rename="camel", gc=False):
    """One track call; UNSET fields are left out (facts/segment-streams.md has the table).

    `messageId` stands first, where another id can take its place. `sentAt` is no field: it is stamped on the batch at
    each attempt. `receivedAt` is none either: Segment sets it.
    """

    message_id: str
    user_id: str | UnsetType
    event: str
    type: str
    properties: Any
    """An object of any make: Struct, dict or Raw."""
    context: Any
    """An object that holds `integration`."""
    timestamp: str | UnsetType
    """ISO-8601: when the answer was given."""
    integrations: Any = msgspec.UNSET
    """Destination name to allowed; UNSET leaves it to the source's settings."""


_ENCODER = msgspec.json.Encoder()


def encode_track(track: Track) -> bytes:
    """The call as compact JSON.

    Raises ValueError when a text holds a lone surrogate (UnicodeEncodeError) or a number has more digits than Python
    converts.
    """
    return _ENCODER.encode(track)
