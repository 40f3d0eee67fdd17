"""Faults of set-up: what may happen to a request that changes the workspace.

`reject` comes before the change is made, `loses_answer` after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sprig_tui.segment.sink.workspace.errors import ApiError, unauthorized
from sprig_tui.segment.sink.workspace.fault_rules import DEFAULT_STATUS, FaultKind, WorkspaceFault

_ROUTES = {
    FaultKind.NO_RENAME: {("PATCH", "/sources/{id}")},
    FaultKind.NO_LABEL: {("POST", "/sources/{id}/labels"), ("PUT", "/sources/{id}/labels")},
    FaultKind.NO_NEW_KEY: {("POST", "/sources/{id}/writekey")},
}
_CREATION = ("POST", "/sources")
_MAKES_SECRETS = (_CREATION, ("POST", "/sources/{id}/writekey"))
_READS = ("POST", "/destination/filters/preview")


class SetupFaults:
    """The rules for requests that write; other rules are ignored."""

    def __init__(self, rules: Sequence[WorkspaceFault] = ()) -> None:
        self._rules = {rule.do: rule for rule in rules}
        self._taken: dict[FaultKind, str] = {}
        """The slug that a rule without one found first."""
        self._answers_lost = 0

    def reject(self, method: str, path: str, body: Mapping[str, Any]) -> None:
        """Raise ApiError where a rule rejects the request; `path` is that of its route."""
        asked = (method, path)
        if method == "GET" or asked == _READS:
            return
        if (rule := self._rules.get(FaultKind.READ_ONLY)) is not None:
            raise _failure(rule)
        for kind, routes in _ROUTES.items():
            if asked in routes and (rule := self._rules.get(kind)) is not None:
                raise _failure(rule)
        if asked == _CREATION:
            self._reject_slug(str(body.get("slug")))

    def _reject_slug(self, slug: str) -> None:
        for kind in (FaultKind.SLUG_TAKEN, FaultKind.SLUG_REJECTED):
            rule = self._rules.get(kind)
            if rule is None or slug != (rule.value or self._taken.setdefault(kind, slug)):
                continue
            if kind is FaultKind.SLUG_TAKEN:
                raise ApiError(409, "conflict", "The slug is taken.", field="slug")
            raise ApiError(422, "input-validation", "The slug cannot be used.", field="slug")

    def loses_answer(self, method: str, path: str) -> bool:
        """Whether the answer to what was just done is lost."""
        rule = self._rules.get(FaultKind.NO_ANSWER)
        if rule is None or (method, path) not in _MAKES_SECRETS or self._answers_lost >= (rule.last or 1):
            return False
        self._answers_lost += 1
        return True


def _failure(rule: WorkspaceFault) -> ApiError:
    status = rule.status or DEFAULT_STATUS[rule.do]
    if status == 401:
        return unauthorized()
    return ApiError(status, "forbidden" if status == 403 else "failure", "A failure that was asked for.")
