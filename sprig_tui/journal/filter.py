"""Filter parser: from a text such as `status:failed (env:production OR slow) -user:acct_1 @mine` to a Query.

`filter_fields` has what can be written. A sequence of words is a branch: `Query` says how its words go together. `OR`
separates branches, parentheses group them. What an older filter meant stays: parentheses are text, unless there is an
OR in the filter or a field in the parentheses.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sprig_tui.errors import FilterError
from sprig_tui.journal.filter_fields import FIELD_ALIASES, FIELDS, field_name
from sprig_tui.journal.filter_tokens import Token, is_field, split_tokens
from sprig_tui.journal.filter_values import parse_values
from sprig_tui.journal.query import Group, Node, Query, Term

MAX_FILTER_WORDS = 200
"""Words and values of lists, those of saved filters too; databases limit the number of parameters."""
MAX_FILTER_CHARS = 20_000
"""Characters."""
MAX_FILTER_DEPTH = 20
"""Parentheses inside each other, and saved filters inside each other; databases limit the depth of conditions."""

_OPERATOR_HINTS = {
    "||": 'write OR; "||" in quotes is searched as text',
    "|": 'write OR; "|" in quotes is searched as text',
    "AND": 'leave it out, all words must match; "AND" in quotes is searched as text',
    "&&": 'leave it out, all words must match; "&&" in quotes is searched as text',
    "NOT": 'write -word for not this; "NOT" in quotes is searched as text',
    "OR": 'write OR in capitals; "or" in quotes is searched as text',
}
_SAVED = re.compile(r"-?@([a-z0-9][a-z0-9_-]*)", re.IGNORECASE)

NO_FILTERS: Mapping[str, str] = {}


def parse_filter(text: str, *, now_ms: int, saved: Mapping[str, str] = NO_FILTERS) -> Query:
    """The Query of a filter text.

    Args:
        text: as typed by the user; empty matches everything.
        now_ms: the time that ages and days refer to, milliseconds since 1970.
        saved: the filters of the config by name, for `@name`.

    Raises:
        FilterError: with the offset in characters of the word that is wrong.
    """
    return Query(_Parser(now_ms, saved).parse(text, ()), text.strip())


class _Parser:
    """Parser of one filter and of the saved filters that it names; `_words` counts the words of all of them."""

    def __init__(self, now_ms: int, saved: Mapping[str, str]) -> None:
        self._now_ms = now_ms
        self._saved = saved
        self._words = 0

    def parse(self, text: str, names: tuple[str, ...], depth: int = 0) -> tuple[Node, ...]:
        """The nodes of a text; `names` are the saved filters that it is in, outermost first."""
        if len(text) > MAX_FILTER_CHARS:
            raise FilterError(
                f"a filter has {MAX_FILTER_CHARS:,} characters at most",
                position=MAX_FILTER_CHARS,
                hint="use fewer words",
            )
        tokens = split_tokens(text)
        _reject_operators(tokens)
        reader = _Reader(tokens)
        branches = self._parse_branches(reader, names, depth)
        return branches[0] if len(branches) == 1 else (Group(branches),)

    def _parse_branches(self, reader: _Reader, names: tuple[str, ...], depth: int) -> tuple[tuple[Node, ...], ...]:
        """Branches up to the closing parenthesis or the end; only a whole filter may be empty."""
        branches: list[tuple[Node, ...]] = []
        nodes: list[Node] = []
        while (token := reader.take()) is not None and token.kind != "close":
            if token.kind == "or":
                branches.append(_filled(nodes, token.position, "OR needs a word on both sides"))
                nodes = []
            elif token.kind == "open":
                nodes.append(self._parse_group(reader, token, names, depth + 1))
            else:
                nodes += self._parse_word(token, names, depth)
        if branches:
            nodes = list(_filled(nodes, reader.last_or, "OR needs a word on both sides"))
        return (*branches, tuple(nodes))

    def _parse_group(self, reader: _Reader, opened: Token, names: tuple[str, ...], depth: int) -> Group:
        if depth > MAX_FILTER_DEPTH:
            raise _too_deep(opened.position)
        branches = self._parse_branches(reader, names, depth)
        for branch in branches:
            _filled(branch, opened.position, "these parentheses hold no word")
        return Group(branches, opened.negated)

    def _parse_word(self, token: Token, names: tuple[str, ...], depth: int) -> list[Node]:
        if saved := _SAVED.fullmatch(token.text):
            nodes: list[Node] = [self._parse_saved(saved[1].lower(), token, names, depth + 1)]
        else:
            nodes = _parse_term(token, self._now_ms)
            self._words += sum(1 if isinstance(node, Term) else len(node.branches) for node in nodes)
        if self._words > MAX_FILTER_WORDS:
            raise FilterError(
                f"a filter has {MAX_FILTER_WORDS} words at most",
                position=token.position,
                hint="use fewer words, or a wider one",
            )
        return nodes

    def _parse_saved(self, name: str, token: Token, names: tuple[str, ...], depth: int) -> Group:
        negated = token.text.startswith("-")
        position = token.position + negated
        if depth > MAX_FILTER_DEPTH:
            raise _too_deep(position)
        if name in names:
            chain = ", ".join(f"@{one}" for one in (*names[names.index(name) :], name))
            raise FilterError(f"@{name} uses itself: {chain}", position=position, hint="change it in [filters]")
        if name not in self._saved:
            raise FilterError(
                f"there is no saved filter @{name}",
                position=position,
                hint=f'{self._nearest(name)} (quote it to search it as text: "@{name}")',
            )
        try:
            nodes = self.parse(self._saved[name], (*names, name), depth)
        except FilterError as error:
            place = f"in @{name}, at character {error.position + 1}"
            raise FilterError(f"{place}: {error.message}", position=position, hint=error.hint) from error
        if not nodes:
            raise FilterError(f"@{name} is empty", position=position, hint=f"write filters.{name} in the config")
        return Group((nodes,), negated)

    def _nearest(self, name: str) -> str:
        if not self._saved:
            return "the config has no [filters]"
        near = difflib.get_close_matches(name, self._saved, n=1)
        return f"did you mean @{near[0]}?" if near else "saved are " + " ".join(f"@{one}" for one in self._saved)


class _Reader:
    """Tokens one by one."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self.last_or = 0
        """Position of the last OR."""

    def take(self) -> Token | None:
        """The next token; None at the end."""
        if self._next == len(self._tokens):
            return None
        token = self._tokens[self._next]
        self._next += 1
        if token.kind == "or":
            self.last_or = token.position
        return token


def _filled(nodes: Sequence[Node], position: int, message: str) -> tuple[Node, ...]:
    """The nodes; without one the branch would match everything."""
    if not nodes:
        raise FilterError(message, position=position, hint='in quotes it is searched as text: "OR"')
    return tuple(nodes)


def _too_deep(position: int) -> FilterError:
    return FilterError(
        f"a filter has {MAX_FILTER_DEPTH} levels of parentheses and saved filters at most",
        position=position,
        hint="use fewer",
    )


def _reject_operators(tokens: Sequence[Token]) -> None:
    """Reject operators of other query languages: as text they would match nothing."""
    for number, token in enumerate(tokens):
        hint = _OPERATOR_HINTS.get(token.text.upper(), "") if token.kind == "word" else ""
        if not hint:
            continue
        shouted = token.text.isupper() or not token.text.isalpha()
        # in lower case it is an everyday word, except between two fields
        beside = [_word_beside(tokens, number, step) for step in (-1, 1)]
        if shouted or all(is_field(word) for word in beside):
            raise FilterError(f"there is no {token.text} in filters", position=token.position, hint=hint)


def _word_beside(tokens: Sequence[Token], number: int, step: int) -> str:
    at = number + step
    while 0 <= at < len(tokens) and tokens[at].kind in ("open", "close"):
        at += step
    return tokens[at].text if 0 <= at < len(tokens) and tokens[at].kind == "word" else ""


class _Word(NamedTuple):
    field: str
    """Empty for text."""
    value: str
    negated: bool
    position: int
    """Of the value."""
    literal: bool = False
    """Whether the whole value is in quotes: no sign in it has another meaning."""


def _parse_term(token: Token, now_ms: int) -> list[Node]:
    word = _split_word(token)
    if not word.field:
        return [Term("text", word.value, word.negated)] if word.value else []
    return parse_values(
        FIELDS[word.field], word.value, word.position, now_ms, negated=word.negated, literal=word.literal
    )


def _split_word(token: Token) -> _Word:
    """Field and value of a word; raises FilterError for an unknown field."""
    negated = token.text.startswith("-") and len(token.text) > 1
    rest = token.text[1:] if negated else token.text
    position = token.position + negated
    name, colon, value = rest.partition(":")
    if not colon or not (name.isalpha() or name.lower() in FIELDS) or '"' in name:
        return _Word("", rest.replace('"', ""), negated, position)
    field = field_name(name)
    if not field:
        near = difflib.get_close_matches(name.lower(), [*FIELDS, *FIELD_ALIASES], n=1)
        meant = f"did you mean {near[0]}: ?" if near else "fields are " + " ".join(f"{item}:" for item in FIELDS)
        raise FilterError(
            f"there is no field {name}:", position=position, hint=f'{meant} (quote it to search it as text: "{rest}")'
        )
    literal = value.startswith('"') and value.endswith('"') and value.count('"') == 2
    return _Word(field, value.replace('"', ""), negated, position + len(name) + 1, literal)
