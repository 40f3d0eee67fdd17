"""Journal facts of the set-up: what came into an environment, what became of it, and who works on the journal.

The newest deliveries are looked at in each look. What is not among them, but is needed to tell done from to do, is
searched for in short reads, which let other readers in between; later looks build on what earlier ones found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.errors import JournalError
from sprig_tui.journal.notes import Notes, load_notes
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import Delivery, Lane, State, WorkerInfo
from sprig_tui.reasons import Reason
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.records import Origin

if TYPE_CHECKING:
    from sprig_tui.journal.base import Journal

WINDOW_ROWS = 500
"""Newest deliveries of the environment that are looked at."""
READ_BUDGET_MS = 50
"""Longest single search."""
MIN_PAGE_ROWS = 50
"""Rows of a search that are asked for at once: some of them may not hold."""
MAX_READS = 40
"""Searches of one look: a million deliveries take about ten."""
TEST_EVENT_SOURCE, WEBHOOK_SOURCE, API_SOURCE = "test event", "webhook", "api"
"""Sources of deliveries that are no files."""
WEBHOOK, PULLED, ANSWER = "webhook", "pulled", "answer"
"""Fields of the facts that are searched for among all deliveries, where that is wanted."""
_SOURCES = {WEBHOOK: WEBHOOK_SOURCE, PULLED: API_SOURCE}


class JournalFacts(Struct, frozen=True, kw_only=True):
    """What the journal has of the environment."""

    states: dict[State, int] = {}
    more: bool = False
    """Whether there are more than the newest deliveries."""
    newest_id: int = 0
    """The newest delivery."""
    absent: frozenset[str] = frozenset()
    """Of WEBHOOK, PULLED and ANSWER: what no delivery is, not even an old one."""
    seen: int = 0
    """Answers among the newest deliveries: test events, test webhooks and other events of Sprig are none."""
    anonymous: int = 0
    """Of these, answers without a User ID."""
    taken: tuple[int, ...] = ()
    """When Segment took each delivered one among the newest deliveries."""
    tests_taken: tuple[int, ...] = ()
    """Of these, the times of test events."""
    webhook: Delivery | None = None
    """The newest that a webhook brought."""
    pulled: Delivery | None = None
    file: Delivery | None = None
    answer: Delivery | None = None
    """The newest that has a User ID and is an answer."""
    delivered: Delivery | None = None
    """The newest answer that Segment took."""
    newest: Delivery | None = None
    """The newest answer that was to be sent, whatever became of it."""
    withheld: Delivery | None = None
    """The newest answer that is withheld."""
    test_event: Delivery | None = None
    """The newest test event."""
    answer_webhook: Delivery | None = None
    """The newest that a webhook brought, but for Sprig's test webhook."""
    environment_id: str = ""
    """Sprig's id of the environment in `answer_webhook`; a test webhook may carry that of the documentation."""
    workers: tuple[WorkerInfo, ...] = ()
    lane: Lane | None = None
    """To the environment's own endpoint; None where nothing was sent there yet."""
    notes: Notes = Notes()

    def may_have(self, name: str) -> bool:
        """Whether an old delivery may be what was not found."""
        return self.more and name not in self.absent

    @property
    def taken_at(self) -> tuple[int, ...]:
        """When Segment took the newest answer and the newest test event, where it did."""
        sent = (self.delivered, self.test_event)
        return tuple(one.settled_at for one in sent if one is not None and one.state is State.DELIVERED)


_FOUND_FIELDS = (
    "webhook",
    "pulled",
    "file",
    "answer",
    "delivered",
    "newest",
    "withheld",
    "test_event",
    "answer_webhook",
)
"""Fields that hold the newest delivery of a kind."""


async def gather_journal(
    journal: Journal, environment: str, *, wanted: Sequence[str] = (), before: JournalFacts | None = None
) -> JournalFacts | None:
    """Look at the journal; None where it cannot be read.

    `wanted` is of WEBHOOK and PULLED: where the newest deliveries are none, all are searched for one. With the facts
    `before`, what they found is looked up again instead of being searched for.
    """
    try:
        return await _look(_Search(journal, environment), wanted, before)
    except JournalError:
        return None


class _Search:
    """Searches in one environment, in a limited number of short reads."""

    def __init__(self, journal: Journal, environment: str) -> None:
        self.journal = journal
        self.environment = environment
        self._reads_left = MAX_READS

    async def newest(
        self, limit: int, *terms: Term, holds: Callable[[Delivery], object] = lambda _: True
    ) -> tuple[list[Delivery], bool]:
        """Up to `limit` deliveries that match, the newest first, and whether every delivery was searched."""
        query = Query((Term("env", self.environment), *terms))
        found: list[Delivery] = []
        cursor = 0
        while self._reads_left and len(found) < limit:
            self._reads_left -= 1
            page = await self.journal.page(
                query, cursor=cursor, limit=max(limit, MIN_PAGE_ROWS), budget_ms=READ_BUDGET_MS
            )
            found += [one for one in reversed(page.deliveries) if holds(one)]
            if not page.more:
                return found[:limit], True
            cursor = page.reached or page.deliveries[0].id
        return found[:limit], False


async def _look(search: _Search, wanted: Sequence[str], before: JournalFacts | None) -> JournalFacts:
    journal, name = search.journal, search.environment
    counts = await journal.counts()
    states = dict(counts.by_environment.get(name, {}))
    facts = JournalFacts(
        states=states,
        workers=await journal.workers(),
        lane=(await journal.lanes()).get(name),
        notes=await load_notes(journal),
    )
    total = sum(states.values())
    if not total:
        return facts
    # the number is known, so that the search for a few ends with the last of them
    rows, _ = await search.newest(min(WINDOW_ROWS, total))
    facts = _with_newest(facts, rows)
    if len(rows) < total:
        facts = replace(facts, more=True)
        oldest = rows[-1].id if rows else 0
        known = frozenset[str]()
        if before is not None:
            facts = await _with_earlier(journal, facts, before)
            known = before.absent if not before.more or oldest <= before.newest_id else known
        facts = await _with_older(search, facts, wanted, known)
    if facts.answer_webhook is None:
        return facts
    earlier = before.answer_webhook if before is not None else None
    if before is not None and earlier is not None and earlier.id == facts.answer_webhook.id:
        return replace(facts, environment_id=before.environment_id)
    detail = await journal.get(facts.answer_webhook.id)
    return replace(facts, environment_id=_environment_id(detail.raw) if detail else "")


def _with_newest(facts: JournalFacts, newest: Sequence[Delivery]) -> JournalFacts:
    """With what the newest deliveries are; they are in the order of the newest first."""
    others = (Reason.NOT_AN_ANSWER, Reason.TEST_WEBHOOK)
    answers = [one for one in newest if one.source != TEST_EVENT_SOURCE and one.reason not in others]

    def first(holds: Callable[[Delivery], object]) -> Delivery | None:
        return next((one for one in newest if holds(one)), None)

    taken = [one for one in newest if one.state is State.DELIVERED and not one.bound_for]
    return replace(
        facts,
        newest_id=newest[0].id if newest else 0,
        seen=len(answers),
        anonymous=sum(one.reason == Reason.ANONYMOUS for one in answers),
        taken=tuple(one.settled_at for one in taken),
        tests_taken=tuple(one.settled_at for one in taken if one.source == TEST_EVENT_SOURCE),
        webhook=first(lambda one: one.source == WEBHOOK_SOURCE),
        answer_webhook=first(lambda one: one.source == WEBHOOK_SOURCE and one.reason != Reason.TEST_WEBHOOK),
        pulled=first(lambda one: one.source == API_SOURCE),
        file=first(lambda one: one.source not in (TEST_EVENT_SOURCE, WEBHOOK_SOURCE, API_SOURCE)),
        answer=first(_is_answer),
        delivered=first(lambda one: _is_own_answer(one) and one.state is State.DELIVERED),
        newest=first(_is_own_answer),
        withheld=next((one for one in answers if one.state is State.WITHHELD), None),
        test_event=first(lambda one: one.source == TEST_EVENT_SOURCE and not one.bound_for),
    )


def _is_answer(one: Delivery) -> bool:
    return one.source != TEST_EVENT_SOURCE and bool(one.user_id) and one.state is not State.WITHHELD


def _is_own_answer(one: Delivery) -> bool:
    """Whether it goes to the environment's own endpoint: what a run with --endpoint sends elsewhere proves nothing."""
    return _is_answer(one) and not one.bound_for


async def _with_earlier(journal: Journal, facts: JournalFacts, before: JournalFacts) -> JournalFacts:
    """With what an earlier look found and this one did not, as it is now."""
    missing = {name: one for name in _FOUND_FIELDS if getattr(facts, name) is None and (one := getattr(before, name))}
    if not missing:
        return facts
    now = {one.id: one for one in await journal.get_many(sorted({one.id for one in missing.values()}))}
    found = {name: now[one.id] for name, one in missing.items() if one.id in now}
    still = {
        name: one
        for name, one in found.items()
        if not (name in ("answer", "newest", "delivered") and not _is_answer(one))
        and not (name == "delivered" and one.state is not State.DELIVERED)
    }
    return replace(facts, **still)


async def _with_older(
    search: _Search, facts: JournalFacts, wanted: Sequence[str], known_absent: frozenset[str]
) -> JournalFacts:
    """With an older delivery for what the newest ones are not; what is known to be absent is not searched for."""
    absent = set(known_absent)
    is_whole = True
    if facts.delivered is None and facts.states.get(State.DELIVERED) and ANSWER not in absent:
        status = Term("status", State.DELIVERED.value)
        found, is_whole = await search.newest(1, status, holds=_is_own_answer)
        one = next(iter(found), None)
        facts = replace(facts, delivered=one, answer=facts.answer or one, newest=facts.newest or one)
    for state in (State.QUEUED, State.FAILED, State.DELIVERED):
        if facts.answer is not None or ANSWER in absent or not facts.states.get(state):
            continue
        found, is_searched = await search.newest(1, Term("status", state.value), holds=_is_answer)
        is_whole = is_whole and is_searched
        one = next(iter(found), None)
        facts = replace(facts, answer=one)
        if one is not None and _is_own_answer(one):
            facts = replace(facts, newest=facts.newest or one)
    if facts.answer is None and is_whole:
        absent.add(ANSWER)
    for name in wanted:
        source = _SOURCES[name]
        if getattr(facts, name) is None and name not in absent:
            # text is searched in other fields, too; the source decides
            found, is_searched = await search.newest(1, Term("text", source), holds=partial(_came_by, source))
            one = next(iter(found), None)
            facts = replace(facts, **{name: one})
            if name == WEBHOOK and one is not None and one.reason != Reason.TEST_WEBHOOK:
                facts = replace(facts, answer_webhook=one)
            absent |= {name} if is_searched and one is None else set()
    return replace(facts, absent=frozenset(absent))


def _came_by(source: str, one: Delivery) -> bool:
    return one.source == source


def _environment_id(raw: bytes) -> str:
    records = parse_document(raw, Origin(WEBHOOK_SOURCE))
    return next((record.environment_id for record in records if record.environment_id), "")
