"""Query: a filter over deliveries as a tree, shared by the journals, the command line and the console.

It is evaluated here for one delivery, and compiled by `query_sql` for both databases.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from sprig_tui.journal.records import Delivery, State

FilterField = Literal[
    "status",
    "reason",
    "env",
    "survey",
    "survey-id",
    "user",
    "id",
    "origin",
    "endpoint",
    "since",
    "until",
    "sent-since",
    "sent-until",
    "is",
    "attempts",
    "latency",
    "size",
    "text",
]

SEARCHED_FIELDS = ("survey_name", "user_id", "answer", "error", "reason", "detail", "source", "message_id")
"""Fields of a delivery that free text is searched in; the columns have the same names."""
TIME_FIELDS = ("since", "until", "sent-since", "sent-until")
"""Fields whose values are times, ms since 1970 as text."""
NUMBER_FIELDS = ("attempts", "latency", "size")
"""Fields whose values are a comparison and a number, such as `>=2`; latencies in milliseconds, sizes in bytes."""
ALTERNATIVE_FIELDS = ("status", "reason", "env", "survey", "survey-id", "user", "id", "origin", "endpoint")
"""Fields of which one of several terms has to match; each term of the other fields has to."""
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
"""By their signs; SQL has the same signs."""
CONDITIONS: dict[str, Callable[[Delivery], bool]] = {
    "queued": lambda row: row.state is State.QUEUED,
    "delivered": lambda row: row.state is State.DELIVERED,
    "failed": lambda row: row.state is State.FAILED,
    "withheld": lambda row: row.state is State.WITHHELD,
    "waiting": lambda row: row.state is State.QUEUED and not row.leased and not row.due_at,
    "retrying": lambda row: row.state is State.QUEUED and not row.leased and bool(row.due_at),
    "in-flight": lambda row: row.state is State.QUEUED and row.leased,
    "held": lambda row: row.held,
    "edited": lambda row: row.edited,
    "replayed": lambda row: row.replayed,
    "repaired": lambda row: bool(row.repaired_by),
    "anonymous": lambda row: not row.user_id,
    "without-content": lambda row: row.content_dropped,
}
"""Values of `is`."""
WHOLE_URL_SIGN = "="
"""Before a value of `endpoint` that is a whole URL."""
MAX_ID_DIGITS = 18
"""A longer number is no delivery's: ids have 63 bits."""


class Term(Struct, frozen=True, gc=False, tag="term"):
    """One condition.

    `status` holds a state name, an HTTP status (`400`) or a class (`4xx`); `reason` a Reason's value; `env` an
    environment name; `survey` a survey id, or part of a name in any case; `survey-id` a survey id, `*` for any;
    `user` a user id, a trailing `*` for a prefix; `id` a delivery's number or message id (or its beginning);
    `origin` the number of the delivery that it was made of (a revision, possible duplicate or new sending of it);
    `endpoint` a part, in any case, of the URL that its last request was made to or that a run with `--endpoint`
    bound it for, or `=` and the whole URL; `since` and `until` wall times of arrival, ms since 1970 as text (since
    inclusive, until exclusive); `sent-since` and `sent-until` the same of the answer to its last request, if there
    was one; `is` a name of CONDITIONS; `attempts`, `latency` and `size` a comparison with the number of requests,
    the milliseconds of the last one, if there was one, and the bytes of the call; `text` a part, in any case, of
    survey name, user id, answer, error, reason, detail, source or message id.
    """

    field: FilterField
    value: str
    negated: bool = False
    literal: bool = False
    """Whether `*` and `=` in the value mean themselves."""

    @property
    def is_alternative(self) -> bool:
        """Whether it is one of several terms of its field of which one has to match."""
        return not self.negated and self.field in ALTERNATIVE_FIELDS

    @property
    def is_any(self) -> bool:
        """Whether the value stands for any value."""
        return self.value == "*" and not self.literal

    @property
    def is_prefix(self) -> bool:
        """Whether the value is the beginning of one."""
        return self.value.endswith("*") and not self.literal

    @property
    def whole_url(self) -> str:
        """The URL of a value such as `=https://api.segment.io`; empty for a part of a URL."""
        return "" if self.literal else whole_url(self.value)

    def matches(self, delivery: Delivery) -> bool:  # noqa: C901, PLR0911, PLR0912 - one case per field
        """Whether the delivery meets the condition; `negated` is not looked at."""
        value = self.value
        match self.field:
            case "status":
                status = str(delivery.status)
                return value in (delivery.state.value, status) or (
                    value.endswith("xx") and status == f"{value[0]}{status[1:]}"
                )
            case "reason":
                return delivery.reason == value
            case "env":
                return delivery.environment == value
            case "survey":
                return delivery.survey_id == value or contains(delivery.survey_name, value)
            case "survey-id":
                return bool(delivery.survey_id) if self.is_any else delivery.survey_id == value
            case "user":
                user = delivery.user_id
                return has_prefix(user, value[:-1]) if self.is_prefix else user == value
            case "id":
                by_number = value.isascii() and value.isdigit() and len(value) <= MAX_ID_DIGITS
                return delivery.id == int(value) if by_number else delivery.message_id.lower().startswith(value.lower())
            case "origin":
                return delivery.origin_id == int(value)
            case "endpoint":
                urls = (delivery.endpoint, delivery.bound_for)
                whole = self.whole_url
                return whole in urls if whole else any(value.lower() in url.lower() for url in urls)
            case "since":
                return delivery.added_at >= int(value)
            case "until":
                return delivery.added_at < int(value)
            case "sent-since":
                return delivery.status > 0 and delivery.settled_at >= int(value)
            case "sent-until":
                return delivery.status > 0 and delivery.settled_at < int(value)
            case "is":
                return CONDITIONS[value](delivery)
            case "attempts":
                return compares(value, delivery.attempts)
            case "latency":
                return delivery.latency_ms > 0 and compares(value, delivery.latency_ms)
            case "size":
                return compares(value, delivery.size)
            case "text":
                return any(contains(getattr(delivery, field), value) for field in SEARCHED_FIELDS)


class Group(Struct, frozen=True, gc=False, tag="group"):
    """Words in parentheses, or on the sides of an `OR`: all words of one of the branches have to match."""

    branches: tuple[tuple[Term | Group, ...], ...]
    negated: bool = False

    def matches(self, delivery: Delivery) -> bool:
        """Whether the delivery meets the condition; `negated` is not looked at."""
        return any(all_match(branch, delivery) for branch in self.branches)


Node: TypeAlias = Term | Group


class Query(Struct, frozen=True):
    """Terms of ALTERNATIVE_FIELDS are alternatives to those of the same field, except negated ones.

    All other terms and the groups must match. The terms in a branch of a group follow the same rule among themselves.
    """

    terms: tuple[Node, ...] = ()
    text: str = ""
    """The filter as typed."""

    def matches(self, delivery: Delivery) -> bool:
        """Whether a delivery matches, by the rules of the journal's search."""
        return all_match(self.terms, delivery)

    def narrowed(self, *terms: Node) -> Query:
        """What matches this query and all of these terms and groups; they never widen it."""
        return Query((Group((self.terms,)), *terms) if self.terms else terms, self.text)


def whole_url(value: str) -> str:
    """The URL of a value of `endpoint` such as `=https://api.segment.io`; empty for a part of a URL."""
    url = value.removeprefix(WHOLE_URL_SIGN)
    return url if url != value and url.startswith(("http://", "https://")) else ""


def all_match(nodes: Collection[Node], delivery: Delivery) -> bool:
    """Whether a delivery matches the nodes of a query, or of one branch of a group."""
    alternatives: dict[str, bool] = {}
    for node in nodes:
        matched = node.matches(delivery)
        if isinstance(node, Term) and node.is_alternative:
            alternatives[node.field] = alternatives.get(node.field, False) or matched
        elif matched == node.negated:
            return False
    return all(alternatives.values())


def case_forms(value: str) -> tuple[str, ...]:
    """The cases in which a text is searched: one database folds ASCII letters alone, and `ß` is `SS` in capitals."""
    if value.isascii():
        return (value,)
    return tuple(sorted({value, value.lower(), value.upper(), value.upper().lower(), value.title()}))


def contains(text: str, value: str) -> bool:
    """Whether a text contains another in any case."""
    lower = text.lower()
    return any(form.lower() in lower for form in case_forms(value))


def has_prefix(text: str, value: str) -> bool:
    """Whether a text begins with another in any case."""
    return text.lower().startswith(tuple(form.lower() for form in case_forms(value)))


def split_comparison(value: str) -> tuple[str, str]:
    """Sign and number of the value of one of NUMBER_FIELDS."""
    sign = value[:2] if value[:2] in COMPARISONS else value[:1]
    return sign, value[len(sign) :]


def compares(value: str, number: float) -> bool:
    """Whether a number meets a comparison such as `>=2`."""
    sign, limit = split_comparison(value)
    return COMPARISONS[sign](number, int(limit))


def iter_terms(nodes: Collection[Node]) -> Iterator[Term]:
    """Every term, those of groups too."""
    for node in nodes:
        if isinstance(node, Term):
            yield node
        else:
            for branch in node.branches:
                yield from iter_terms(branch)


def environments_limit(nodes: Collection[Node]) -> set[str] | None:
    """The environments that what matches can be of; None for any."""
    limit: set[str] | None = None
    named = {node.value for node in nodes if isinstance(node, Term) and node.field == "env" and not node.negated}
    groups = [node for node in nodes if isinstance(node, Group) and not node.negated]
    found = [_branches_limit(group) for group in groups] + ([named] if named else [])
    for names in found:
        if names is not None:
            limit = names if limit is None else limit & names
    return limit


def _branches_limit(group: Group) -> set[str] | None:
    names: set[str] = set()
    for branch in group.branches:
        limit = environments_limit(branch)
        if limit is None:
            return None
        names |= limit
    return names


def named_environments(query: Query) -> tuple[str, ...]:
    """The environments that a filter is limited to; empty for all."""
    return tuple(sorted(environments_limit(query.terms) or ()))


MATCH_ALL = Query()
"""No terms: every delivery matches."""
