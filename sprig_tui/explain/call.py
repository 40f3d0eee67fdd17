"""Track call of a delivery, as an explanation reads it. Pure."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct


class Call(Struct, frozen=True, kw_only=True):
    """A track call."""

    body: bytes
    """Its JSON, as it was sent."""
    fields: dict[str, Any]
    """The same, decoded."""
    event: str
    user_id: str
    """Empty for none."""
    integrations: dict[str, Any] | None
    """Segment's `integrations` object; None if the call has none."""


def read_call(body: bytes) -> Call | None:
    """The call of a delivery's body; None where there is none, or it is no JSON object."""
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    integrations = fields.get("integrations")
    return Call(
        body=body,
        fields=fields,
        event=_text(fields.get("event")),
        user_id=_text(fields.get("userId")),
        integrations=integrations if isinstance(integrations, dict) else None,
    )


def excluded_names(integrations: dict[str, Any]) -> tuple[str, ...]:
    """Destinations that the object turns off by name; `All` for all that it does not turn on."""
    return tuple(name for name, value in integrations.items() if value is False)


def admits(integrations: dict[str, Any] | None, names: tuple[str, ...]) -> bool:
    """Whether the object lets the call through to a destination that has these names: its own, and its kind's.

    An entry of its own counts before `All`; an object as an entry is options, which turn it on.
    """
    by_name = {name.casefold(): value for name, value in (integrations or {}).items()}
    wanted = {form for name in names for form in (name.casefold(), name.casefold().removesuffix(" (actions)")) if form}
    for name in wanted:
        if name in by_name and name != "all":
            return by_name[name] is not False
    return by_name.get("all", True) is not False


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
