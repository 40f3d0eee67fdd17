"""Fault rule syntax: a short text for each rule, or a JSON file.

    rule      = fault { "+" option } { condition } [ "~" text ]
    fault     = status | word [ "=" value ]
    status    = 200 ... 599
    word      = "reset" | "close" | "hang" | "slow" | "trickle" | "truncate" | "content-type" | "html" | "huge"
              | "unsuccess" | "redirect"
    value     = seconds for slow and trickle, megabytes for huge, a status for truncate, content-type and html,
                an address for redirect
    option    = "retry-after=" text | "reset=" seconds | "accept" | "refuse" | "body=" text
    condition = "@" number | "@" first "-" [ last ] | "@every:" n | "@times:" n | "@source:" name | "@id:" message-id
              | ":" percent "%"
    text      = the rest of the rule: the body must contain it

`503@2-4` answers 503 to the second to fourth request, `429+retry-after=2:5%` answers 429 to one in twenty,
`reset@every:10` resets each tenth, `reset+accept@3` accepts the third request's events and then resets, `400~poison`
rejects bodies that contain `poison`, `slow=0.5` delays all by half a second. `+retry-after=date:30` is a date 30 s from
now; `+refuse` does not accept the events of an otherwise good reply. A value ends at `+`, `@` or `~`; JSON allows any.
The syntax has no write keys, because other users can see a command line: use the name of the source, or JSON.

JSON: a list of objects with the fields of `FaultRule`, such as
`[{"do": "status", "status": 503, "first": 2, "last": 4}]`;
a text in the list has the syntax above.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec

from sprig_tui.errors import ConfigError
from sprig_tui.segment.sink.faults import FaultKind, FaultRule

_HINT = "such as 503@2-4, 429+retry-after=2:5%, reset@every:10, reset+accept@3 or 400~poison"
_FAULT_WORDS = tuple(word for word in get_args(FaultKind) if word != "status")
_VALUE = r"(?:=(?P<value>(?:(?!:[0-9.]+%)[^@+~])+))?"
_FAULT = re.compile(r"(?P<word>[a-z0-9-]+)" + _VALUE)
_OPTION = re.compile(r"\+(?P<word>[a-z-]+)" + _VALUE)
_RANGE = re.compile(r"@(?P<first>[0-9]{1,9})(?P<dash>-(?P<last>[0-9]{1,9})?)?")
_NAMED = re.compile(r"@(?P<word>every|times|source|id):(?P<value>[^@+~]+?)(?=:[0-9.]+%|[@+~]|$)")
_RATE = re.compile(r":(?P<percent>[0-9]{1,3}(?:\.[0-9]+)?)%")


def parse_rule(text: str) -> FaultRule:
    """One rule from its short text; raises ConfigError with the rule and the position of the mistake."""
    head, tilde, poison = text.strip().partition("~")
    fields = _RuleParser(text.strip(), head).fields()
    if tilde:
        if not poison:
            raise _syntax_error(text, len(head) + 2, "no text after ~")
        fields["contains"] = poison
    rule = FaultRule(**fields, name=text.strip())
    check_rule(rule, f"fault rule {text.strip()!r}")
    return rule


def parse_rules(given: Sequence[str | FaultRule]) -> tuple[FaultRule, ...]:
    """Rules and texts of rules, in order."""
    return tuple(parse_rule(rule) if isinstance(rule, str) else rule for rule in given)


def read_rules(path: Path) -> tuple[FaultRule, ...]:
    """The rules of a JSON file; ConfigError names file, rule and field."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"fault rules {path}: {error.strerror or error}", hint="give a JSON file") from error
    return rules_from_json(content, str(path))


def rules_from_json(content: bytes, what: str = "fault rules") -> tuple[FaultRule, ...]:
    """The rules of a JSON list; `what` names where it came from in errors (ConfigError)."""
    try:
        listed = msgspec.json.decode(content, type=list[Any])
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{what}: not a JSON list of rules: {error}", hint='such as [{"do": "reset"}]') from error
    return tuple(_rule_from_object(item, f"{what}: rule {index}") for index, item in enumerate(listed, 1))


def check_rule(rule: FaultRule, what: str) -> None:
    """ConfigError when a field is out of bounds; `what` names the rule."""
    bounds: list[tuple[bool, str]] = [
        (rule.do != "status" or 200 <= rule.status <= 599, "status must be from 200 to 599"),
        (rule.status == 0 or 200 <= rule.status <= 599, "status must be from 200 to 599"),
        (rule.first >= 1 and (rule.last == 0 or rule.last >= rule.first), "requests are counted from 1, first to last"),
        (rule.every >= 0 and rule.times >= 0, "every and times must not be negative"),
        (0 <= rule.rate <= 1, "the share must be from 0 to 1 (0 % to 100 %)"),
        (0 <= rule.seconds <= 86_400, "seconds must be from 0 to 86,400"),
        (0 <= rule.megabytes <= 10_000, "megabytes must be from 0 to 10,000"),
        (_is_header(rule.retry_after, rule.rate_limit_reset, rule.location), "a header holds no control characters"),
        (_is_unicode(rule.contains, rule.message_id, rule.body, rule.name), "the text is not valid Unicode"),
        (_is_date(rule.retry_after), "retry-after=date: needs seconds, such as date:30"),
    ]
    wrong = next((message for good, message in bounds if not good), "")
    if wrong:
        raise ConfigError(f"{what}: {wrong}", hint=_HINT)


def _rule_from_object(given: object, what: str) -> FaultRule:
    try:
        rule = parse_rule(given) if isinstance(given, str) else msgspec.convert(given, FaultRule)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{what}: {error}", hint="the fields are those of Rule") from error
    except ConfigError as error:
        raise ConfigError(f"{what}: {error.message}", hint=error.hint) from error
    check_rule(rule, what)
    return rule


class _RuleParser:
    """Goes through one rule's text from left to right."""

    def __init__(self, text: str, head: str) -> None:
        self._text = text
        self._head = head
        self._position = 0
        self._fields: dict[str, Any] = {}

    def fields(self) -> dict[str, Any]:
        self._parse_fault()
        steps: dict[str, tuple[Callable[[], bool], str]] = {
            "+": (self._parse_option, "an option: retry-after=, reset=, body=, accept or refuse"),
            "@": (self._parse_condition, "a number, a range, or every:, times:, source:, id:"),
            ":": (self._parse_rate, "a share such as 5%"),
        }
        while self._position < len(self._head):
            step, expected = steps.get(self._head[self._position], (None, "+, @, :PERCENT% or ~"))
            if step is None or not step():
                raise _syntax_error(self._text, self._position + 1, f"expected {expected}")
        return self._fields

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._head, self._position)
        if match:
            self._position = match.end()
        return match

    def _parse_fault(self) -> None:
        match = self._match(_FAULT)
        word = match["word"] if match else ""
        if match and word.isdigit() and match["value"] is None:
            self._fields |= {"do": "status", "status": int(word[:4])}
            return
        if match is None or word not in _FAULT_WORDS:
            raise _syntax_error(self._text, 1, f"expected a status or one of {', '.join(_FAULT_WORDS)}")
        self._fields["do"] = word
        field = {"slow": "seconds", "trickle": "seconds", "huge": "megabytes", "redirect": "location"}.get(word)
        field = field or ("status" if word in ("truncate", "content-type", "html") else None)
        if match["value"] is None:
            return
        if field is None:
            raise _syntax_error(self._text, match.end("word") + 1, f"{word} takes no value")
        self._fields[field] = match["value"] if field == "location" else self._parse_number(match, field)

    def _parse_number(self, match: re.Match[str], field: str) -> float | int:
        text = match["value"].removesuffix("MB") if field == "megabytes" else match["value"].removesuffix("s")
        if not re.fullmatch(r"[0-9]{1,9}" if field == "status" else r"[0-9]{1,9}(\.[0-9]+)?", text):
            raise _syntax_error(self._text, match.start("value") + 1, "expected a number")
        return int(text) if field == "status" else float(text)

    def _parse_option(self) -> bool:
        at = self._position
        match = self._match(_OPTION)
        if match is None:
            return False
        field = {"retry-after": "retry_after", "reset": "rate_limit_reset", "body": "body"}.get(match["word"])
        if field and match["value"] is not None:
            self._fields[field] = match["value"]
        elif match["word"] in ("accept", "refuse") and match["value"] is None:
            self._fields["accept"] = match["word"] == "accept"
        else:
            self._position = at
            return False
        return True

    def _parse_condition(self) -> bool:
        if match := self._match(_RANGE):
            first = int(match["first"])
            self._fields |= {"first": first, "last": int(match["last"] or 0) if match["dash"] else first}
            return True
        match = self._match(_NAMED)
        if match is None:
            return False
        word, value = match["word"], match["value"]
        if word in ("every", "times"):
            if not re.fullmatch(r"[1-9][0-9]{0,8}", value):
                raise _syntax_error(self._text, match.start("value") + 1, f"{word}: needs a number from 1")
            self._fields[word] = int(value)
        else:
            self._fields["message_id" if word == "id" else "source"] = value
        return True

    def _parse_rate(self) -> bool:
        match = self._match(_RATE)
        if match:
            self._fields["rate"] = float(match["percent"]) / 100
        return match is not None


def _syntax_error(text: str, position: int, message: str) -> ConfigError:
    return ConfigError(f"fault rule {text.strip()!r}, character {position}: {message}", hint=_HINT)


def _is_header(*values: str) -> bool:
    return all(value.isprintable() and value.isascii() for value in values)


def _is_unicode(*values: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for value in values for character in value)


def _is_date(retry_after: str) -> bool:
    kind, _, seconds = retry_after.partition(":")
    return kind != "date" or re.fullmatch(r"-?[0-9]{1,7}(\.[0-9]+)?", seconds) is not None
