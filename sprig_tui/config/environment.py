"""An environment: one Segment source, its Write Key, and how it may be reached."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from msgspec import Struct

from sprig_tui.segment.limits import ENDPOINT_URLS, PARTNER_REQUESTS_PER_SECOND
from sprig_tui.segment.source_checks import stage_of, stage_words
from sprig_tui.text import mask

UNREACHABLE_TIMEOUT_S = 60.0
"""Seconds that an endpoint, an API or the journal may fail without a break until a command stops waiting for it."""


class DeliverySettings(Struct, frozen=True, kw_only=True):
    """Defaults follow the official clients' shared rules (10 retries, 12 hours) and Segment's partner guide."""

    max_retries: int = 10
    retry_window: float = 12 * 3600.0
    """Seconds from the first attempt; a delivery is given up when this and `max_retries` are both spent."""
    timeout: float = 15.0
    """Seconds for each phase of a request: connect, write, read, waiting for a connection."""
    connections: int = 4
    """Requests in flight per environment; more make httpx slower, not faster."""
    gzip: bool = False
    lease: float = 120.0
    """Seconds that claimed deliveries stay ours without a sign of life."""


class Secret:
    """A secret that does not print itself: `reveal()` is the one way to its text."""

    __slots__ = ("_text", "read_from")

    def __init__(self, text: str, read_from: str = "config") -> None:
        self._text = text
        self.read_from = read_from
        """`config`, or the environment variable it was read from."""

    def reveal(self) -> str:
        """The secret itself; for an Authorization header and nothing else."""
        return self._text

    def masked(self) -> str:
        """First and last four characters; one too short for that shows none."""
        return mask(self._text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.masked()})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and type(other) is type(self) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class WriteKey(Secret):
    """A Write Key: names the Segment source that answers go to."""

    __slots__ = ()


class WebhookToken(Secret):
    """The API secret that Sprig's webhooks of one environment carry as `Authorization: Bearer`."""

    __slots__ = ()


class SprigApiKey(Secret):
    """The key of Sprig's REST API; it chooses Production or Development there."""

    __slots__ = ()


class PublicApiToken(Secret):
    """A token of Segment's Public API: reads what sources a workspace has, and their Write Keys."""

    __slots__ = ()


class Environment(Struct, frozen=True, kw_only=True):
    """Where one environment's answers go."""

    name: str
    """Lower case, such as `production`; part of every message id, so it never changes."""
    write_key: WriteKey | None = None
    endpoint: str = "us"
    """`us`, `eu`, or a base URL without `/v1`."""
    own_endpoint: str | None = None
    """What the config has, where a run sends to another `endpoint` instead (`--endpoint`); None where it does not."""
    requests_per_second: float = PARTNER_REQUESTS_PER_SECOND
    protected: bool = False
    sprig_environment_id: str | None = None
    """Sprig's id of this environment, which webhooks carry."""
    webhook_token: WebhookToken | None = None
    """What webhooks must carry to be taken; None where nothing is asked of them, empty where none can be right."""
    sprig_api_key: SprigApiKey | None = None
    """What `pull` asks Sprig's REST API with."""

    @property
    def base_url(self) -> str:
        """The endpoint as a URL without a trailing slash."""
        return _endpoint_url(self.endpoint)

    @property
    def override_url(self) -> str:
        """The URL that a run sends to in place of the environment's own; empty where it is the environment's own."""
        foreign = self.own_endpoint is not None and _endpoint_url(self.own_endpoint) != self.base_url
        return self.base_url if foreign else ""


def _endpoint_url(endpoint: str) -> str:
    return ENDPOINT_URLS.get(endpoint, endpoint).rstrip("/")


def override_urls(environments: Mapping[str, Environment]) -> dict[str, str]:
    """Environment -> URL, of those that a run sends to another endpoint than their own."""
    return {name: found.override_url for name, found in environments.items() if found.override_url}


MIN_SIMILARITY = 0.75
"""Likeness (difflib) from which two names, or two parts of names, are taken for a slip."""
MIN_PREFIX_CHARS = 3
"""Characters from which the beginning of a name stands for it."""
ALIASED_STAGES = ("production", "development")
"""Stages whose other words (prod, live, dev ...) are taken for them; a test or staging of one's own is common."""


def nearest_environment(name: str, environment_names: Iterable[str]) -> str:
    """The known environment that `name` was surely meant to be; empty where it may well be another.

    `prod`, `prodd`, `live` and `prodution` are near `production`; `production-eu` and `staging-us` beside `staging-eu`
    are names of their own, and so is `team2` beside `team1`.
    """
    names, typed = list(environment_names), name.casefold()
    if typed in names:
        return typed
    stage = stage_of(typed)
    if stage in ALIASED_STAGES and stage in names:
        return stage
    for stage in ALIASED_STAGES:
        if stage in names and any(_is_typo(typed, word) for word in stage_words(stage) if word[:1] == typed[:1]):
            return stage
    begun = [one for one in names if len(typed) >= MIN_PREFIX_CHARS and one.startswith(typed)]
    if len(begun) == 1:
        return begun[0]
    scored = [(difflib.SequenceMatcher(a=typed, b=one).ratio(), one) for one in names if _is_typo(typed, one)]
    return max(scored)[1] if scored else ""


def _is_typo(typed: str, environment_name: str) -> bool:
    if typed.replace("-", "").replace("_", "") == environment_name.replace("-", ""):
        return True
    parts, others = typed.split("-"), environment_name.split("-")
    if len(parts) != len(others):
        return False
    return all(_is_part_typo(one, other) for one, other in zip(parts, others, strict=True) if one != other)


def _is_part_typo(part: str, other_part: str) -> bool:
    """Regions (eu, us) and numbers are differences that are meant."""
    if min(len(part), len(other_part)) <= MIN_PREFIX_CHARS or _without_digits(part) == _without_digits(other_part):
        return False
    return difflib.SequenceMatcher(a=part, b=other_part).ratio() >= MIN_SIMILARITY


def _without_digits(text: str) -> str:
    return "".join(letter for letter in text if not letter.isdigit())
