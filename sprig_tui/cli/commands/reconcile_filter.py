"""Comparison filter: the environments and times of sending that a filter names; Segment's counts know nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from sprig_tui.cli.filter_options import filter_text, read_filter
from sprig_tui.errors import FilterError
from sprig_tui.journal.query import Term

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sprig_tui.journal.query import Node

_HINT = "Segment counts by environment and time: env: sent: sent-since: sent-until:"


class ComparisonFilter(NamedTuple):
    """Limits of a comparison; those that a filter does not have are empty or None."""

    environments: tuple[str, ...] = ()
    since: int | None = None
    """Milliseconds since 1970; what was sent then, or later."""
    until: int | None = None


def comparison_filter(words: Iterable[str], now_ms: int) -> ComparisonFilter:
    """The limits that the words of a filter say together. Raises FilterError for a word that a comparison lacks."""
    given = [*words]
    text = filter_text(given)
    terms = list(_flat_terms(read_filter(given, now_ms).terms, text))
    return ComparisonFilter(
        tuple(dict.fromkeys(term.value for term in terms if term.field == "env")),
        max((int(term.value) for term in terms if term.field == "sent-since"), default=None),
        min((int(term.value) for term in terms if term.field == "sent-until"), default=None),
    )


def _flat_terms(nodes: Iterable[Node], text: str) -> Iterator[Term]:
    """The terms, those of parentheses and saved filters too; all of them must match."""
    for node in nodes:
        if isinstance(node, Term):
            if node.negated or node.field not in ("env", "sent-since", "sent-until"):
                raise _unknown_word(node, text)
            yield node
        elif node.negated or len(node.branches) > 1:
            raise FilterError("a comparison has no OR and no not", position=0, hint=_HINT)
        else:
            yield from _flat_terms(node.branches[0], text)


def _unknown_word(term: Term, text: str) -> FilterError:
    sought = term.value if term.field == "text" else f"{term.field}:"
    position = max(0, text.find(sought))
    if term.field in ("since", "until") and not term.negated:
        return FilterError(
            "a comparison goes by the time of sending, not of arrival",
            position=position,
            hint=f"write sent-{term.field}: or sent:",
        )
    return FilterError(f"a comparison cannot be limited by {sought}", position=position, hint=_HINT)
