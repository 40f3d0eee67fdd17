"""Filter options: words and options of the command line as one Query."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from sprig_tui.cli import diagnostics
from sprig_tui.cli.options import ENVIRONMENT_TYPE, FILTER_TYPE, CliCommand

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.query import Node, Query

_NEGATION_PLACEHOLDER = "\ue000"
"""Replaces the dash of `-word` while click looks for options."""
_SAVED = re.compile(r"-?\(*@[a-z0-9][a-z0-9_-]*\s", re.IGNORECASE)
_WITH_FIELD = re.compile(r"(-?[A-Za-z][A-Za-z-]*:)(.*)", re.DOTALL)

DELIVERY_ID_TYPE = click.IntRange(min=1, max=(1 << 63) - 1)
"""Delivery ids: positive 64-bit integers in every store."""


class FilterCommand(CliCommand):
    """A command with filter arguments, in which `-word` negates a word and is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Hide the dash of negated words from click, but not of one-letter options."""
        options = [name for param in self.get_params(ctx) for name in param.opts if len(name) == 2]
        return super().parse_args(ctx, [_hide_negation(word, options) for word in args])


def _hide_negation(word: str, options: list[str]) -> str:
    if len(word) < 3 or word[0] != "-" or word[1] == "-":
        return word
    if word[:2] in options and (word[2:].isdigit() or word[2] == "="):
        return word
    return _NEGATION_PLACEHOLDER + word[1:]


def filter_arguments(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `[FILTER]...` and the equivalent options."""
    for decorate in reversed(
        (
            click.argument("words", nargs=-1, type=FILTER_TYPE, metavar="[FILTER]..."),
            click.option("--status", help="queued, delivered, failed, withheld, or an HTTP status such as 4xx."),
            click.option(
                "-e", "--environment", "--env", "env", type=ENVIRONMENT_TYPE, metavar="ENV", help="Environment."
            ),
            click.option("--survey", help="Survey id, or part of its name."),
            click.option("--user", help="User id; a * at the end for a prefix."),
            click.option("--since", help="Arrived since: 2h, 7d, 2026-11-23, today."),
            click.option("--until", help="Arrived before."),
        )
    ):
        function = decorate(function)
    return function


def filter_text(words: Iterable[str], **options: str | None) -> str:
    """The filter as one would type it in the console; a word with spaces is quoted, unless it is a filter itself."""
    typed = [
        word.replace(_NEGATION_PLACEHOLDER, "-", 1) if word.startswith(_NEGATION_PLACEHOLDER) else word
        for word in map(_decode_word, words)
    ]
    parts = [word if _is_filter(word) else _quote_word(word) for word in typed]
    parts.extend(_quote_word(f"{name}:{_decode_word(value)}") for name, value in options.items() if value is not None)
    return " ".join(parts)


def _decode_word(word: str) -> str:
    """The word as typed; in an ASCII locale other letters arrive as surrogates."""
    return os.fsencode(word).decode("utf-8", "replace") if not word.isascii() else word


def _quote_word(word: str) -> str:
    if '"' in word or not re.search(r"\s", word):
        return word
    match = _WITH_FIELD.fullmatch(word)
    if not match:
        return f'"{word}"'
    # the signs of a value mean themselves in quotes
    value = match[2].removeprefix("=").removesuffix("*")
    return match[1] + match[2].replace(value, f'"{value}"', 1)


def _is_filter(word: str) -> bool:
    """Whether one argument holds a whole filter, as in `log "status:failed env:production"`.

    It does where a later word has a field, or where it cannot be one value: parentheses with a field, or an OR behind a
    value without spaces or a saved filter. Other arguments with spaces are one text, as they always were.
    """
    from sprig_tui.journal.filter_fields import FIELDS, field_name

    names = [field_name(name) if colon else "" for name, colon, _ in map(_split_field, word.split())]
    if any(names[1:]):
        return True
    if not names or " OR " not in word:
        return bool(names) and bool(names[0]) and word.startswith(("(", "-("))
    first = names[0]
    if not first:
        return _SAVED.match(word) is not None
    return word.startswith(("(", "-(")) or first == "env" or FIELDS[first].kind not in ("text", "endpoint")


def _split_field(word: str) -> tuple[str, str, str]:
    return word.lstrip("-(").partition(":")


def is_selective(query: Query) -> bool:
    """Whether a filter selects: in each branch of an OR. A lone dash or quoted spaces match nearly every delivery."""
    return _selects(query.terms)


def _selects(nodes: Iterable[Node]) -> bool:
    from sprig_tui.journal.query import Term

    return any(
        (node.field != "text" or bool(node.value.strip().strip("-")))
        if isinstance(node, Term)
        else all(_selects(branch) for branch in node.branches)
        for node in nodes
    )


def read_filter(words: Iterable[str], now_ms: int | None = None, /, **options: str | None) -> Query:
    """The Query that words and options say together; raises FilterError, and ConfigError for a saved filter.

    `now_ms` is what ages count from; else now.
    """
    from sprig_tui.cli.context import open_settings
    from sprig_tui.clock import SystemClock
    from sprig_tui.journal.filter import NO_FILTERS, parse_filter

    given = [*words]
    for word in given:
        if " OR " in word and '"' not in word and not _is_filter(word):
            diagnostics.info(f"one argument is searched as it is: {word!r}; for an OR, write it without quotes")
    text = filter_text(given, **options)
    saved = open_settings(quiet=True).filters if "@" in text else NO_FILTERS
    return parse_filter(text, now_ms=SystemClock().now() if now_ms is None else now_ms, saved=saved)


async def check_environments(query: Query, settings: Settings, journal: Journal | None) -> None:
    """Raise ConfigError, with the nearest, for an environment that neither the config nor the journal has."""
    from sprig_tui.journal.query import iter_terms

    named = {term.value for term in iter_terms(query.terms) if term.field == "env" and not term.negated}
    unknown = sorted(named.difference(settings.environments))
    if not unknown:
        return
    stored = (await journal.counts()).by_environment if journal is not None else {}
    for name in unknown:
        if name not in stored:
            settings.environment(name)
