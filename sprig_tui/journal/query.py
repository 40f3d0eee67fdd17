"""Query: a filter over deliveries, shared by the journals, the command line and the console."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from sprig_tui.journal.records import Delivery

FilterField = Literal[
    "status",
    "reason",
    "env",
    "survey",
    "user",
    "id",
    "origin",
    "endpoint",
    "since",
    "until",
    "sent-since",
    "sent-until",
    "text",
]

SEARCHED_FIELDS = ("survey_name", "user_id", "answer", "error", "reason", "detail", "source", "message_id")
"""Fields of a delivery that free text is searched in; the columns have the same names."""
TIME_FIELDS = ("since", "until", "sent-since", "sent-until")
"""Fields whose values are times, ms since 1970 as text."""
MAX_ID_DIGITS = 18
"""A longer number is no delivery's: ids have 63 bits."""


class Term(Struct, frozen=True, gc=False):
    """One condition.

    `status` holds a state name, an HTTP status (`400`) or a class (`4xx`); `reason` a Reason's value; `env` an
    environment name; `survey` a survey id, or part of a name in any case; `user` a user id, a trailing `*` for a
    prefix; `id` a delivery's number or message id (or its beginning); `origin` the number of the delivery that it
    was made of (a revision, possible duplicate or new sending of it); `endpoint` a part, in any case, of the URL
    that its last request was made to or that a run with `--endpoint` bound it for; `since` and `until` wall times
    of arrival, ms since 1970 as text (since inclusive, until exclusive); `sent-since` and `sent-until` the same of the
    answer to its last request, if there was one; `text` a part, in any case, of survey name, user id, answer,
    error, reason, detail, source or message id.
    """

    field: FilterField
    value: str
    negated: bool = False

    @property
    def is_alternative(self) -> bool:
        """Whether it is one of several terms of its field of which one has to match."""
        return not self.negated and self.field not in ("text", *TIME_FIELDS)

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
                return delivery.survey_id == value or value.lower() in delivery.survey_name.lower()
            case "user":
                user = delivery.user_id
                return user.lower().startswith(value[:-1].lower()) if value.endswith("*") else user == value
            case "id":
                by_number = value.isascii() and value.isdigit() and len(value) <= MAX_ID_DIGITS
                return delivery.id == int(value) if by_number else delivery.message_id.lower().startswith(value.lower())
            case "origin":
                return delivery.origin_id == int(value)
            case "endpoint":
                return any(value.lower() in url.lower() for url in (delivery.endpoint, delivery.bound_for))
            case "since":
                return delivery.added_at >= int(value)
            case "until":
                return delivery.added_at < int(value)
            case "sent-since":
                return delivery.status > 0 and delivery.settled_at >= int(value)
            case "sent-until":
                return delivery.status > 0 and delivery.settled_at < int(value)
            case "text":
                return any(value.lower() in getattr(delivery, field).lower() for field in SEARCHED_FIELDS)


class Query(Struct, frozen=True):
    """Terms of one field are alternatives, except negated ones and `text`; all other terms must match."""

    terms: tuple[Term, ...] = ()
    text: str = ""
    """The filter as typed."""

    def matches(self, delivery: Delivery) -> bool:
        """Whether a delivery matches, by the rules of the journal's search."""
        alternatives: dict[str, bool] = {}
        for term in self.terms:
            matched = term.matches(delivery)
            if term.is_alternative:
                alternatives[term.field] = alternatives.get(term.field, False) or matched
            elif matched == term.negated:
                return False
        return all(alternatives.values())


def named_environments(query: Query) -> tuple[str, ...]:
    """The environments that a filter is limited to; empty for all."""
    return tuple(sorted({term.value for term in query.terms if term.field == "env" and not term.negated}))


MATCH_ALL = Query()
"""No terms: every delivery matches."""
