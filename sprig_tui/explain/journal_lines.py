"""Lines that need nobody: what the journal says of the delivery, and the integrations object of its call. Pure."""

from __future__ import annotations

from sprig_tui.config.environment import Environment
from sprig_tui.explain.answers import unknown
from sprig_tui.explain.call import Call, excluded_names
from sprig_tui.explain.model import Answer, Check, Line, Obstacle, Origin
from sprig_tui.journal.content import CONTENT_DROPPED_TEXT
from sprig_tui.journal.records import Delivery, DeliveryDetail, State
from sprig_tui.segment.limits import ENDPOINT_URLS

_SHOWN_NAMES = 6


def taken_line(detail: DeliveryDetail, environment: Environment | None) -> Line:
    """Whether Segment's Tracking API took the delivery, and in how many attempts."""
    delivery = detail.delivery
    if delivery.state is not State.DELIVERED:
        return _not_delivered_line(delivery)
    evidence = f"{delivery.status or 'taken'} from {delivery.endpoint or 'an endpoint that was not recorded'}"
    if delivery.attempts > 1:
        evidence += f", at attempt {delivery.attempts:,}"
    at = delivery.settled_at
    if delivery.bound_for:
        why = "a run with --endpoint sent it there, not to the environment's own endpoint"
        return Line(check=Check.TAKEN, answer=Answer.NO, evidence=evidence, at=at, why=why)
    if _is_elsewhere(delivery, environment):
        why = f"the endpoint of {delivery.environment} is {environment.base_url if environment else 'unknown'} now"
        return Line(check=Check.TAKEN, answer=Answer.NO, evidence=evidence, at=at, why=why)
    return Line(check=Check.TAKEN, answer=Answer.YES, evidence=evidence, at=at)


def _is_elsewhere(delivery: Delivery, environment: Environment | None) -> bool:
    """Whether it went to an address that is neither the environment's nor Segment's."""
    known = {*ENDPOINT_URLS.values(), *([environment.base_url] if environment else [])}
    return bool(delivery.endpoint) and delivery.endpoint.rstrip("/") not in known


def _not_delivered_line(delivery: Delivery) -> Line:
    last = ": ".join(part for part in (str(delivery.status or ""), delivery.error) if part)
    tries = f"after {delivery.attempts:,} attempt{'' if delivery.attempts == 1 else 's'}"
    if delivery.is_forgotten and delivery.detail:
        # a worker had it when its person was forgotten
        at = delivery.settled_at or delivery.added_at
        return unknown(Check.TAKEN, Obstacle.UNCLEAR, f"forgotten: {delivery.detail}", source=Origin.JOURNAL, at=at)
    if delivery.state is State.WITHHELD:
        evidence = f"withheld, {delivery.reason}" + (f": {delivery.detail}" if delivery.detail else "")
        why = "it was never sent"
        if delivery.attempts:
            why = f"it is not sent again {tries}"
        if delivery.repaired_by:
            why = f"delivery {delivery.repaired_by} repairs it: explain that one"
    elif delivery.state is State.FAILED:
        evidence = f"failed {tries}" + (f", {last}" if last else "")
        why = f"sprig-tui replay --id {delivery.id} sends it again"
        if delivery.content_dropped:
            why = CONTENT_DROPPED_TEXT
    else:
        evidence = f"queued {tries}" + (f", {last}" if last else "")
        why = "sprig-tui status says what its lane waits for; sprig-tui run delivers"
    at = delivery.settled_at or delivery.added_at
    return Line(check=Check.TAKEN, answer=Answer.NO, evidence=evidence, at=at, why=why)


def integrations_line(call: Call | None, detail: DeliveryDetail) -> Line:
    """Whether the call itself excludes destinations."""
    at = detail.delivery.added_at
    if call is None:
        dropped = detail.delivery.content_dropped
        why = CONTENT_DROPPED_TEXT if dropped else "nothing could be mapped, so there is no call"
        if detail.delivery.is_forgotten:
            why = "its person was forgotten, and its call removed"
        return unknown(Check.INTEGRATIONS, Obstacle.DEPENDS, why, source=Origin.JOURNAL, at=at)
    if call.integrations is None:
        return Line(check=Check.INTEGRATIONS, answer=Answer.YES, evidence="it has no integrations object", at=at)
    off = excluded_names(call.integrations)
    if not off:
        return Line(
            check=Check.INTEGRATIONS, answer=Answer.YES, evidence="its integrations object turns nothing off", at=at
        )
    if "All" in off:
        on = [name for name, value in call.integrations.items() if value is not False]
        evidence = (
            f"its integrations object excludes all but {_listed(on)}" if on else "its integrations object excludes all"
        )
    else:
        evidence = f"its integrations object excludes {_listed(list(off))}"
    why = "the config sets it: integrations in [mapping]"
    return Line(check=Check.INTEGRATIONS, answer=Answer.NO, evidence=evidence, at=at, why=why)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more
