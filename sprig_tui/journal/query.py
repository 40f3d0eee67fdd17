"""A filter over deliveries that every journal, the command line and the console understand."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

FilterField = Literal["status", "reason", "env", "survey", "user", "id", "origin", "endpoint", "since", "until", "text"]


class Term(Struct, frozen=True, gc=False):
    """One condition.

    `status` holds a state name, an HTTP status (`400`) or a class (`4xx`); `reason` a Reason's value; `env` an
    environment name; `survey` a survey id, or part of a name in any case; `user` a user id, a trailing `*` for a
    prefix; `id` a delivery's number or message id (or its beginning); `origin` the number of the delivery that it
    was made of (a revision, possible duplicate or new sending of it); `endpoint` a part, in any case, of the URL
    that its last request was made to or that a run with `--endpoint` bound it for; `since` and `until` wall times
    of arrival, ms since 1970 as text (since inclusive, until exclusive); `text` a part, in any case, of survey
    name, user id, answer, error, reason, detail, source or message id.
    """

    field: FilterField
    value: str
    negated: bool = False


class Query(Struct, frozen=True):
    """Terms of one field (not negated) are alternatives, except `text`; everything else must hold together."""

    terms: tuple[Term, ...] = ()
    text: str = ""
    """The filter as it was typed."""


def named_environments(query: Query) -> tuple[str, ...]:
    """The environments that a filter is limited to; empty where it is to none."""
    return tuple(sorted({term.value for term in query.terms if term.field == "env" and not term.negated}))


MATCH_ALL = Query()
"""No terms: every delivery matches."""
