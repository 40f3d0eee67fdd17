"""Facts of the set-up: what was observed of one environment in config, journal and workspace.

What was not asked is None, which differs from asked and empty. Gathering reads, never writes, and never raises for what
could not be asked: that becomes an obstacle with a detail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.clock import Clock
from sprig_tui.config.checks import describe_reuse
from sprig_tui.config.environment import Environment
from sprig_tui.config.secrets import WRITE_KEY
from sprig_tui.config.settings import Settings
from sprig_tui.errors import JournalError, SegmentApiError
from sprig_tui.ingest.test_event import EVENT_NAME
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import Delivery, State, WorkerInfo
from sprig_tui.reasons import Reason
from sprig_tui.reconcile.model import Obstacle
from sprig_tui.reconcile.queries import obstacle_of
from sprig_tui.reconcile.windows import MAX_RANGE_MS, Window, plan
from sprig_tui.segment.metrics import Granularity, Step
from sprig_tui.segment.public_api_models import Destination, Source, source_of_key
from sprig_tui.segment.source_checks import source_mismatches
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.records import Origin

if TYPE_CHECKING:
    from sprig_tui.journal.base import Journal
    from sprig_tui.segment.public_api import PublicApiClient

WINDOW_ROWS = 500
"""Newest deliveries of the environment that are looked at."""
READ_BUDGET_MS = 50
"""Longest search for them."""
COUNTED_MS = 3 * 3_600_000
"""How far back Segment is asked for counts at least; farther where what it took last is older."""
TEST_EVENT_SOURCE, WEBHOOK_SOURCE, API_SOURCE = "test event", "webhook", "api"
"""Sources of deliveries that are no files."""
ALL_DESTINATIONS = "all"
"""The name in `integrations`, in any case, that stands for every destination not named."""


class JournalFacts(Struct, frozen=True, kw_only=True):
    """What the journal has of the environment; all but `states` is about its newest WINDOW_ROWS deliveries."""

    states: dict[State, int] = {}
    more: bool = False
    """Whether there are, or may be, deliveries that were not looked at: what was not found may be among them."""
    seen: int = 0
    """Answers looked at: test events, test webhooks and other events of Sprig are none."""
    anonymous: int = 0
    """Of these, answers without a User ID."""
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
    test_event: Delivery | None = None
    """The newest test event."""
    answer_webhook: Delivery | None = None
    """The newest that a webhook brought, but for Sprig's test webhook."""
    environment_id: str = ""
    """Sprig's id of the environment in `answer_webhook`; a test webhook may carry that of the documentation."""
    workers: tuple[WorkerInfo, ...] = ()

    @property
    def taken_at(self) -> tuple[int, ...]:
        """When Segment took the newest answer and the newest test event, where it did."""
        sent = (self.delivered, self.test_event)
        return tuple(one.settled_at for one in sent if one is not None and one.state is State.DELIVERED)


class WorkspaceFacts(Struct, frozen=True, kw_only=True):
    """What Segment's Public API said; `obstacle` is why it said less."""

    asked_at: int
    sources: tuple[Source, ...] = ()
    source: Source | None = None
    """The one that the Write Key belongs to."""
    mismatches: tuple[str, ...] = ()
    """Why it may be the wrong one for the environment."""
    fitting: int = 0
    """Sources with a visible key, and nothing that speaks against them."""
    destinations: tuple[Destination, ...] | None = None
    counted: int | None = None
    """Our events that the source counted since `counted_since`; None where that was not asked or not answered."""
    counted_since: int = 0
    obstacle: Obstacle = Obstacle.NONE
    detail: str = ""

    @property
    def keys_visible(self) -> bool:
        """Whether the token may see a Write Key."""
        return any(source.write_keys for source in self.sources)


class Facts(Struct, frozen=True, kw_only=True):
    """All that was observed of one environment."""

    environment: Environment
    has_token: bool
    """Whether there is a token of Segment's Public API."""
    reuse: tuple[str, ...] = ()
    """Other uses of its Write Key, as sentences."""
    excluded: tuple[str, ...] = ()
    """Destinations that `integrations` of the mapping switches off."""
    excludes_all: bool = False
    """Whether it switches off every destination that it does not name (`All = false`)."""
    admitted: tuple[str, ...] = ()
    """Destinations that it switches on."""
    sprig_api_url: str = ""
    journal: JournalFacts | None = None
    """None while the journal is not open or not readable."""
    workspace: WorkspaceFacts | None = None
    """None where it was not asked."""
    at: int


def merge_workspace(facts: Facts, before: Facts) -> Facts:
    """Newer facts, with what Segment said earlier; not where the key or the token changed since."""
    same = facts.environment.write_key == before.environment.write_key and facts.has_token == before.has_token
    return replace(facts, workspace=before.workspace) if same and facts.workspace is None else facts


async def gather_facts(
    settings: Settings,
    journal: Journal | None,
    environment: str,
    *,
    api: PublicApiClient | None,
    clock: Clock,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Facts:
    """Observe an environment; Segment is asked only with an `api`. Raises ConfigError for an unknown environment."""
    one = settings.environment(environment)
    key = one.write_key
    rules = settings.rules.integrations or {}
    facts = Facts(
        environment=one,
        has_token=settings.workspace.token is not None,
        reuse=describe_reuse(settings, key.reveal(), WRITE_KEY, environment) if key and key.is_read else (),
        excluded=tuple(name for name, admits in rules.items() if not admits and name.casefold() != ALL_DESTINATIONS),
        excludes_all=any(not admits for name, admits in rules.items() if name.casefold() == ALL_DESTINATIONS),
        admitted=tuple(name for name, admits in rules.items() if admits and name.casefold() != ALL_DESTINATIONS),
        sprig_api_url=settings.sprig_api_url,
        journal=await _gather_journal(journal, environment) if journal is not None else None,
        at=clock.now(),
    )
    if api is None:
        return facts
    return replace(facts, workspace=await _gather_workspace(settings, facts, api, clock.now(), on_progress))


async def _gather_journal(journal: Journal, environment: str) -> JournalFacts | None:
    query = Query((Term("env", environment),))
    try:
        counts = await journal.counts()
        page = await journal.page(query, limit=WINDOW_ROWS, budget_ms=READ_BUDGET_MS)
        workers = tuple(await journal.workers())
        found = _journal_facts(page.deliveries[::-1], counts.by_environment.get(environment, {}), workers)
        found = replace(found, more=page.more)
        if found.answer_webhook is None:
            return found
        detail = await journal.get(found.answer_webhook.id)
    except JournalError:
        return None
    return replace(found, environment_id=_environment_id(detail.raw) if detail else "")


def _journal_facts(
    newest: tuple[Delivery, ...], states: dict[State, int], workers: tuple[WorkerInfo, ...]
) -> JournalFacts:
    """The facts of deliveries, the newest first."""
    others = (Reason.NOT_AN_ANSWER, Reason.TEST_WEBHOOK)
    answers = [one for one in newest if one.source != TEST_EVENT_SOURCE and one.reason not in others]

    def first(holds: Callable[[Delivery], object]) -> Delivery | None:
        return next((one for one in newest if holds(one)), None)

    def is_answer(one: Delivery) -> bool:
        return one.source != TEST_EVENT_SOURCE and bool(one.user_id) and one.state is not State.WITHHELD

    return JournalFacts(
        states=dict(states),
        seen=len(answers),
        anonymous=sum(one.reason == Reason.ANONYMOUS for one in answers),
        webhook=first(lambda one: one.source == WEBHOOK_SOURCE),
        answer_webhook=first(lambda one: one.source == WEBHOOK_SOURCE and one.reason != Reason.TEST_WEBHOOK),
        pulled=first(lambda one: one.source == API_SOURCE),
        file=first(lambda one: one.source not in (TEST_EVENT_SOURCE, WEBHOOK_SOURCE, API_SOURCE)),
        answer=first(is_answer),
        delivered=first(lambda one: is_answer(one) and one.state is State.DELIVERED),
        newest=first(is_answer),
        test_event=first(lambda one: one.source == TEST_EVENT_SOURCE),
        workers=workers,
    )


def _environment_id(raw: bytes) -> str:
    records = parse_document(raw, Origin(WEBHOOK_SOURCE))
    return next((record.environment_id for record in records if record.environment_id), "")


async def _gather_workspace(
    settings: Settings, facts: Facts, api: PublicApiClient, now: int, on_progress: Callable[[str], None]
) -> WorkspaceFacts:
    found = WorkspaceFacts(asked_at=now)
    key = facts.environment.write_key
    try:
        on_progress("its sources")
        sources = await api.sources()
        name, environments = facts.environment.name, settings.environments
        fitting = sum(bool(one.write_keys) and not source_mismatches(one, name, environments) for one in sources)
        found = replace(found, sources=sources, fitting=fitting)
        if key is None:
            return replace(found, obstacle=Obstacle.NO_KEY)
        if not key.is_read:
            detail = f"its Write Key was not read: {key.read_from}"
            return replace(found, obstacle=Obstacle.NOT_ASKED, detail=detail)
        source = source_of_key(key.reveal(), found.sources)
        if source is None:
            is_hidden = bool(found.sources) and not found.keys_visible
            return replace(found, obstacle=Obstacle.KEYS_HIDDEN if is_hidden else Obstacle.NOT_IN_WORKSPACE)
        mismatches = source_mismatches(source, facts.environment.name, settings.environments)
        found = replace(found, source=source, mismatches=mismatches)
        on_progress("its destinations")
        found = replace(found, destinations=await api.destinations(source.id))
        on_progress("its counts")
        window = _counting_window(facts.journal, now)
        if window is None:
            return replace(found, obstacle=Obstacle.TOO_OLD)
        counted = await _ask_counted(api, source, settings.rules.event, window)
        return replace(found, counted=counted, counted_since=window.start)
    except SegmentApiError as error:
        return replace(found, obstacle=obstacle_of(error), detail=error.message)


def _counting_window(journal: JournalFacts | None, now: int) -> Window | None:
    """The last COUNTED_MS, or farther back to what Segment took last; None where it counts no more that far back."""
    taken = journal.taken_at if journal is not None else ()
    since = min(now - COUNTED_MS, max(taken, default=now))
    is_long = now - since > MAX_RANGE_MS[Granularity.HOUR] - Granularity.DAY.width_ms
    windows = plan(since, now + 1, now + 1, granularity=Granularity.DAY if is_long else None)
    return windows[0] if windows and windows[0].start <= since else None


async def _ask_counted(api: PublicApiClient, source: Source, event: str, window: Window) -> int:
    rows = await api.delivery_metric(
        Step.RECEIVED, source.id, start=window.start, end=window.end, granularity=window.granularity
    )
    return sum(row.total for row in rows if row.event_name in (event, EVENT_NAME))
