"""Persons: the identifiers by which an answer is recognised as one of a person. Pure, shared by both stores.

A record belongs to a person if one of these is in it:

| kind      | is                                                                                           |
|-----------|----------------------------------------------------------------------------------------------|
| `user`    | the value of a member such as `userId` or `externalUserId`                                   |
| `visitor` | the value of a member such as `visitorId`, `visitorUuid`, `oldVisitorId` or `anonymousId`    |
| `email`   | a whole text value, in any member                                                            |

A text that only contains an identifier, such as a comment about a colleague, is no record of that person.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from sprig_tui.errors import InputError
from sprig_tui.journal.query import Query, iter_terms

IdentifierKind = Literal["user", "email", "visitor"]
IDENTIFIER_KINDS: tuple[IdentifierKind, ...] = get_args(IdentifierKind)
MAX_IDENTIFIER_CHARS = 4_096
_HASH_BYTES = 16
_MAX_ADDRESS_BYTES = 400
_MAX_ID_BITS = 64
"""Of an id that is a number; Python refuses to write numbers of many digits."""
_MAX_REMEMBERED = 50_000
"""Results of look-ups that one matcher remembers: most people answer more than once."""
_MIN_NAME_CHARS = 4
"""Identifiers shorter than this are not searched in names and filters, where they would match anything."""

_ID_OWNERS: tuple[tuple[bytes, IdentifierKind], ...] = (
    (b"user", "user"),
    (b"visitor", "visitor"),
    (b"anonymous", "visitor"),
)
_ID_ENDS = (b'id"', b'_id"', b' id"', b'-id"', b'uuid"', b'_uuid"', b' uuid"', b'-uuid"')
_SPELLINGS = tuple((end, tuple((owner + end, kind) for owner, kind in _ID_OWNERS)) for end in _ID_ENDS)
"""Ends of the names of members with ids, in lower case, and the whole names with each.

Each is searched for: one pattern for all takes ten times as long."""
_ID_VALUE = re.compile(rb'\s*:\s*(?:"([^"]*)"|(-?\d+)|(\[))')
_ESCAPES = re.compile(rb"\\[^u]|(?:\\u[0-9a-fA-F]{4})+")
_ID_NAME = re.compile(r"(user|visitor|anonymous)[ _-]?(?:uu)?id$", re.IGNORECASE)
_OWN_ID_NAME = re.compile(r"(?:external|partner|old)?[ _-]?(?:user|visitor|anonymous)[ _-]?(?:uu)?id", re.IGNORECASE)
"""The same of the person who answered: not of their manager."""
_ADDRESS_NAMES = frozenset({"email", "emailaddress", "email address", "e-mail"})
"""Names of members with the address of the person who answered."""
_SEPARATORS = re.compile(r"""[\s"',;:{}\[\]()<>|=]+""")
_WORD = re.compile(r"[^\W_]+")
_FIELDS_WITH_NAMES = frozenset({"user", "text", "survey", "survey-id", "id"})
"""Fields of a filter whose values come from answers."""
_KIND_BY_MEMBER: dict[str, IdentifierKind] = {"user": "user", "visitor": "visitor", "anonymous": "visitor"}


class Identifier(Struct, frozen=True, order=True):
    """One identifier of a person, in its normal form."""

    kind: IdentifierKind
    value: str


def make_identifier(kind: IdentifierKind, text: str) -> Identifier:
    """The identifier that a text is. Raises InputError for a text that is none."""
    value = _normal(kind, text)
    if not value or len(value) > MAX_IDENTIFIER_CHARS or "\0" in value:
        raise InputError(f"this is no {kind} id" if kind != "email" else "this is no e-mail address")
    if kind == "email" and ("@" not in value or re.search(r"\s", value)):
        raise InputError("this is no e-mail address: it has no @, or a space", hint="give the whole address")
    return Identifier(kind, value)


def _normal(kind: IdentifierKind, text: str) -> str:
    text = text.strip()
    if not text.isascii():
        # one name has several spellings in Unicode, and people and files do not agree on one
        text = unicodedata.normalize("NFC", text).strip()
    return text if kind == "user" else text.lower()


def identifiers_in(content: bytes, *, is_readable: bool = True) -> Iterator[Identifier]:
    """The identifiers in a record or in a track call; of content that is no JSON, all that may be one.

    `is_readable` is False for content that nobody has read as JSON so far.
    """
    if b"\\" in content or not is_readable:
        # an escape may hide a member or a value
        decoded = _decoded(content)
        if decoded is not None:
            yield from _identifiers_of_members(decoded)
            return
        # no JSON, or nested deeper than this call may go
        content = _ESCAPES.sub(_unescape, content)
    for one in _ids_in(content):
        if one is None:
            yield from _identifiers_of_members(_decoded(content))
        else:
            yield one
    if b"@" in content:
        yield from _addresses_in(content)
    if content and (content[:1] != b"{" or not is_readable):
        yield from _identifiers_of_text(content.decode("utf-8", "replace"))


def _unescape(found: re.Match[bytes]) -> bytes:
    escapes = found.group()
    if escapes[1:2] != b"u":
        return escapes
    units = b"".join(bytes.fromhex(digits.decode()) for digits in escapes[2:].split(b"\\u"))
    text = units.decode("utf-16-be", "replace")
    # a quote would end the text that it stands in
    return escapes if any(char in '"\\' for char in text) else text.encode()


def _decoded(content: bytes) -> Any:
    """None for content that is no JSON."""
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _identifiers_of_members(decoded: Any) -> Iterator[Identifier]:
    for name, value in _members(decoded):
        yield from _identifiers_of_value(name, value)


def identifiers_of_person(user_id: str, content: bytes) -> tuple[Identifier, ...]:
    """The identifiers of the person whose record this is, without addresses of other people that it may hold."""
    found: dict[Identifier, None] = {}
    for one in identifiers_of_user_id(user_id):
        found[one] = None
    for name, inner in _members(_decoded(content)):
        for one in _identifiers_of_value(name, inner):
            is_own = _OWN_ID_NAME.fullmatch(name) or name.lower().strip("! ") in _ADDRESS_NAMES
            if is_own:
                found[one] = None
    return tuple(found)


def _members(decoded: Any) -> Iterator[tuple[str, Any]]:
    """Names and values of all members, in their order, that are no objects or lists themselves.

    Without recursion: a record may be nested as deep as its reader allows.
    """
    waiting: list[tuple[str, Any]] = [("", decoded)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += reversed(value.items())
        elif isinstance(value, list):
            waiting += ((name, inner) for inner in reversed(value))
        else:
            yield name, value


def _ids_in(content: bytes) -> Iterator[Identifier | None]:
    """The values of members with ids; None for a list of them."""
    lowered = content.lower()
    for end, spellings in _SPELLINGS:
        if end not in lowered:
            continue
        for spelling, kind in spellings:
            at = lowered.find(spelling)
            while at >= 0:
                at += len(spelling)
                if found := _ID_VALUE.match(content, at):
                    if found[3]:
                        yield None
                    elif value := _normal(kind, (found[1] or found[2] or b"").decode("utf-8", "replace")):
                        yield Identifier(kind, value)
                at = lowered.find(spelling, at)


def _addresses_in(content: bytes) -> Iterator[Identifier]:
    at = content.find(b"@")
    while at >= 0:
        start, end = content.rfind(b'"', 0, at), content.find(b'"', at)
        if start >= 0 and end - start <= _MAX_ADDRESS_BYTES:
            yield Identifier("email", _normal("email", content[start + 1 : end].decode("utf-8", "replace")))
        at = content.find(b"@", max(end, at + 1))


def identifiers_of_user_id(user_id: str) -> Iterator[Identifier]:
    """Those that a user id is: one that is an address is found by `email` too."""
    if value := _normal("user", user_id):
        yield Identifier("user", value)
        if "@" in value:
            yield Identifier("email", _normal("email", value))


def _identifiers_of_value(name: str, value: Any) -> Iterator[Identifier]:
    """Those that a member of this name and value is."""
    if isinstance(value, str) or (
        isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= _MAX_ID_BITS
    ):
        text = str(value)
        if "@" in text and (address := _normal("email", text)):
            yield Identifier("email", address)
        if (found := _ID_NAME.search(name)) and (own := text.strip()):
            kind = _KIND_BY_MEMBER[found.group(1).lower()]
            yield Identifier(kind, _normal(kind, own))


def _identifiers_of_text(text: str) -> Iterator[Identifier]:
    """Of a record that cannot be read: it is never sent, so that taking too much for an identifier does no harm."""
    for token in _SEPARATORS.split(text):
        # a sentence may end with one
        for word in {token, token.rstrip(".!?\\")} if token else ():
            yield from (Identifier(kind, _normal(kind, word)) for kind in IDENTIFIER_KINDS)


class PersonMatcher:
    """Recognises the records of some persons."""

    def __init__(self, contains: Callable[[Identifier], bool]) -> None:
        self._contains = contains
        self._known: dict[Identifier, bool] = {}

    @classmethod
    def of(cls, identifiers: Iterable[Identifier]) -> PersonMatcher:
        """Of persons whose identifiers are known."""
        return cls(frozenset(identifiers).__contains__)

    def matches(self, user_id: str, *contents: bytes, is_readable: bool = True) -> bool:
        """Whether a delivery with this user id, record and call is one of these persons.

        `is_readable` is False if nobody has read the contents as JSON so far.
        """
        if user_id and any(self._is_one(one) for one in identifiers_of_user_id(user_id)):
            return True
        return any(
            self._is_one(one)
            for content in contents
            if content
            for one in identifiers_in(content, is_readable=is_readable)
        )

    def is_quoted_in(self, text: str, *, min_chars: int = 1) -> bool:
        """Whether a text contains an identifier of this length as a word, in whatever kind of message."""
        content = text.encode("utf-8", "replace")
        found = chain(_identifiers_of_text(text), identifiers_in(content))
        return any(self._is_one(one) for one in found if len(one.value) >= min_chars)

    def _is_one(self, identifier: Identifier) -> bool:
        known = self._known.get(identifier)
        if known is None:
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            known = self._known[identifier] = self._contains(identifier)
        return known


def is_in_name(matcher: PersonMatcher, name: str) -> bool:
    """Whether the name of a file, or of a folder above it, is or contains an identifier as a word.

    One that is shorter than other words has to be the whole name of the file: folders are called by years and months.
    """
    parts = [part for part in re.split(r"[/\\]", name) if part]
    stems = [part[:at] for part in parts for at, sign in enumerate(part) if sign == "." and at]
    if any(matcher.is_quoted_in(part, min_chars=_MIN_NAME_CHARS) for part in (*parts, *stems)):
        return True
    return bool(parts) and any(matcher.matches(whole) for whole in (parts[-1], parts[-1].partition(".")[0]))


def identifier_hash(key: bytes, identifier: Identifier) -> bytes:
    """Keyed hash of an identifier: without the key nobody can test whose it is."""
    text = f"{identifier.kind}\0{identifier.value}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, key=key, digest_size=_HASH_BYTES, person=b"forgotten").digest()


class NameSearch:
    """Finds identifiers inside names, filters and other short texts; too short ones are not searched."""

    def __init__(self, identifiers: Iterable[Identifier]) -> None:
        named = list(identifiers)
        self._exact = frozenset(one.value for one in named)
        values = {one.value.lower() for one in named if len(one.value) >= _MIN_NAME_CHARS}
        words = {value: _WORD.findall(value) for value in values}
        numbers = Counter(word for found in words.values() for word in {*found})
        self._by_word: dict[str, list[tuple[int, str]]] = {}
        """The identifiers by their rarest word, with its place in them: thousands of them share `example` and `com`."""
        self._wordless: list[str] = []
        for value, found in words.items():
            if not found:
                self._wordless.append(value)
                continue
            word = min(found, key=lambda one: (numbers[one], -len(one)))
            place = next(match.start() for match in _WORD.finditer(value) if match[0] == word)
            self._by_word.setdefault(word, []).append((place, value))

    def is_in(self, text: str) -> bool:
        """Whether an identifier is in a text, as a word."""
        lowered = text.lower()
        if any(value in lowered for value in self._wordless):
            return True
        by_word = self._by_word
        for match in _WORD.finditer(lowered) if by_word else ():
            for place, value in by_word.get(match[0], ()):
                start = match.start() - place
                if start >= 0 and lowered.startswith(value, start) and _is_whole(lowered, start, start + len(value)):
                    return True
        return False

    def is_in_bytes(self, content: bytes) -> bool:
        """The same of JSON or other content."""
        return bool(self._by_word or self._wordless) and self.is_in(content.decode("utf-8", "replace"))

    def is_in_query(self, query: Query) -> bool:
        """Whether a filter names one of the persons."""
        terms = list(iter_terms(query.terms))
        if not terms:
            return self.is_in(query.text)
        # by its terms alone: a person may be called like a field or a state
        values = [(term.field, term.value) for term in terms if term.field in _FIELDS_WITH_NAMES]
        if any(field in ("user", "text") and value.strip("*") in self._exact for field, value in values):
            return True
        return any(self.is_in(value) for _, value in values)


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether a part of a text is not within a word."""
    return not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum())
