"""Lines of the destinations: enabled, filters, mappings and counts; and the counts of the source itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from sprig_tui.clock import Clock
from sprig_tui.errors import SprigTuiError
from sprig_tui.explain.answers import failed, unknown
from sprig_tui.explain.asking import Asking
from sprig_tui.explain.call import Call, admits
from sprig_tui.explain.hour_counts import (
    AGE_TEXTS,
    Counted,
    Delivered,
    Discards,
    Window,
    age_obstacle,
    hour_of,
    judge,
    of_event,
    sure_part,
    weigh_destination,
    weigh_source,
)
from sprig_tui.explain.model import Answer, Check, Line, Obstacle, Origin
from sprig_tui.explain.source_lines import NO_CALL_WHY
from sprig_tui.explain.trigger import matches
from sprig_tui.segment.destination_rules import Subscription
from sprig_tui.segment.metrics import Granularity, Step
from sprig_tui.segment.public_api import PublicApiClient
from sprig_tui.segment.public_api_models import Destination, Source

CountDelivered = Callable[[int, int], Awaitable[Delivered]]
"""What Segment took of the environment's answers from start to end (excluded), ms."""

NOT_ASKED_WHY = (
    "not asked, because Segment would have to get the payload for it: --send-payload, or `check filters` in the console"
)
_SHOWN_NAMES = 3


class DestinationLines:
    """The lines of the destinations of one source, and the counts of the source itself."""

    def __init__(
        self,
        api: PublicApiClient,
        asking: Asking,
        clock: Clock,
        call: Call | None,
        source: Source,
        *,
        taken_at: int,
        send_payload: bool,
        count_delivered: CountDelivered | None = None,
    ) -> None:
        self._api = api
        self._asking = asking
        self._clock = clock
        self._call = call
        self._source = source
        self._taken_at = taken_at
        """When Segment's Tracking API took it, ms; 0 if it did not."""
        self._send_payload = send_payload
        self._count_delivered = count_delivered
        self._passed_on: int | None = None
        """What the source passed on in that hour; None while it is not known."""

    async def source_counts(self) -> Line:
        """What became, at the source, of the events of that hour."""
        check, name = Check.SOURCE_COUNTS, self._source.name
        if self._call is None or (obstacle := self._count_obstacle()) is not None:
            return self._no_counts(check, name, Obstacle.DEPENDS if self._call is None else obstacle)
        window = hour_of(self._taken_at)
        try:
            received = await self._count(Step.RECEIVED, window)
            failed_on_ingest = await self._count(Step.FAILED_ON_INGEST, window)
            filtered = await self._count(Step.FILTERED_AT_SOURCE, window)
            self._passed_on = kept = max(0, received.total() - filtered.total())
            verdict = judge(kept, failed_on_ingest + filtered, window, verb="received")
            if verdict.answer is Answer.YES and self._count_delivered is not None:
                verdict = weigh_source(
                    verdict, kept, await self._count_delivered(*sure_part(window, self._clock.now()))
                )
        except SprigTuiError as error:
            return failed(check, error, at=self._clock.now(), subject=name)
        return self._counted(check, name, verdict)

    async def lines(self) -> AsyncIterator[Line]:
        """The lines of each connected destination, one destination after the other."""
        try:
            destinations = await self._asking.ask(lambda: self._api.destinations(self._source.id))
        except SprigTuiError as error:
            yield failed(Check.DESTINATIONS, error, at=self._clock.now())
            return
        if not destinations:
            yield Line(
                check=Check.DESTINATIONS,
                answer=Answer.NO,
                evidence=f"{self._source.name} has none",
                source=Origin.PUBLIC_API,
                at=self._clock.now(),
                why="what arrives goes nowhere else: connect one in Segment",
            )
        for destination in destinations:
            yield self._enabled_line(destination)
            if self._call is not None and self._call.integrations is not None:
                yield self._integrations_line(destination, self._call)
            if destination.enabled is False:
                continue
            yield await self._filters_line(destination)
            yield await self._mappings_line(destination)
            yield await self._counts_line(destination)

    def _enabled_line(self, destination: Destination) -> Line:
        check, now = Check.DESTINATION_ENABLED, self._clock.now()
        if destination.enabled is None:
            why = "Segment's answer does not say"
            return unknown(check, Obstacle.UNCLEAR, why, subject=destination.name, source=Origin.PUBLIC_API, at=now)
        return Line(
            check=check,
            subject=destination.name,
            answer=Answer.YES if destination.enabled else Answer.NO,
            evidence="" if destination.enabled else "it is disabled now",
            source=Origin.PUBLIC_API,
            at=now,
            why="" if destination.enabled else "nothing is sent to it: enable it in Segment",
        )

    def _integrations_line(self, destination: Destination, call: Call) -> Line:
        passes = admits(call.integrations, (destination.kind, destination.name))
        return Line(
            check=Check.DESTINATION_INTEGRATIONS,
            subject=destination.name,
            answer=Answer.YES if passes else Answer.NO,
            evidence="" if passes else "the call's integrations object turns it off",
            source=Origin.JOURNAL,
            at=self._clock.now(),
            why="" if passes else "the config sets it: integrations in [mapping]",
        )

    async def _filters_line(self, destination: Destination) -> Line:
        check, name = Check.FILTERS, destination.name
        try:
            filters = await self._asking.ask(lambda: self._api.destination_filters(destination.id))
            active = [found for found in filters if found.enabled is not False]
            if not active:
                return self._answered(check, name, Answer.YES, "it has no filter" if not filters else "none is enabled")
            if self._call is None:
                return self._unknown(check, name, Obstacle.DEPENDS, NO_CALL_WHY)
            if not self._send_payload:
                number = f"it has {len(active)} filter{'' if len(active) == 1 else 's'}; "
                return self._unknown(check, name, Obstacle.NOT_ASKED, number + NOT_ASKED_WHY)
            body = self._call.body
            for found in active:
                if await self._asking.ask(partial(self._api.preview_filter, found, body)):
                    evidence = f"the filter {found.title or found.id!r} drops it: {found.condition}"
                    why = "Segment ran the filter on this payload"
                    if any(action.get("type") == "SAMPLE" for action in found.actions):
                        why += "; it takes a sample, so another run may answer otherwise"
                    return self._answered(check, name, Answer.NO, evidence, why)
        except SprigTuiError as error:
            return failed(check, error, at=self._clock.now(), subject=name)
        evidence = f"Segment ran {len(active)} filter{'' if len(active) == 1 else 's'} on this payload"
        return self._answered(check, name, Answer.YES, evidence)

    async def _mappings_line(self, destination: Destination) -> Line:
        check, name = Check.MAPPINGS, destination.name
        try:
            subscriptions = await self._asking.ask(lambda: self._api.subscriptions(destination.id))
        except SprigTuiError as error:
            return failed(check, error, at=self._clock.now(), subject=name)
        if not subscriptions:
            if "(actions)" in destination.kind.casefold():
                why = "make one in Segment, with a trigger for this event"
                return self._answered(check, name, Answer.NO, "it has no mapping", why)
            why = "Segment lists no mapping; a destination that is not of the Actions kind has none, and needs none"
            return self._unknown(check, name, Obstacle.UNCLEAR, why)
        if self._call is None:
            return self._unknown(check, name, Obstacle.DEPENDS, NO_CALL_WHY)
        return self._matched(name, subscriptions, self._call)

    def _matched(self, name: str, subscriptions: tuple[Subscription, ...], call: Call) -> Line:
        """The line of mappings whose triggers are evaluated here."""
        check = Check.MAPPINGS
        by_result: dict[bool | None, list[Subscription]] = {True: [], False: [], None: []}
        for subscription in subscriptions:
            by_result[matches(subscription.trigger, call.fields)].append(subscription)
        active = [found for found in by_result[True] if found.enabled is not False]
        if active:
            evidence = f"{_names(active)}: {active[0].trigger}"
            return self._answered(check, name, Answer.YES, evidence)
        undecided = [found for found in by_result[None] if found.enabled is not False]
        if undecided:
            why = f"the trigger of {_names(undecided)} is not understood here: {undecided[0].trigger}"
            return self._unknown(check, name, Obstacle.UNCLEAR, why)
        if by_result[True]:
            evidence = f"{_names(by_result[True])} would match, and is disabled"
            return self._answered(check, name, Answer.NO, evidence, "enable the mapping in Segment")
        number = f"none of {len(subscriptions)} mappings" if len(subscriptions) > 1 else "its one mapping does not"
        evidence = f"{number} match{'es' if len(subscriptions) > 1 else ''} this event: {_triggers(subscriptions)}"
        return self._answered(check, name, Answer.NO, evidence, "make one in Segment, with a trigger for this event")

    async def _counts_line(self, destination: Destination) -> Line:
        check, name = Check.DESTINATION_COUNTS, destination.name
        if self._call is None or (obstacle := self._count_obstacle()) is not None:
            return self._no_counts(check, name, Obstacle.DEPENDS if self._call is None else obstacle)
        window = hour_of(self._taken_at)
        try:
            delivered = await self._count(Step.DELIVERED, window, destination.id)
            filtered = await self._count(Step.FILTERED_AT_DESTINATION, window, destination.id)
            given_up = await self._count(Step.FAILED_DELIVERY, window, destination.id)
        except SprigTuiError as error:
            return failed(check, error, at=self._clock.now(), subject=name)
        discards = filtered + given_up
        verdict = judge(delivered.total(), discards, window, verb="delivered")
        handled = delivered.total() + discards.total()
        return self._counted(check, name, weigh_destination(verdict, handled, self._passed_on))

    async def _count(self, step: Step, window: Window, destination_id: str = "") -> Discards:
        grouping = ("eventName",) if step in (Step.RECEIVED, Step.DELIVERED) else ("eventName", "discardReason")
        rows = await self._asking.ask(
            lambda: self._api.delivery_metric(
                step,
                self._source.id,
                start=window.start,
                end=window.end,
                granularity=Granularity.HOUR,
                destination_id=destination_id,
                group_by=grouping,
            )
        )
        return of_event(step, rows, self._call.event if self._call else "")

    def _count_obstacle(self) -> Obstacle | None:
        if not self._taken_at:
            return Obstacle.NOT_DELIVERED
        return age_obstacle(self._taken_at, self._clock.now()) or None

    def _no_counts(self, check: Check, name: str, obstacle: Obstacle | None) -> Line:
        texts = {
            **AGE_TEXTS,
            Obstacle.DEPENDS: NO_CALL_WHY,
            Obstacle.NOT_DELIVERED: "Segment has not taken it yet, so there is nothing to count",
        }
        found = obstacle or Obstacle.UNCLEAR
        return self._unknown(check, name, found, texts.get(found, ""))

    def _counted(self, check: Check, name: str, verdict: Counted) -> Line:
        return Line(
            check=check,
            subject=name,
            answer=verdict.answer,
            evidence=verdict.evidence,
            source=Origin.PUBLIC_API,
            at=self._clock.now(),
            why=verdict.why,
            obstacle=verdict.obstacle,
        )

    def _answered(self, check: Check, name: str, answer: Answer, evidence: str, why: str = "") -> Line:
        return Line(
            check=check,
            subject=name,
            answer=answer,
            evidence=evidence,
            source=Origin.PUBLIC_API,
            at=self._clock.now(),
            why=why,
        )

    def _unknown(self, check: Check, name: str, obstacle: Obstacle, why: str) -> Line:
        return unknown(check, obstacle, why, subject=name, source=Origin.PUBLIC_API, at=self._clock.now())


def _names(subscriptions: list[Subscription]) -> str:
    names = [found.name or found.id for found in subscriptions[:_SHOWN_NAMES]]
    more = len(subscriptions) - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def _triggers(subscriptions: tuple[Subscription, ...]) -> str:
    shown = [found.trigger or "no trigger" for found in subscriptions[:_SHOWN_NAMES]]
    more = len(subscriptions) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")
