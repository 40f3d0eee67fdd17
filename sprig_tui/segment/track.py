"""Track calls and their message ids. The same answer always gets the same id, so that Segment drops duplicates.

Segment de-duplicates on `messageId` alone, over all sources and workspaces, for about 24 hours; hence a hash under the
prefix `sprig-`. All ids have the same form and length, so that one can replace another in an encoded call.

The hash input is a list of texts, each written as its length in characters, a colon and the text, so that different
lists give different bytes. The ids must never change; golden values in the tests make sure of it.
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

    It uses only fields that both webhooks and the REST API have (facts/sprig.md 8.14), so that both give the same id.
    """
    text = (
        f"1:{MESSAGE_ID_VERSION}{len(environment)}:{environment}{len(response_group_id)}:{response_group_id}"
        f"{len(question)}:{question}{len(question_type)}:{question_type}"
    )
    return MESSAGE_ID_PREFIX + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def derived_message_id(message_id: str, *parts: str) -> str:
    """An id derived from another one: a tie by question id, a revision, a deliberate resend."""
    return _hash_id(f"{MESSAGE_ID_VERSION}-derived", message_id, *parts)


def withheld_message_id(environment: str, raw: bytes) -> str:
    """The id of a record without an identity of its own: equal bytes get the same id."""
    return _hash_id(f"{MESSAGE_ID_VERSION}-withheld", environment, sha256(raw).hexdigest())


def repeated_message_id(message_id: str, number: int) -> str:
    """The id of the `number`th (from 2) record without an identity in an input that has equal bytes."""
    return _hash_id(f"{MESSAGE_ID_VERSION}-repeated", message_id, str(number))


def _hash_id(*parts: str) -> str:
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return MESSAGE_ID_PREFIX + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class Track(Struct, frozen=True, rename="camel", gc=False):
    """One track call; UNSET fields are left out (facts/segment-streams.md has the table).

    `messageId` comes first, so that another id can replace it. `sentAt` is not a field: the client sets it on the batch
    at each attempt. Segment sets `receivedAt`.
    """

    message_id: str
    user_id: str | UnsetType
    event: str
    type: str
    properties: Any
    """An object: Struct, dict or Raw."""
    context: Any
    """An object with `integration`."""
    timestamp: str | UnsetType
    """ISO-8601 time of the answer."""
    integrations: Any = msgspec.UNSET
    """Destination name to allowed; UNSET leaves it to the source's settings."""


_ENCODER = msgspec.json.Encoder()


def encode_track(track: Track) -> bytes:
    """The call as compact JSON.

    Raises ValueError for a text with a lone surrogate (UnicodeEncodeError), and for a number with more digits than
    Python converts.
    """
    return _ENCODER.encode(track)
