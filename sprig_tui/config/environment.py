"""Environments: Segment sources with their keys and endpoints; and secrets whose repr is masked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.config.secret_references import SecretReference
from sprig_tui.errors import SecretReadError
from sprig_tui.segment.limits import ENDPOINT_URLS, PARTNER_REQUESTS_PER_SECOND, TOKEN_URLS
from sprig_tui.segment.oauth.credentials import TOKEN_ROUTE, OAuthCredentials
from sprig_tui.text import mask

UNREACHABLE_TIMEOUT_S = 60.0
"""Seconds that an endpoint, an API or the journal may fail without a break until a command stops waiting for it."""

NOT_READ_TEXT = "not read"
"""In place of a masked secret that a command or the keyring keeps, and that nothing needed yet."""


class DeliverySettings(Struct, frozen=True, kw_only=True):
    """Delivery settings; the defaults follow the official clients (10 retries, 12 hours) and the partner guide."""

    max_retries: int = 10
    retry_window: float = 12 * 3600.0
    """Seconds from the first attempt; a delivery fails when this and `max_retries` are both exceeded."""
    timeout: float = 15.0
    """Seconds for each phase of a request: connect, write, read, waiting for a connection."""
    connections: int = 4
    """Concurrent requests per environment; more make httpx slower."""
    gzip: bool = False
    lease: float = 120.0
    """Seconds for which claimed deliveries are leased without a renewal."""


class Secret:
    """A secret whose repr is masked; only `reveal()` gives its text.

    One that a command or the keyring keeps has a `reference`, and no text until `config.secret_reader` has read it.
    """

    __slots__ = ("_text", "read_from", "reference")

    def __init__(self, text: str | None, read_from: str = "config", reference: SecretReference | None = None) -> None:
        self._text = text
        self.read_from = read_from
        """`config`, the environment variable or credential it was read from, or the label of its reference."""
        self.reference = reference

    @property
    def is_from_variable(self) -> bool:
        """Whether `read_from` names an environment variable or a credential."""
        return self.reference is None and self.read_from != "config"

    @property
    def is_read(self) -> bool:
        """Whether its text is known; a secret of a command or the keyring is read by those who need it."""
        return self._text is not None

    @property
    def identity(self) -> str:
        """The same before and after it was read: of its reference, else its text. A secret, to be hashed only."""
        return self.reference.identity if self.reference is not None else (self._text or "")

    def reveal(self) -> str:
        """The secret itself, only for an Authorization header. Raises SecretReadError where it was not read."""
        if self._text is None:
            raise SecretReadError(
                f"the secret of {self.read_from} was not read", hint="read it with sprig_tui.read_secrets(settings)"
            )
        return self._text

    def masked(self) -> str:
        """The first and last four characters; none of a short secret."""
        return NOT_READ_TEXT if self._text is None else mask(self._text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.masked()})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret) or type(other) is not type(self) or other._text != self._text:
            return False
        return self._text is not None or other.reference == self.reference

    def __hash__(self) -> int:
        return hash((self._text, None if self._text is not None else self.reference))


class WriteKey(Secret):
    """Write Key of a Segment source."""

    __slots__ = ()


class WebhookToken(Secret):
    """API secret in the `Authorization: Bearer` header of Sprig's webhooks."""

    __slots__ = ()


class SprigApiKey(Secret):
    """Key of Sprig's REST API; it selects Production or Development there."""

    __slots__ = ()


class PublicApiToken(Secret):
    """Token of Segment's Public API, for reading the sources of a workspace and their Write Keys."""

    __slots__ = ()


class ProfileToken(Secret):
    """Token of the Profile API of one Unify space."""

    __slots__ = ()


class ServeToken(Secret):
    """Token that opens the console in a browser."""

    __slots__ = ()


class HmacKey(Secret):
    """Key of the hashes that `mapping.hmac` asks for."""

    __slots__ = ()


class Environment(Struct, frozen=True, kw_only=True):
    """Destination and secrets of one environment's answers."""

    name: str
    """Lower case, such as `production`. Part of every message id, so it must not change."""
    write_key: WriteKey | None = None
    endpoint: str = "us"
    """`us`, `eu`, or a base URL without `/v1`."""
    own_endpoint: str | None = None
    """Endpoint of the config, if a run uses another `endpoint` (`--endpoint`); else None."""
    requests_per_second: float = PARTNER_REQUESTS_PER_SECOND
    protected: bool = False
    sprig_environment_id: str | None = None
    """Sprig's id of this environment, as in webhooks."""
    webhook_token: WebhookToken | None = None
    """Token that webhooks must have; None accepts all webhooks, an empty one accepts none."""
    sprig_api_key: SprigApiKey | None = None
    """Key for `pull`."""
    oauth: OAuthCredentials | None = None
    """Credentials of the config, for a source that requires OAuth."""
    setup_accepted: tuple[str, ...] = ()
    """Findings of the set-up that a user accepted as they are, by code."""

    @property
    def base_url(self) -> str:
        """The endpoint as a URL without a trailing slash."""
        return _endpoint_url(self.endpoint)

    @property
    def override_url(self) -> str:
        """The URL of this run if it differs from the environment's own; else empty."""
        foreign = self.own_endpoint is not None and _endpoint_url(self.own_endpoint) != self.base_url
        return self.base_url if foreign else ""

    @property
    def oauth_credentials(self) -> OAuthCredentials | None:
        """The OAuth credentials with the token server of this run; None for a source without OAuth.

        `token_url` of the config belongs to the environment's own endpoint: what is sent elsewhere (`--endpoint`) must
        not carry a token of Segment's. There, and for an address of one's own, the token server has the same address.
        """
        if self.oauth is None:
            return None
        own = "" if self.override_url else self.oauth.token_url
        return replace(self.oauth, token_url=own or TOKEN_URLS.get(self.base_url) or self.base_url + TOKEN_ROUTE)


def _endpoint_url(endpoint: str) -> str:
    return ENDPOINT_URLS.get(endpoint, endpoint).rstrip("/")


def override_urls(environments: Mapping[str, Environment]) -> dict[str, str]:
    """Environment -> URL, for environments whose run uses another endpoint than their own."""
    return {name: item.override_url for name, item in environments.items() if item.override_url}


MIN_SIMILARITY = 0.75
"""Similarity (difflib) from which the difference of two names, or parts of names, counts as a typo."""
MIN_PREFIX_CHARS = 3
"""Characters from which a prefix stands for a name."""
ALIASED_STAGES = ("production", "development")
"""Stages whose synonyms (prod, live, dev ...) stand for them; environments called test or staging are common."""


def nearest_environment(name: str, environment_names: Iterable[str]) -> str:
    """The known environment that `name` most likely means; empty if it may be a different one.

    `prod`, `prodd`, `live` and `prodution` are near `production`; `production-eu` and `staging-us` beside `staging-eu`
    are names of their own, and so is `team2` beside `team1`.
    """
    names, typed = list(environment_names), name.casefold()
    if typed in names:
        return typed
    from sprig_tui.segment.source_checks import stage_of, stage_words

    stage = stage_of(typed)
    if stage in ALIASED_STAGES and stage in names:
        return stage
    for stage in ALIASED_STAGES:
        if stage in names and any(_is_typo(typed, word) for word in stage_words(stage) if word[:1] == typed[:1]):
            return stage
    matches = [known for known in names if len(typed) >= MIN_PREFIX_CHARS and known.startswith(typed)]
    if len(matches) == 1:
        return matches[0]
    scored = [(difflib.SequenceMatcher(a=typed, b=known).ratio(), known) for known in names if _is_typo(typed, known)]
    return max(scored)[1] if scored else ""


def _is_typo(typed: str, environment_name: str) -> bool:
    if typed.replace("-", "").replace("_", "") == environment_name.replace("-", ""):
        return True
    parts, others = typed.split("-"), environment_name.split("-")
    if len(parts) != len(others):
        return False
    return all(_is_part_typo(part, other) for part, other in zip(parts, others, strict=True) if part != other)


def _is_part_typo(part: str, other_part: str) -> bool:
    """Whether two parts differ by a typo; regions (eu, us) and numbers differ on purpose."""
    if min(len(part), len(other_part)) <= MIN_PREFIX_CHARS or _without_digits(part) == _without_digits(other_part):
        return False
    return difflib.SequenceMatcher(a=part, b=other_part).ratio() >= MIN_SIMILARITY


def _without_digits(text: str) -> str:
    return "".join(letter for letter in text if not letter.isdigit())
