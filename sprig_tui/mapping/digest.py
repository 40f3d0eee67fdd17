"""Digest of an answer, equal for equal JSON values in any spelling."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

import msgspec

DIGEST_BYTES = 8
"""Bytes of a digest."""


def digest(answer: bytes) -> bytes:
    """8 bytes over the answer's canonical JSON; never raises.

    Key order, spaces and escapes make no difference. `4` and `4.0` differ, and so do integers of any size.
    """
    text = answer.strip()
    first = text[:1]
    # numbers and texts without escapes are canonical already
    if text.find(b"\\") >= 0 if first == b'"' else first in {b"{", b"["}:
        text = _canonical_json(text)
    if len(text) < DIGEST_BYTES:
        # Shorter than its hash. JSON holds no zero byte, so padded texts stay different.
        return text.rjust(DIGEST_BYTES, b"\0")
    return blake2b(text, digest_size=DIGEST_BYTES).digest()


_SORTED_ENCODER = msgspec.json.Encoder(order="sorted")


class _Number(str):
    """A number as text."""

    __slots__ = ()


def _canonical_json(text: bytes) -> bytes:
    try:
        return _SORTED_ENCODER.encode(msgspec.json.decode(text))
    except (ValueError, RecursionError):
        return _canonical_json_by_text(text)


def _canonical_json_by_text(text: bytes) -> bytes:
    """Canonical JSON of values that msgspec rejects: numbers beyond doubles stay text, lone surrogates are allowed."""
    try:
        value = json.loads(text, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
        return _dump_json(value).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return text


def _dump_json(value: Any) -> str:
    """JSON with sorted keys and without spaces."""
    if isinstance(value, _Number):
        return value
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_dump_json(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
