"""Filter completion: the words that begin as the one being typed."""

from __future__ import annotations

from collections.abc import Iterable

from sprig_tui.journal.filter_fields import FIELDS, field_name
from sprig_tui.journal.moments import COMPLETED_MOMENTS
from sprig_tui.segment.limits import ENDPOINT_URLS


def complete_word(word: str, environments: Iterable[str] = (), saved: Iterable[str] = ()) -> list[str]:
    """The filter words that begin with this one, in any parentheses.

    They are names of fields, values of a field, also in a list by comma, and names of saved filters.
    """
    bare = word.lstrip("-(")
    front = word[: len(word) - len(bare)]
    if bare.startswith("@"):
        return [f"{front}@{name}" for name in saved if name.startswith(bare[1:].lower())]
    if bare in ("O", "OR") and bare == word:
        return ["OR"]
    name, colon, value = bare.partition(":")
    if not colon:
        return [f"{front}{field}:" for field in FIELDS if field.startswith(name.lower())]
    field = FIELDS.get(field_name(name))
    if field is None:
        return []
    choices = {
        "moment": COMPLETED_MOMENTS,
        "period": COMPLETED_MOMENTS,
        "endpoint": tuple(ENDPOINT_URLS),
        "text": tuple(environments) if field.name == "env" else (),
    }.get(field.kind, field.choices)
    listed, comma, begun = value.rpartition(",") if field.lists else ("", "", value)
    front = f"{front}{name}:{listed}{comma}"
    matching = [choice for choice in choices if choice.strip('"').lower().startswith(begun.lower())]
    return [f'{front}"{choice}"' if " " in choice and '"' not in choice else front + choice for choice in matching]
