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
from sprig_tui.config.oauth import signing_problem
from sprig_tui.config.secrets import PUBLIC_API_TOKEN, SPRIG_API_KEY, WEBHOOK_TOKEN, WRITE_KEY
from sprig_tui.config.settings import Settings
from sprig_tui.config.warnings import ConfigWarning
from sprig_tui.errors import JournalError, SegmentApiError
from sprig_tui.ingest.test_event import EVENT_NAME
from sprig_tui.journal.url import is_server_url
from sprig_tui.reconcile.last_report import load_by_environment
from sprig_tui.reconcile.model import Obstacle, Verdict
from sprig_tui.reconcile.queries import obstacle_of
from sprig_tui.reconcile.windows import MAX_RANGE_MS, Window, plan
from sprig_tui.segment.metrics import Granularity, Step
from sprig_tui.segment.public_api_models import Destination, Source, source_of_key
from sprig_tui.segment.source_checks import source_mismatches
from sprig_tui.setup.journal_facts import PULLED, WEBHOOK, JournalFacts, gather_journal

if TYPE_CHECKING:
    from sprig_tui.config.paths import Paths
    from sprig_tui.journal.base import Journal
    from sprig_tui.segment.public_api import PublicApiClient

COUNTED_MS = 3 * 3_600_000
"""How far back Segment is asked for counts at least; farther where what it took last is older."""
UNSENT_COUNTED_MS = 13 * 24 * 3_600_000
"""How far back where the journal has nothing that it took: `keys check` and other journals send past this one."""
CLOCK_SKEW_MS = 150_000
"""How far the clocks may differ: counts are asked from so much before what is expected among them."""
COUNTS_LAG_MS = 7 * 60_000
"""How long a missing count says nothing: Segment's counts are minutes late."""
MAX_EXACT_DELIVERIES = 20_000
"""Deliveries of an environment up to which all sends of a span are read; of more only the newest are known."""
ALL_DESTINATIONS = "all"
"""The name in `integrations`, in any case, that stands for every destination not named."""


class CountedSpan(Struct, frozen=True, kw_only=True):
    """What Segment counted in a span of time, and what it took of us in it, by the journal."""

    since: int
    answers: int = 0
    """Counted under the name of the answers' event; others may send it, too."""
    test_events: int = 0
    """Counted under the name of our test event, which nothing else sends."""
    own_tests: int | None = None
    """Test events that it took of this journal; None where there may be more than were looked at."""
    delivered: int = 0
    """Deliveries that it took, answers and test events."""
    due: int = 0
    """Of these, those that are old enough to be counted."""
    sends: int = 0
    """Sends that it took or may have taken, repeats included; it may count each."""
    is_exact: bool = True
    """Whether all sends were read; else the numbers are those of the newest deliveries, and may be larger."""

    @property
    def counted(self) -> int:
        """Counted under both names, but for test events that another journal, or `keys check`, sent."""
        tests = self.test_events if self.own_tests is None else min(self.test_events, self.own_tests)
        return self.answers + tests


class Comparison(Struct, frozen=True, kw_only=True):
    """The last `reconcile` of the environment."""

    verdict: Verdict
    asked_at: int
    source_id: str = ""
    short: int = 0
    """Missing message ids."""
    is_complete: bool = True
    obstacle: Obstacle = Obstacle.NONE


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
    counts: CountedSpan | None = None
    """None where Segment was not asked for counts, or did not answer."""
    obstacle: Obstacle = Obstacle.NONE
    detail: str = ""

    @property
    def keys_visible(self) -> bool:
        """Whether the token may see a Write Key."""
        return any(source.write_keys for source in self.sources)

    @property
    def hides_keys(self) -> bool:
        """Whether there are sources, and the token may not see a Write Key of any."""
        return bool(self.sources) and not self.keys_visible


class Facts(Struct, frozen=True, kw_only=True):
    """All that was observed of one environment."""

    environment: Environment
    has_token: bool
    """Whether there is a token of Segment's Public API."""
    key_problem: ConfigWarning | None = None
    """Why it has no Write Key although the config names one."""
    token_problem: ConfigWarning | None = None
    """Why there is no token although the config names one."""
    webhook_token_problem: ConfigWarning | None = None
    """Why no webhook is admitted: its token cannot be read or used."""
    sprig_key_problem: ConfigWarning | None = None
    """Why it has no key of Sprig's API although the config names one."""
    reuse: tuple[str, ...] = ()
    """Other uses of its Write Key, as sentences."""
    excluded: tuple[str, ...] = ()
    """Destinations that `integrations` of the mapping switches off."""
    excludes_all: bool = False
    """Whether it switches off every destination that it does not name (`All = false`)."""
    admitted: tuple[str, ...] = ()
    """Destinations that it switches on."""
    oauth_problem: str = ""
    """Why the private key of its OAuth credentials cannot sign; empty where it can, and without OAuth."""
    sprig_api_url: str = ""
    retention: str = ""
    """How long the journal keeps what, as the config says; empty for everything for ever."""
    journal_is_shared: bool = False
    """Whether the journal is on PostgreSQL."""
    comparison: Comparison | None = None
    """None where none was made."""
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
    paths: Paths | None = None,
    before: Facts | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Facts:
    """Observe an environment; Segment is asked only with an `api`. Raises ConfigError for an unknown environment.

    `paths` say where the last comparison is. Facts of an earlier look make this one cheaper.
    """
    one = settings.environment(environment)
    key = one.write_key
    rules = settings.rules.integrations or {}
    token = one.webhook_token
    # a token that cannot be used is empty, so that it admits nobody
    admits_nobody = token is not None and token.is_read and not token.reveal()
    earlier = before.journal if before is not None and before.environment.name == environment else None
    facts = Facts(
        environment=one,
        has_token=settings.workspace.token is not None,
        key_problem=settings.secret_problem(WRITE_KEY, environment) if key is None else None,
        token_problem=settings.secret_problem(PUBLIC_API_TOKEN) if settings.workspace.token is None else None,
        webhook_token_problem=settings.secret_problem(WEBHOOK_TOKEN, environment) if admits_nobody else None,
        sprig_key_problem=settings.secret_problem(SPRIG_API_KEY, environment) if one.sprig_api_key is None else None,
        reuse=describe_reuse(settings, key.reveal(), WRITE_KEY, environment) if key and key.is_read else (),
        excluded=tuple(name for name, admits in rules.items() if not admits and name.casefold() != ALL_DESTINATIONS),
        excludes_all=any(not admits for name, admits in rules.items() if name.casefold() == ALL_DESTINATIONS),
        admitted=tuple(name for name, admits in rules.items() if admits and name.casefold() != ALL_DESTINATIONS),
        oauth_problem="; ".join(filter(None, signing_problem(one.oauth.key))) if one.oauth is not None else "",
        sprig_api_url=settings.sprig_api_url,
        retention=settings.retention.text(),
        journal_is_shared=is_server_url(settings.journal),
        comparison=_last_comparison(paths, environment) if paths is not None else None,
        journal=await gather_journal(journal, environment, wanted=_wanted(one), before=earlier) if journal else None,
        at=clock.now(),
    )
    if api is None:
        return facts
    workspace = await _gather_workspace(settings, journal, facts, api, clock.now(), on_progress)
    return replace(facts, workspace=workspace)


def _wanted(environment: Environment) -> tuple[str, ...]:
    """What is searched for among old deliveries, since the config expects it."""
    return tuple(
        name
        for name, secret in ((WEBHOOK, environment.webhook_token), (PULLED, environment.sprig_api_key))
        if secret is not None
    )


def _last_comparison(paths: Paths, environment: str) -> Comparison | None:
    report = load_by_environment(paths).get(environment)
    found = next((one for one in report.environments if one.environment == environment), None) if report else None
    if report is None or found is None:
        return None
    return Comparison(
        verdict=found.verdict,
        asked_at=report.asked_at,
        source_id=found.source_id,
        short=found.short,
        is_complete=report.complete,
        obstacle=found.obstacle,
    )


async def _gather_workspace(
    settings: Settings,
    journal: Journal | None,
    facts: Facts,
    api: PublicApiClient,
    now: int,
    on_progress: Callable[[str], None],
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
            is_hidden = found.hides_keys
            return replace(found, obstacle=Obstacle.KEYS_HIDDEN if is_hidden else Obstacle.NOT_IN_WORKSPACE)
        mismatches = source_mismatches(source, facts.environment.name, settings.environments)
        found = replace(found, source=source, mismatches=mismatches)
        on_progress("its destinations")
        found = replace(found, destinations=await api.destinations(source.id))
        on_progress("its counts")
        window = _counting_window(facts.journal, now)
        if window is None:
            return replace(found, obstacle=Obstacle.TOO_OLD)
        counts = await _ask_counts(api, source, settings.rules.event, window)
        return replace(found, counts=await _with_delivered(counts, journal, facts, now))
    except SegmentApiError as error:
        return replace(found, obstacle=obstacle_of(error), detail=error.message)


def _counting_window(journal: JournalFacts | None, now: int) -> Window | None:
    """The last COUNTED_MS, or farther back to what Segment took last; None where it counts no more that far back."""
    taken = journal.taken_at if journal is not None else ()
    since = min(now - COUNTED_MS, max(taken) - CLOCK_SKEW_MS) if taken else now - UNSENT_COUNTED_MS
    is_long = now - since > MAX_RANGE_MS[Granularity.HOUR] - Granularity.DAY.width_ms
    windows = plan(since, now + 1, now + 1, granularity=Granularity.DAY if is_long else None)
    return windows[0] if windows and windows[0].start <= since else None


async def _ask_counts(api: PublicApiClient, source: Source, event: str, window: Window) -> CountedSpan:
    rows = await api.delivery_metric(
        Step.RECEIVED, source.id, start=window.start, end=window.end, granularity=window.granularity
    )

    def total(name: str) -> int:
        return sum(row.total for row in rows if row.event_name == name)

    answers = total(event) if event != EVENT_NAME else 0
    return CountedSpan(since=window.start, answers=answers, test_events=total(EVENT_NAME))


async def _with_delivered(counts: CountedSpan, journal: Journal | None, facts: Facts, now: int) -> CountedSpan:
    """With what Segment took since the start of the span; of a large journal only of its newest deliveries."""
    seen = facts.journal
    if journal is None or seen is None:
        return replace(counts, is_exact=False)
    due_until = now - COUNTS_LAG_MS
    own_tests = sum(at >= counts.since for at in seen.tests_taken)
    counts = replace(counts, own_tests=None if seen.more else own_tests)
    if sum(seen.states.values()) > MAX_EXACT_DELIVERIES:
        taken = [at for at in seen.taken if at >= counts.since + CLOCK_SKEW_MS]
        due = sum(at <= due_until for at in taken)
        return replace(counts, delivered=len(taken), due=due, sends=len(taken), is_exact=False)
    environment = facts.environment
    try:
        bins = await journal.accepted(
            environment.name, since=counts.since, until=now + 1, endpoint=environment.base_url
        )
    except JournalError:
        return replace(counts, is_exact=False)
    # what was taken near the start may have been counted before it, by Segment's clock
    firsts = [one for one in bins if one.first]
    due_bins = [one for one in firsts if one.start <= due_until and one.start >= counts.since + CLOCK_SKEW_MS - 1_000]
    return replace(
        counts,
        delivered=sum(one.first for one in firsts),
        due=sum(one.first for one in due_bins),
        sends=sum(one.sends + sum(number for _, number in one.unanswered) for one in bins),
    )
