"""Steps that reading takes, counted instead of timed: bytes looked at or copied, and lines of our own code run.

`counting` lends every regular expression, decoder and window of `sprig_tui.sprig` a counter, and counts the lines that
are run. A regular expression's steps are those of a backtracking matcher that reads Python's own parse tree of it;
what it finds is compared with what `re` finds. Decoders written in C are linear and count as the bytes given to them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as sre_parser  # type: ignore[attr-defined]
from typing import Any, SupportsIndex

import msgspec
import pytest

import sprig_tui.sprig
from sprig_tui.sprig.stream import StreamBuffer

_HOME = str(Path(sprig_tui.sprig.__file__).parent)


class Steps:
    """The counter."""

    def __init__(self) -> None:
        self.taken = 0


STEPS = Steps()


class Counted(bytes):
    """Bytes that count what is read of them by methods and slices."""

    def __getitem__(self, key: Any) -> Any:
        found = bytes.__getitem__(self, key)
        if isinstance(found, int):
            STEPS.taken += 1
            return found
        STEPS.taken += len(found)
        return Counted(found)

    def __add__(self, other: Any) -> Counted:
        STEPS.taken += len(self) + len(other)
        return Counted(bytes(self) + bytes(other))

    def __radd__(self, other: Any) -> Counted:
        STEPS.taken += len(self) + len(other)
        return Counted(bytes(other) + bytes(self))

    def find(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        end = len(self) if end is None else end
        found = bytes.find(self, sub, start, end)
        STEPS.taken += max(0, (end if found < 0 else found) - start) + 1
        return found

    def rfind(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        end = len(self) if end is None else end
        found = bytes.rfind(self, sub, start, end)
        STEPS.taken += max(0, end - (start if found < 0 else found)) + 1
        return found

    def count(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        end = len(self) if end is None else end
        STEPS.taken += max(0, end - start) + 1
        return bytes.count(self, sub, start, end)

    def split(self, sep: Any = None, maxsplit: SupportsIndex = -1) -> Any:
        STEPS.taken += len(self)
        return [Counted(part) for part in bytes.split(self, sep, maxsplit)]


def _whole(name: str) -> Callable[..., Any]:
    """A method of bytes that looks at all of them."""
    method = getattr(bytes, name)

    def call(self: bytes, *arguments: Any, **options: Any) -> Any:
        STEPS.taken += len(self)
        found = method(self, *arguments, **options)
        return Counted(found) if isinstance(found, bytes) else found

    return call


for _name in ("strip", "lstrip", "rstrip", "decode", "isascii", "replace", "__contains__"):
    setattr(Counted, _name, _whole(_name))


class CountedWindow(StreamBuffer):
    """A window onto counted bytes; what it appends to is copied, and counts."""

    def more(self) -> bool:
        grown = super().more()
        if grown and not isinstance(self.data, Counted):
            STEPS.taken += len(self.data)
            self.data = Counted(self.data)
        return grown


# -- regular expressions --------------------------------------------------------------------------------------------

Nodes = list[tuple[Any, Any]]
Rest = Callable[[int], int]


class _Matcher:
    """Matches at one place by backtracking, one step for each element that is tried; -1 where it does not match."""

    def __init__(self, pattern: re.Pattern[Any], text: Any, end: int) -> None:
        self._nodes = _parsed(pattern)
        self._dotall = bool(pattern.flags & re.DOTALL)
        self._text = text
        self._end = end

    def at(self, start: int) -> int:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, 50_000))  # for groups that are repeated hundreds of times
        try:
            return self._sequence(self._nodes, 0, start, lambda end: end)
        finally:
            sys.setrecursionlimit(limit)

    def _sequence(self, nodes: Any, index: int, at: int, rest: Rest) -> int:  # noqa: PLR0911 - one way out for each kind
        if index == len(nodes):
            return rest(at)
        kind, value = nodes[index]

        def then(end: int) -> int:
            return self._sequence(nodes, index + 1, end, rest)

        STEPS.taken += 1
        if self._is_one(kind):
            return then(at + 1) if self._fits(kind, value, at) else -1
        if kind is sre.SUBPATTERN:
            return self._sequence(value[3], 0, at, then)
        if kind is sre.ATOMIC_GROUP:
            end = self._sequence(value, 0, at, lambda end: end)
            return -1 if end < 0 else then(end)
        if kind is sre.BRANCH:
            return next((end for way in value[1] if (end := self._sequence(way, 0, at, then)) >= 0), -1)
        if kind in (sre.ASSERT, sre.ASSERT_NOT):
            assert value[0] == 1
            holds = self._sequence(value[1], 0, at, lambda end: end) >= 0
            return then(at) if holds == (kind is sre.ASSERT) else -1
        if kind is sre.AT:
            last = at == self._end or (value is sre.AT_END and at == self._end - 1 and self._text[at] == 10)
            holds = at == 0 if value in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING) else last
            return then(at) if holds else -1
        if kind in (sre.MAX_REPEAT, sre.POSSESSIVE_REPEAT):
            return self._repeat(kind, value, at, then)
        raise NotImplementedError(kind)

    def _repeat(self, kind: Any, value: Any, at: int, then: Rest) -> int:
        least, most, item = value
        most = self._end if most is sre.MAXREPEAT else most
        ends = [at]
        one = len(item) == 1 and self._is_one(item[0][0])
        if kind is sre.MAX_REPEAT and not one:
            return self._repeat_group(item, least, most, at, then)
        while len(ends) <= most:
            if one:
                STEPS.taken += 1
                end = ends[-1] + 1 if self._fits(*item[0], ends[-1]) else -1
            else:
                end = self._sequence(item, 0, ends[-1], lambda end: end)
            if end < 0 or end == ends[-1]:
                break
            ends.append(end)
        if len(ends) <= least:
            return -1
        if kind is sre.POSSESSIVE_REPEAT:
            return then(ends[-1])
        return next((end for last in reversed(ends[least:]) if (end := then(last)) >= 0), -1)

    def _repeat_group(self, item: Any, least: int, most: int, at: int, then: Rest) -> int:
        """As often as it fits, then fewer times until the rest fits too; within each time its own ways."""
        if most > 0:
            end = self._sequence(
                item, 0, at, lambda end: self._repeat_group(item, least - 1, most - 1, end, then) if end > at else -1
            )
            if end >= 0:
                return end
        return then(at) if least <= 0 else -1

    @staticmethod
    def _is_one(kind: Any) -> bool:
        return kind in (sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY)

    def _fits(self, kind: Any, value: Any, at: int) -> bool:
        if at >= self._end:
            return False
        code = self._text[at]
        if kind is sre.LITERAL:
            return bool(code == value)
        if kind is sre.NOT_LITERAL:
            return bool(code != value)
        if kind is sre.ANY:
            return self._dotall or code != 10
        negated = value[0][0] is sre.NEGATE
        held = any(_within(one, code) for one in value[negated:])
        return held != negated


@lru_cache
def _parsed(pattern: re.Pattern[Any]) -> Nodes:
    return [*sre_parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)]


def _within(item: tuple[Any, Any], code: int) -> bool:
    kind, value = item
    if kind is sre.LITERAL:
        return bool(code == value)
    if kind is sre.RANGE:
        return bool(value[0] <= code <= value[1])
    assert kind is sre.CATEGORY
    classes = {sre.CATEGORY_SPACE: r"\s", sre.CATEGORY_DIGIT: r"\d", sre.CATEGORY_WORD: r"\w"}
    return re.match(classes[value], chr(code), re.ASCII) is not None


class CountedPattern:
    """A compiled pattern whose work is counted."""

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        self._pattern = pattern

    def match(self, text: Any, pos: int = 0, endpos: int = sys.maxsize) -> Any:
        found = self._pattern.match(text, pos, endpos)
        end = _matcher(self._pattern, text, endpos).at(pos)
        assert end == (found.end() if found else -1)
        return found

    def fullmatch(self, text: Any) -> Any:
        STEPS.taken += len(text)
        return self._pattern.fullmatch(text)

    def search(self, text: Any, pos: int = 0, endpos: int = sys.maxsize) -> Any:
        found = self._pattern.search(text, pos, endpos)
        matcher = _matcher(self._pattern, text, endpos)
        for start in range(pos, (found.start() if found else min(endpos, len(text))) + 1):
            STEPS.taken += 1
            end = matcher.at(start)
            assert (end >= 0) == (found is not None and start == found.start())
        return found

    def finditer(self, text: Any) -> Iterator[Any]:
        at = 0
        while (found := self.search(text, at)) is not None:
            yield found
            at = found.end() + (found.end() == found.start())

    def sub(self, by: Any, text: Any) -> Any:
        list(self.finditer(text))
        return self._pattern.sub(by, text)


def _matcher(pattern: re.Pattern[Any], text: Any, endpos: int) -> _Matcher:
    codes = memoryview(text) if isinstance(text, bytes) else [ord(one) for one in text]
    return _Matcher(pattern, codes, min(endpos, len(codes)))


class _Re:
    """Stands for the module `re` where patterns are compiled on the way."""

    DOTALL = re.DOTALL
    Pattern = re.Pattern
    Match = re.Match

    @staticmethod
    def compile(pattern: Any, flags: int = 0) -> CountedPattern:
        return CountedPattern(re.compile(pattern, flags))


# -- everything together -------------------------------------------------------------------------------------------


def _counted(value: Any) -> Any:
    """What takes a module's global's place; the same where it is nothing that reads."""
    owner = getattr(value, "__self__", None)
    if isinstance(value, re.Pattern):
        return CountedPattern(value)
    if isinstance(owner, re.Pattern):
        return getattr(CountedPattern(owner), value.__name__)
    if isinstance(owner, msgspec.json.Decoder):
        return _decoding(value)
    return value


class _CountedDecoder:
    def __init__(self, decoder: Any) -> None:
        self.decode = _decoding(decoder.decode)


def _decoding(decode: Callable[..., Any]) -> Callable[..., Any]:
    def call(data: Any) -> Any:
        STEPS.taken += len(data)
        return decode(data)

    return call


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], int]:
    """Calls what it is given, and returns the steps that took."""
    for found in walk_packages(sprig_tui.sprig.__path__, "sprig_tui.sprig."):
        module = import_module(found.name)
        for name, value in list(vars(module).items()):
            if isinstance(value, msgspec.json.Decoder):
                monkeypatch.setattr(module, name, _CountedDecoder(value))
            elif (counted := _counted(value)) is not value:
                monkeypatch.setattr(module, name, counted)
            elif value is StreamBuffer:
                monkeypatch.setattr(module, name, CountedWindow)
            elif value is re:
                monkeypatch.setattr(module, name, _Re)

    def count(work: Callable[[], Any]) -> int:
        STEPS.taken = 0
        with _lines_counted():
            work()
        return STEPS.taken

    return count


@contextmanager
def _lines_counted() -> Iterator[None]:
    def local(_frame: Any, event: str, _argument: Any) -> Any:
        STEPS.taken += event == "line"
        return local

    def entered(frame: Any, _event: str, _argument: Any) -> Any:
        return local if frame.f_code.co_filename.startswith(_HOME) else None

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        yield
    finally:
        sys.settrace(before)
