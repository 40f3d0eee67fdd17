"""Findings on the arrival: what was sent, what Segment counted of it, and the last comparison. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sprig_tui.formatting import time_ago
from sprig_tui.journal.records import Delivery, Lane, State
from sprig_tui.reasons import reason_label
from sprig_tui.reconcile.model import Obstacle, Verdict
from sprig_tui.setup.evidence import (
    API,
    CONFIG,
    JOURNAL,
    JOURNAL_CLOSED,
    MAX_CAUSE_CHARS,
    name_text,
    time_text,
    ways_to_a_token,
    without_token,
    workspace_obstacle,
)
from sprig_tui.setup.facts import COUNTS_LAG_MS, CountedSpan, Facts, WorkspaceFacts
from sprig_tui.setup.journal_facts import ANSWER, TEST_EVENT_SOURCE, JournalFacts
from sprig_tui.setup.model import ActionKind, Finding, FindingCode, StepState
from sprig_tui.text import one_line

RECONCILE = "reconcile"
MAX_COMPARISON_AGE_MS = 7 * 24 * 3_600_000
"""Age of a comparison from which it says nothing any more."""
PASSING_OBSTACLES = frozenset({Obstacle.UNREACHABLE, Obstacle.RATE_LIMITED, Obstacle.ANSWER_UNCLEAR, Obstacle.CLOCK})
"""Obstacles that may be gone at the next question."""
_DONE, _TODO, _DOUBTFUL, _UNKNOWN = StepState.DONE, StepState.TODO, StepState.DOUBTFUL, StepState.UNKNOWN
_SEND = (ActionKind.SEND_TEST_EVENT, ActionKind.SEND_ANSWER)
_COMPARE = (ActionKind.COMPARE,)


def arrival(facts: Facts) -> Iterator[Finding]:
    """The findings of the step."""
    journal = facts.journal
    if journal is None:
        yield Finding(code=FindingCode.SENT, state=_UNKNOWN, evidence=JOURNAL_CLOSED, source=JOURNAL, is_temporary=True)
        return
    counts = facts.workspace.counts if facts.workspace is not None else None
    sent = _sent(journal)
    if journal.taken_at:
        yield _counted(facts, facts.workspace, journal)
    elif counts is not None and counts.test_events:
        # nothing else sends the test event
        since = time_text(counts.since, facts.at)
        evidence = (
            f"counted by Segment: a test event since {since} that is not in this journal, such as that of keys check"
        )
        yield Finding(code=FindingCode.COUNTED, state=_DONE, evidence=evidence, source=API, actions=_COMPARE)
        sent = [one for one in sent if one.source != TEST_EVENT_SOURCE]
    elif not sent:
        yield _nothing_sent(journal, counts, facts.at)
    for one in sent:
        yield _sent_finding(one, journal.lane, facts.at)
    yield from _compared(facts)


def _nothing_sent(journal: JournalFacts, counts: CountedSpan | None, now: int) -> Finding:
    code = FindingCode.SENT
    if journal.may_have(ANSWER):
        evidence = "nothing that was sent is among the deliveries that were looked at; there are older ones"
        return Finding(code=code, state=_UNKNOWN, evidence=evidence, source=JOURNAL, actions=_SEND)
    evidence = "nothing was sent yet"
    if counts is not None and counts.answers:
        since = time_text(counts.since, now)
        evidence += f"; another program sent {counts.answers:,} of the same event to this source since {since}"
    return Finding(code=code, state=_TODO, evidence=evidence, source=JOURNAL, actions=_SEND)


# -- what was sent ----------------------------------------------------------------------------------------------------


def _sent(journal: JournalFacts) -> list[Delivery]:
    """The answer and the test event to report; a failed test event no more once Segment took a later answer."""
    answer, test = journal.delivered or journal.newest, journal.test_event
    is_overcome = (
        test is not None
        and test.state is not State.DELIVERED
        and journal.delivered is not None
        and journal.delivered.settled_at >= max(test.settled_at, test.added_at)
    )
    return [one for one in (answer, None if is_overcome else test) if one is not None]


def _sent_finding(one: Delivery, lane: Lane | None, now: int) -> Finding:
    what = "the test event" if one.source == TEST_EVENT_SOURCE else "an answer"
    explain = (ActionKind.EXPLAIN, *_SEND)
    match one.state:
        case State.DELIVERED:
            evidence = f"Segment took {what}: {one.status} at {time_text(one.settled_at, now)}"
            return Finding(code=FindingCode.SENT, state=_DONE, evidence=evidence, source=JOURNAL, actions=_SEND)
        case State.FAILED:
            evidence = f"Segment rejected {what}: {one.status or ''} {name_text(one.error)}".rstrip()
        case State.WITHHELD:
            why = f": {name_text(one.detail)}" if one.detail else ""
            evidence = f"{what} is withheld, {name_text(reason_label(one.reason))}{why}"
        case _ if lane is not None and lane.state != "open":
            evidence = f"{what} is queued, and sending is {lane.state}: {one_line(lane.cause, limit=MAX_CAUSE_CHARS)}"
        case _:
            evidence = f"{what} is queued and not sent yet: it is sent while this program, listen or run is open"
    return Finding(
        code=FindingCode.SENT, state=_TODO, evidence=evidence, source=JOURNAL, actions=explain, delivery=one.id
    )


# -- what was counted -------------------------------------------------------------------------------------------------


def _counted(facts: Facts, workspace: WorkspaceFacts | None, journal: JournalFacts) -> Finding:
    code = FindingCode.COUNTED
    if not facts.has_token:
        evidence = f"look for it in the source's Debugger in Segment: it cannot be known {without_token(facts)}"
        return Finding(code=code, state=_UNKNOWN, evidence=evidence, source=CONFIG, actions=ways_to_a_token(facts))
    if workspace is None:
        evidence = "Segment was not asked for its counts yet"
        return Finding(code=code, state=_UNKNOWN, evidence=evidence, source=API, is_temporary=True)
    if workspace.counts is None:
        evidence = f"Segment's counts are not known: {workspace_obstacle(workspace)}"
        actions = (ActionKind.REPLACE_TOKEN,) if workspace.obstacle is Obstacle.PERMISSION else _COMPARE
        is_temporary = workspace.obstacle in PASSING_OBSTACLES
        return Finding(
            code=code, state=_UNKNOWN, evidence=evidence, source=API, actions=actions, is_temporary=is_temporary
        )
    return _compare_counts(workspace.counts, journal, facts.at)


def _compare_counts(counts: CountedSpan, journal: JournalFacts, now: int) -> Finding:
    """Counted against delivered, of one span."""
    code, counted = FindingCode.COUNTED, counts.counted
    sent = (journal.delivered, journal.test_event)
    explained = next((one.id for one in sent if one is not None and one.state is State.DELIVERED), 0)
    # pruned deliveries are missing in the journal's numbers: what it has itself is the least
    own = [at for at in journal.taken_at if at >= counts.since]
    delivered = max(counts.delivered, len(own))
    due = max(counts.due, sum(now - at >= COUNTS_LAG_MS for at in own))
    number = f"{delivered:,}" if counts.is_exact else f"at least {delivered:,}"
    span = f"since {time_text(counts.since, now)}"
    if counted >= delivered:
        if counts.is_exact and counts.answers > max(counts.sends, delivered):
            evidence = (
                f"Segment counted {counted:,} {span}, more than the {number} that we delivered: another program sends"
                " the same event to this source, so the counts do not show that ours arrived"
            )
            return Finding(code=code, state=_UNKNOWN, evidence=evidence, source=API, actions=_COMPARE)
        of = "of" if counted == delivered else "with"
        evidence = f"counted by Segment: {counted:,} {of} {number} delivered {span}"
        return Finding(code=code, state=_DONE, evidence=evidence, source=API, actions=_COMPARE)
    if counted >= due:
        so_far = f"{counted:,} of {number} counted by Segment {span}" if counted else "not counted by Segment yet"
        state = _DONE if due else _TODO
        evidence = f"{so_far}: its counts are some minutes late"
        return Finding(code=code, state=state, evidence=evidence, source=API, actions=_COMPARE)
    evidence = f"Segment counted {counted:,} of the {number} that we delivered {span}"
    if not counted:
        evidence += ": the key may be of another source; look into the source's Debugger in Segment"
    actions = (*_COMPARE, ActionKind.EXPLAIN)
    return Finding(code=code, state=_DOUBTFUL, evidence=evidence, source=API, actions=actions, delivery=explained)


def _compared(facts: Facts) -> Iterator[Finding]:
    """The last comparison, if it is of the source that the key belongs to."""
    last, workspace = facts.comparison, facts.workspace
    if (
        last is None
        or facts.at - last.asked_at > MAX_COMPARISON_AGE_MS
        or last.verdict in (Verdict.CANNOT_ASK, Verdict.TOO_YOUNG)
    ):
        return
    if workspace is not None and workspace.source is not None and last.source_id not in ("", workspace.source.id):
        return
    when = f"compared {time_ago(last.asked_at, facts.at)}"
    if last.verdict is Verdict.SHORT:
        evidence = f"{when}: Segment counted at least {last.short:,} fewer than we delivered"
        state = _DOUBTFUL
    elif last.verdict is Verdict.AGREES and last.is_complete:
        evidence, state = f"{when}: Segment's counts agree", _DONE
    elif last.verdict is Verdict.AGREES:
        evidence, state = f"{when}, in part: Segment's counts agree", _DONE
    else:
        evidence, state = f"{when}: Segment counted more than we delivered, so others send there, too", _DONE
    yield Finding(code=FindingCode.COMPARED, state=state, evidence=evidence, source=RECONCILE, actions=_COMPARE)
