"""Faults of the workspace: what Segment may do to events behind its 200, as short texts.

    rule      = word [ "=" value ] { condition }
    word      = "lost" [ "=" n ]        answered with 200 and counted nowhere; lost=3 is the first three, as lost@1-3
              | "late=" seconds         counted, but seen that much later
              | "repeats"               a repeat of a message id counts as received, too (else it counts nowhere)
              | "failed" [ "=" reason ] a destination fails to get it; ETIMEDOUT without a reason
              | "retried=" n            a destination gets it with its nth attempt
              | "disabled"              the source is disabled; with @destination: that destination
              | "unknown"               the source's Write Keys belong to no source of the workspace
              | "suppressed=" user      Segment suppresses this user
              | "unplanned"             a tracking plan without our event blocks unplanned events
              | "violating"             a tracking plan asks for a property that no event has, and blocks
              | "filtered" [ "=" fql ]  a destination filter drops what fulfils the condition, or all track calls
              | "unmapped"              a destination has mappings, but none for track calls
              | "slug-taken" [ "=" slug ]      a new source with this slug gets 409, though no source shows it; without
                                               a slug the first that is asked for
              | "slug-rejected" [ "=" slug ]   the same with 422
              | "read-only" [ "=" status ]     the token may change nothing; 401
              | "no-answer" [ "=" n ]          the first n sources and Write Keys are made, but the connection ends
                                               without an answer; 1
              | "no-rename" [ "=" status ]     PATCH of a source fails; 500
              | "no-label" [ "=" status ]      labels of a source cannot be changed; 422
              | "no-new-key" [ "=" status ]    no further Write Key can be made; 404
    condition = "@" number | "@" first "-" [ last ] | "@every:" n | "@source:" name | "@destination:" name

Numbers count the events of each source, from 1; they suit lost, late, failed and retried. Without `@source:` a rule is
for every source, without `@destination:` for every destination. A value or a name ends at `@`.

`lost=3` swallows the first three events of each source, `late=600@source:Acme production` shows that source's counts
ten minutes later, `failed=401@100-@destination:Amplitude` fails from the hundredth event on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

from sprig_tui.errors import ConfigError
from sprig_tui.segment.sink.workspace.model import Record, Workspace


class FaultKind(StrEnum):
    """The words of the syntax."""

    LOST = "lost"
    LATE = "late"
    REPEATS = "repeats"
    FAILED = "failed"
    RETRIED = "retried"
    DISABLED = "disabled"
    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"
    UNPLANNED = "unplanned"
    VIOLATING = "violating"
    FILTERED = "filtered"
    UNMAPPED = "unmapped"
    SLUG_TAKEN = "slug-taken"
    SLUG_REJECTED = "slug-rejected"
    READ_ONLY = "read-only"
    NO_ANSWER = "no-answer"
    NO_RENAME = "no-rename"
    NO_LABEL = "no-label"
    NO_NEW_KEY = "no-new-key"


_HINT = "such as lost=3, lost@100-102@source:Acme production, late=600, failed=401@destination:Amplitude or disabled"
_NUMBERED = (FaultKind.LOST, FaultKind.LATE, FaultKind.FAILED, FaultKind.RETRIED)
_WITHOUT_VALUE = (
    FaultKind.REPEATS, FaultKind.DISABLED, FaultKind.UNKNOWN, FaultKind.UNPLANNED, FaultKind.VIOLATING,
    FaultKind.UNMAPPED,
)  # fmt: skip
_AT_DESTINATIONS = (
    FaultKind.FAILED, FaultKind.RETRIED, FaultKind.DISABLED, FaultKind.FILTERED, FaultKind.UNMAPPED,
)  # fmt: skip
DEFAULT_STATUS = {
    FaultKind.READ_ONLY: 401, FaultKind.NO_RENAME: 500, FaultKind.NO_LABEL: 422, FaultKind.NO_NEW_KEY: 404,
}  # fmt: skip
"""Of the faults of set-up that fail."""
SETUP_FAULTS = frozenset({*DEFAULT_STATUS, FaultKind.SLUG_TAKEN, FaultKind.SLUG_REJECTED, FaultKind.NO_ANSWER})
"""What happens to requests that change the workspace, not to events."""
_RANGE = re.compile(r"(?P<first>[0-9]{1,9})(?P<dash>-(?P<last>[0-9]{1,9})?)?")
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]+)?")


class WorkspaceFault(Struct, frozen=True, kw_only=True):
    """One rule."""

    do: FaultKind
    first: int = 1
    last: int = 0
    """0 for no end."""
    every: int = 0
    source: str = ""
    destination: str = ""
    seconds: float = 0.0
    attempts: int = 1
    status: int = 0
    """Of a fault of set-up that fails."""
    reason: str = "ETIMEDOUT"
    value: str = ""
    text: str = ""
    """The rule as it was written."""


class FaultRules:
    """The rules, and how many events each source has sent."""

    def __init__(self, rules: Sequence[str | WorkspaceFault] = ()) -> None:
        self.rules = tuple(parse_fault(rule) if isinstance(rule, str) else rule for rule in rules)
        self._numbers: Counter[str] = Counter()

    def advance(self, source_id: str) -> None:
        """Count one more event of a source."""
        self._numbers[source_id] += 1

    def find(
        self, kind: FaultKind, source_id: str, source: str, destination_id: str = "", destination: str = ""
    ) -> WorkspaceFault | None:
        """The rule of this kind that applies to the newest event of a source."""
        number = self._numbers[source_id]
        for rule in self.rules:
            if (
                rule.do is kind
                and rule.source in ("", source, source_id)
                and rule.destination in ("", destination, destination_id)
                and number >= rule.first
                and not (rule.last and number > rule.last)
                and not (rule.every and number % rule.every)
            ):
                return rule
        return None


def parse_fault(text: str) -> WorkspaceFault:
    """One rule from its text; raises ConfigError with what is wrong."""
    head, *conditions = text.strip().split("@")
    word, equals, value = head.partition("=")
    try:
        kind = FaultKind(word.strip())
    except ValueError:
        raise _error(text, f"expected one of {', '.join(FaultKind)}") from None
    fields: dict[str, object] = {}
    for condition in conditions:
        fields |= _condition(text, kind, condition)
    fields |= _value(text, kind, value.strip() if equals else None)
    return WorkspaceFault(do=kind, text=text.strip(), **fields)  # type: ignore[arg-type]


def _condition(text: str, kind: FaultKind, condition: str) -> dict[str, object]:
    word, colon, value = condition.partition(":")
    if kind in SETUP_FAULTS:
        raise _error(text, f"{kind} takes no conditions")
    if colon and value.strip() and word in ("source", "destination"):
        if word == "destination" and kind not in _AT_DESTINATIONS:
            raise _error(text, f"{kind} happens at the source, not at a destination")
        return {word: value.strip()}
    if kind not in _NUMBERED:
        raise _error(text, f"{kind} takes no numbers, only @source: or @destination:")
    if colon and word == "every" and value.isdigit() and int(value[:9]) > 0:
        return {"every": int(value[:9])}
    match = _RANGE.fullmatch(condition)
    if match is None:
        raise _error(text, f"@{condition} is no number, range, every:, source: or destination:")
    first = int(match["first"])
    last = int(match["last"] or 0) if match["dash"] else first
    if first < 1 or (last and last < first):
        raise _error(text, "events are counted from 1, first to last")
    return {"first": first, "last": last}


def _value(text: str, kind: FaultKind, value: str | None) -> dict[str, object]:
    if not value:
        if value is not None or kind in (FaultKind.LATE, FaultKind.RETRIED, FaultKind.SUPPRESSED):
            raise _error(text, f"{kind} needs a value after =")
        return {}
    if kind in _WITHOUT_VALUE:
        raise _error(text, f"{kind} takes no value")
    if kind in SETUP_FAULTS:
        return _setup_value(text, kind, value)
    if kind in (FaultKind.LOST, FaultKind.RETRIED, FaultKind.LATE):
        if (
            _NUMBER.fullmatch(value) is None
            or (kind is not FaultKind.LATE and not value.isdigit())
            or float(value) <= 0
        ):
            raise _error(text, f"{value[:40]!r} is no number")
        if kind is FaultKind.LOST:
            return {"first": 1, "last": int(value)}
        return {"seconds": float(value)} if kind is FaultKind.LATE else {"attempts": min(int(value), 10)}
    return {"reason": value} if kind is FaultKind.FAILED else {"value": value}


def _setup_value(text: str, kind: FaultKind, value: str) -> dict[str, object]:
    if kind in (FaultKind.SLUG_TAKEN, FaultKind.SLUG_REJECTED):
        return {"value": value}
    number = int(value) if value.isascii() and value.isdigit() and len(value) <= 4 else 0
    if kind is FaultKind.NO_ANSWER:
        if number < 1:
            raise _error(text, f"{value[:40]!r} is no number")
        return {"last": number}
    if not 400 <= number <= 599:
        raise _error(text, f"{value[:40]!r} is no status from 400 to 599")
    return {"status": number}


def change_workspace(workspace: Workspace, rules: Iterable[WorkspaceFault]) -> None:
    """Change the workspace for those rules that are a state of it; raises ConfigError for a name that it lacks."""
    for rule in rules:
        if rule.do in SETUP_FAULTS:
            continue
        sources = _named(rule, "source", rule.source, workspace.sources)
        within = {source["id"] for source in sources}
        destinations = _named(
            rule, "destination", rule.destination, [one for one in workspace.destinations if one["sourceId"] in within]
        )
        for source in sources:
            _change_source(workspace, rule, source)
        if rule.do is FaultKind.SUPPRESSED and rule.value not in workspace.suppressed:
            workspace.suppressed.append(rule.value)
        for destination in destinations:
            if rule.do is FaultKind.FILTERED:
                workspace.add_filter(destination, rule.value or 'type = "track"')
            elif rule.do is FaultKind.UNMAPPED:
                workspace.add_subscription(destination, 'type = "identify"', name="Identify User")
            elif rule.do is FaultKind.DISABLED and rule.destination:
                destination["enabled"] = False


def _change_source(workspace: Workspace, rule: WorkspaceFault, source: Record) -> None:
    if rule.do is FaultKind.DISABLED and not rule.destination:
        source["enabled"] = False
    elif rule.do is FaultKind.UNKNOWN:
        source["writeKeys"] = [f"another{number:025d}" for number, _ in enumerate(source["writeKeys"], 1)]
    elif rule.do is FaultKind.UNPLANNED:
        workspace.connect_plan(source, [("Order Completed", {"type": "object"})], allow_unplanned=False)
    elif rule.do is FaultKind.VIOLATING:
        missing = {"type": "object", "required": ["aPropertyThatIsNeverSent"]}
        schema = {"type": "object", "properties": {"properties": missing}}
        workspace.connect_plan(source, [("SDK - Submitted - Survey Response", schema)], block=True)


def _named(rule: WorkspaceFault, what: str, name: str, records: list[Record]) -> list[Record]:
    found = [one for one in records if name in ("", one.get("name"), one.get("slug"), one.get("id"))]
    if name and not found:
        raise ConfigError(
            f"fault rule {rule.text!r}: no {what} is called {name[:80]!r}",
            hint=f"there are: {', '.join(sorted({str(one.get('name')) for one in records}))[:300] or 'none'}",
        )
    return found


def _error(text: str, message: str) -> ConfigError:
    return ConfigError(f"workspace fault {text.strip()[:80]!r}: {message}", hint=_HINT)
