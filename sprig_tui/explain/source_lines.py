"""Lines of the source: which one the key belongs to, whether it is enabled, its tracking plan and its users."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection

from sprig_tui.clock import Clock
from sprig_tui.config.environment import Environment
from sprig_tui.errors import SprigTuiError
from sprig_tui.explain.answers import failed, unknown
from sprig_tui.explain.asking import Asking
from sprig_tui.explain.call import Call
from sprig_tui.explain.model import Answer, Check, Line, Obstacle, Origin
from sprig_tui.formatting import local_time
from sprig_tui.segment.plan_schema import Violation
from sprig_tui.segment.public_api import PublicApiClient
from sprig_tui.segment.public_api_models import Source, source_of_key
from sprig_tui.segment.source_checks import source_mismatches
from sprig_tui.segment.source_settings import SourceDetails
from sprig_tui.segment.suppressions import USER_ID, Regulation, Suppression, suppressed_users
from sprig_tui.segment.tracking_plan import PlanChecker, PlanVerdict, TrackingPlan, plan_of_event

OnPlan = Callable[[TrackingPlan | None, str], None]
"""Gets the tracking plan of the source (None: none is connected) and the source's id, to be stored."""

NO_CALL_WHY = "there is no call: nothing could be mapped, or its content was removed"
_SHOWN_VIOLATIONS = 3
_VOID_STATUSES = ("INVALID", "NOT_SUPPORTED")
_LIFTS = "UNSUPPRESS"
_DELETES_ONLY = ("DELETE_ONLY", "DELETE_INTERNAL")


class SourceLines:
    """The lines up to the destinations; `source` is set by the first of them."""

    def __init__(
        self,
        api: PublicApiClient,
        asking: Asking,
        clock: Clock,
        call: Call | None,
        *,
        environment: Environment,
        environments: Collection[str],
        taken_at: int,
        on_plan: OnPlan,
    ) -> None:
        self._api = api
        self._asking = asking
        self._clock = clock
        self._call = call
        self._environment = environment
        self._environments = environments
        self._taken_at = taken_at
        self._on_plan = on_plan
        self.source: Source | None = None
        """The source of the key; None while it is unknown, or where the workspace has none of this key."""

    async def key_lines(self) -> AsyncIterator[Line]:
        """The key's source, and whether it looks like the right one."""
        key = self._environment.write_key
        if key is None:
            name = self._environment.name
            yield Line(
                check=Check.KEY,
                answer=Answer.NO,
                evidence=f"{name} has no Write Key",
                source=Origin.CONFIG,
                at=self._clock.now(),
                why=f"sprig-tui keys set {name}",
            )
            return
        try:
            sources = await self._asking.ask(self._api.sources)
            workspace = await self._asking.ask(self._api.workspace)
        except SprigTuiError as error:
            yield failed(Check.KEY, error, at=self._clock.now())
            return
        now = self._clock.now()
        if not any(source.write_keys for source in sources):
            why = "the token sees no Write Keys; give it the role of a source admin or workspace owner"
            yield unknown(Check.KEY, Obstacle.PERMISSION, why, source=Origin.PUBLIC_API, at=now)
            return
        self.source = source_of_key(key.reveal(), sources)
        hidden = sum(not source.write_keys for source in sources)
        if self.source is None and hidden:
            why = (
                f"none of the keys that the token sees; it sees none of {hidden:,} of the {len(sources):,} sources: "
                "give it the role of a source admin or workspace owner"
            )
            yield unknown(Check.KEY, Obstacle.PERMISSION, why, source=Origin.PUBLIC_API, at=now)
            return
        if self.source is None:
            yield Line(
                check=Check.KEY,
                answer=Answer.NO,
                evidence=f"{workspace} has no source with the key of {self._environment.name}",
                source=Origin.PUBLIC_API,
                at=now,
                why="Segment answers 200 to any key, and drops what it cannot place: "
                f"sprig-tui keys set {self._environment.name}",
            )
            return
        kind = f" ({self.source.kind})" if self.source.kind else ""
        yield Line(
            check=Check.KEY,
            answer=Answer.YES,
            evidence=f"{self.source.name}{kind} in {workspace}",
            source=Origin.PUBLIC_API,
            at=now,
        )
        yield self._fits_line(self.source, now)

    def _fits_line(self, source: Source, now: int) -> Line:
        doubts = source_mismatches(
            Source(id=source.id, name=source.name, slug=source.slug, labels=source.labels, enabled=True),
            self._environment.name,
            self._environments,
        )
        return Line(
            check=Check.SOURCE_FITS,
            subject=source.name,
            answer=Answer.NO if doubts else Answer.YES,
            evidence="; ".join(doubts) or "its name and labels say nothing else",
            source=Origin.PUBLIC_API,
            at=now,
            why=f"if it is the wrong one, the answer is there: sprig-tui keys set {self._environment.name}"
            if doubts
            else "",
        )

    async def source_lines(self, source: Source) -> AsyncIterator[Line]:
        """Whether the source is enabled, and what its tracking plan says of the call."""
        try:
            details = await self._asking.ask(lambda: self._api.source_details(source.id))
        except SprigTuiError as error:
            for check in (Check.SOURCE_ENABLED, Check.PLAN):
                yield failed(check, error, at=self._clock.now(), subject=source.name)
            return
        yield self._enabled_line(details)
        yield await self._plan_line(details)

    def _enabled_line(self, details: SourceDetails) -> Line:
        now = self._clock.now()
        if details.enabled is None:
            why = "Segment's answer does not say"
            return unknown(
                Check.SOURCE_ENABLED, Obstacle.UNCLEAR, why, subject=details.name, source=Origin.PUBLIC_API, at=now
            )
        return Line(
            check=Check.SOURCE_ENABLED,
            subject=details.name,
            answer=Answer.YES if details.enabled else Answer.NO,
            evidence="" if details.enabled else "it is disabled now",
            source=Origin.PUBLIC_API,
            at=now,
            why="" if details.enabled else "Segment drops what comes for a disabled source: enable it in Segment",
        )

    async def _plan_line(self, details: SourceDetails) -> Line:
        call, now = self._call, self._clock.now()
        if details.tracking_plan_id is None:
            why = "Segment's answer does not say whether a plan is connected"
            return unknown(Check.PLAN, Obstacle.UNCLEAR, why, source=Origin.PUBLIC_API, at=now)
        if not details.tracking_plan_id:
            self._on_plan(None, details.id)
            evidence = f"{details.name} has no tracking plan"
            return Line(check=Check.PLAN, answer=Answer.YES, evidence=evidence, source=Origin.PUBLIC_API, at=now)
        if call is None:
            return unknown(Check.PLAN, Obstacle.DEPENDS, NO_CALL_WHY, source=Origin.PUBLIC_API, at=now)
        try:
            plan = await fetch_plan(self._api, self._asking, details, call.event)
        except SprigTuiError as error:
            return failed(Check.PLAN, error, at=self._clock.now())
        self._on_plan(plan, details.id)
        return plan_line(PlanChecker(plan).check(call.fields), call.event, self._clock.now())

    async def user_line(self) -> Line:
        """Whether the workspace suppresses the user, or had the user's data deleted."""
        now = self._clock.now()
        if self._call is None or not self._call.user_id:
            what = NO_CALL_WHY if self._call is None else ""
            if what:
                return unknown(Check.USER, Obstacle.DEPENDS, what, source=Origin.PUBLIC_API, at=now)
            return Line(check=Check.USER, answer=Answer.YES, evidence="the call has no userId", at=now)
        user, problem = self._call.user_id, None
        suppressed: tuple[Suppression, ...] = ()
        regulations: tuple[Regulation, ...] = ()
        try:
            suppressed = await self._asking.ask(self._api.suppressions)
        except SprigTuiError as error:
            problem = error
        try:
            regulations = await self._asking.ask(self._api.regulations)
        except SprigTuiError as error:
            problem = problem or error
        return user_line(user, suppressed, regulations, problem, taken_at=self._taken_at, now=self._clock.now())


async def fetch_plan(api: PublicApiClient, asking: Asking, details: SourceDetails, event: str) -> TrackingPlan:
    """The source's tracking plan for one event; raises SegmentApiError. The source has to have a plan."""
    plan_id = details.tracking_plan_id or ""
    settings = await asking.ask(lambda: api.source_settings(details.id))
    rules = await asking.ask(lambda: api.tracking_plan_rules(plan_id))
    return plan_of_event(plan_id, event, rules, settings)


def plan_line(verdict: PlanVerdict, event: str, now: int) -> Line:
    """The verdict of a tracking plan as a line."""
    if verdict.problem is not None and verdict.blocked is not True:
        why = f"the plan's schema cannot be checked here: {verdict.problem}"
        return unknown(Check.PLAN, Obstacle.UNCLEAR, why, source=Origin.PUBLIC_API, at=now)
    if not verdict.breaks:
        evidence = f"the plan has {event!r}, and this call fits it"
        return Line(check=Check.PLAN, answer=Answer.YES, evidence=evidence, source=Origin.PUBLIC_API, at=now)
    evidence = violations_text(verdict.violations) if verdict.violations else f"the plan does not have {event!r}"
    if verdict.blocked is None:
        why = f"{evidence}; whether the source blocks that, its settings do not say"
        return unknown(Check.PLAN, Obstacle.UNCLEAR, why, source=Origin.PUBLIC_API, at=now)
    return Line(
        check=Check.PLAN,
        answer=Answer.NO if verdict.blocked else Answer.YES,
        evidence=evidence,
        source=Origin.PUBLIC_API,
        at=now,
        why="the source blocks what breaks the plan"
        if verdict.blocked
        else "the source only marks it, and passes it on",
    )


def violations_text(violations: tuple[Violation, ...]) -> str:
    """The first violations on one line, such as `properties.score: not an integer`."""
    shown = [f"{found.path or 'the call'}: {found.message}" for found in violations[:_SHOWN_VIOLATIONS]]
    more = len(violations) - len(shown)
    return "; ".join([*shown, *([f"and {more} more"] if more > 0 else [])])


def user_line(
    user: str,
    suppressed: tuple[Suppression, ...],
    regulations: tuple[Regulation, ...],
    problem: SprigTuiError | None,
    *,
    taken_at: int,
    now: int,
) -> Line:
    """Whether the lists have the user; `problem` is the error of a list that could not be had.

    `taken_at` is when Segment took the call, 0 if it did not: a deletion that was done before does not touch it.
    """
    evidence = _refusal_of_user(user, suppressed, regulations, taken_at)
    if evidence:
        why = "Segment blocks what comes for a suppressed user, and deletes what it has of a deleted one"
        return Line(check=Check.USER, answer=Answer.NO, evidence=evidence, source=Origin.PUBLIC_API, at=now, why=why)
    if problem is not None:
        return failed(Check.USER, problem, at=now)
    evidence = "on no list of suppressed users, and under no request of the last 90 days"
    return Line(check=Check.USER, answer=Answer.YES, evidence=evidence, source=Origin.PUBLIC_API, at=now)


def _refusal_of_user(
    user: str, suppressed: tuple[Suppression, ...], regulations: tuple[Regulation, ...], taken_at: int
) -> str:
    """What stands against the user, in words; empty for nothing. Suppression is decided as it is for sending."""
    named = [
        request
        for request in regulations
        if user in request.subject_ids
        and request.subject_type in (USER_ID, "")
        and request.status not in _VOID_STATUSES
        and request.kind != _LIFTS
    ]
    if user in suppressed_users(suppressed, regulations):
        requests = [request for request in named if request.kind not in _DELETES_ONLY]
        return _request_text(requests) if requests else "the user is on the list of suppressed users"
    deletions = [request for request in named if request.kind in _DELETES_ONLY and not _is_over(request, taken_at)]
    return _request_text(deletions) if deletions else ""


def _request_text(requests: list[Regulation]) -> str:
    """The newest of these requests."""
    last = max(requests, key=lambda request: request.created)
    day = f" of {local_time(last.created):%Y-%m-%d}" if last.created else ""
    status = f", {last.status.lower()}" if last.status else ""
    return f"the request {last.kind}{day} names the user{status}"


def _is_over(request: Regulation, taken_at: int) -> bool:
    """Whether it was done before Segment took the call, or before the call is sent at all."""
    return bool(request.finished) and (not taken_at or request.finished < taken_at)
