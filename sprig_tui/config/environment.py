"""An environment: one Segment source, its Write Key, and how it may be reached."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from sprig_tui.segment.limits import ENDPOINT_URLS, PARTNER_REQUESTS_PER_SECOND


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
        return f"{self._text[:4]}…{self._text[-4:]}" if len(self._text) >= 16 else "…"

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
