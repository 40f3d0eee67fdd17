"""Filter tokens: words, `OR` and the parentheses that group, with their positions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from sprig_tui.errors import FilterError
from sprig_tui.journal.filter_fields import field_name

TokenKind = Literal["word", "or", "open", "close"]

_WORD = re.compile(r'-?(?:[A-Za-z]+:)?(?:"[^"]*"|[^\s"])+|"')
_OPENING = re.compile(r"-?\(")
_QUOTED = re.compile(r'"[^"]*"')
_SAVED_NAME = re.compile(r"-?@[a-z0-9][a-z0-9_-]*", re.IGNORECASE)


_QUOTE_HINT = 'in quotes it is searched as text: "("'


class Token(NamedTuple):
    """A word as typed, or a sign of the grammar."""

    kind: TokenKind
    text: str
    position: int
    negated: bool = False
    """Whether a dash stands before an opening parenthesis."""


class _Parenthesis:
    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position
        self.groups = False
        self.must_close = False


class _Piece:
    """A word without the parentheses around it; those that do not group become parts of it again."""

    def __init__(self, text: str, position: int) -> None:
        self.opened: list[_Parenthesis] = []
        """Leftmost first."""
        start = 0
        while opening := _OPENING.match(text, start):
            self.opened.append(_Parenthesis(opening.group(), position + start))
            start = opening.end()
        end = start + len(text[start:].rstrip(")"))
        unquoted = _QUOTED.sub("", text[start:])
        # closing parentheses of the word's own, such as those of survey:f(x), stay
        own = max(0, unquoted.count("(") - (unquoted.count(")") - (len(text) - end)))
        end = min(len(text), end + own)
        self.text = text[start:end]
        self.position = position + start
        self.closed = [_Parenthesis(")", position + at) for at in range(end, len(text))]
        self.selects = is_field(self.text) or _SAVED_NAME.fullmatch(self.text) is not None


def split_tokens(text: str) -> list[Token]:
    """The tokens of a filter; raises FilterError for a quote or a parenthesis that is not closed."""
    if text.count('"') % 2:
        raise FilterError("a quote is never closed", position=text.rindex('"'), hint='write it as "two words"')
    pieces = [_Piece(match.group(), match.start()) for match in _WORD.finditer(text)]
    _pair_parentheses(pieces, all_group=any(piece.text == "OR" for piece in pieces))
    return [token for piece in pieces for token in _piece_tokens(piece)]


def _pair_parentheses(pieces: Iterable[_Piece], *, all_group: bool) -> None:
    """Find pairs, and which of them group: all, or those with a field or a saved filter in them."""
    waiting: list[_Parenthesis] = []
    for piece in pieces:
        waiting += piece.opened
        if all_group or piece.selects:
            _let_group(waiting)
            for opened in piece.opened:
                opened.must_close = True
        for closed in piece.closed:
            if waiting:
                closed.groups = waiting.pop().groups
            elif all_group or piece.closed[0].groups:
                raise FilterError("this parenthesis closes nothing", position=closed.position, hint=_QUOTE_HINT)
    for opened in waiting:
        if opened.must_close:
            raise FilterError("this parenthesis is never closed", position=opened.position, hint=_QUOTE_HINT)
        opened.groups = False


def _let_group(waiting: Sequence[_Parenthesis]) -> None:
    for opened in reversed(waiting):
        if opened.groups:
            return  # and so do all around it
        opened.groups = True


def _piece_tokens(piece: _Piece) -> list[Token]:
    tokens: list[Token] = []
    literal: list[_Parenthesis] = []
    for opened in piece.opened:
        if not opened.groups:
            literal.append(opened)
        elif literal:
            raise FilterError("this parenthesis is never closed", position=literal[0].position, hint=_QUOTE_HINT)
        else:
            tokens.append(Token("open", opened.text, opened.position, opened.text.startswith("-")))
    text = "".join(opened.text for opened in literal) + piece.text
    text += "".join(closed.text for closed in piece.closed if not closed.groups)
    if text:
        position = literal[0].position if literal else piece.position
        tokens.append(Token("or" if text == "OR" else "word", text, position))
    tokens += [Token("close", ")", closed.position) for closed in piece.closed if closed.groups]
    return tokens


def is_field(word: str) -> bool:
    """Whether a word begins with the name of a field and a colon."""
    name, colon, _ = word.removeprefix("-").partition(":")
    return bool(colon) and bool(field_name(name))
