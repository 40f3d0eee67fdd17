"""Bearer token authentication per environment, in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

from sprig_tui.config.environment import Environment
from sprig_tui.http.proxies import is_loopback
from sprig_tui.server.exchange import Exchange
from sprig_tui.server.responses import HTTPRejectionError

_HINT = "use 127.0.0.1 or localhost, or send a webhook token"

_UNAUTHORIZED_HEADERS = {"www-authenticate": "Bearer"}


def check_origin(exchange: Exchange) -> None:
    """Raise HTTPRejectionError: 421 for a Host that is not a loopback name, 403 for a web page of another origin."""
    target: bytes | None = exchange.head.authority
    for authority in (exchange.header(b"host") or "", None if target is None else target.decode("latin-1")):
        if authority is not None and not _is_loopback_url(f"//{authority}"):
            raise HTTPRejectionError(421, f"without a token the Host must be a loopback name; {_HINT}")
    for origin in exchange.header_values(b"origin"):
        if not _is_loopback_url(origin):
            raise HTTPRejectionError(403, f"without a token web pages of other origins are rejected; {_HINT}")


def _is_loopback_url(url: str) -> bool:
    try:
        return is_loopback((urlsplit(url).hostname or "").removesuffix("."))
    except ValueError:
        return False


class BearerAuth:
    """Webhook tokens of all environments.

    `allow_anonymous`: the server is bound to loopback, where an environment without a token needs none.
    """

    def __init__(self, environments: Mapping[str, Environment], *, allow_anonymous: bool) -> None:
        self.allow_anonymous = allow_anonymous
        self.reconfigure(environments)

    def reconfigure(self, environments: Mapping[str, Environment]) -> None:
        """Use the tokens of these environments from now on."""
        # digests all have the same length, so the comparison reveals nothing about a token's length
        self._digests = {
            name: _digest(token.reveal().encode("latin-1")) if token.reveal() else b""
            for name, environment in environments.items()
            if (token := environment.webhook_token) is not None
        }
        self._open_environments = (
            frozenset(name for name in environments if name not in self._digests)
            if self.allow_anonymous
            else frozenset()
        )

    def authenticate(self, exchange: Exchange) -> frozenset[str]:
        """Environments that the request may send for; raises HTTPRejectionError (401, 403, 421) if there are none.

        Takes the same time for every token. The Host and the origin are checked only for requests without a token.
        """
        authorization = exchange.header(b"authorization")
        matched = self._matching_environments(authorization)
        if self._open_environments and not matched:
            check_origin(exchange)
        authorized = self._open_environments.union(matched)
        if authorized:
            return authorized
        raise HTTPRejectionError(
            401,
            "the Authorization header names no environment's webhook token"
            if authorization
            else "an Authorization header is needed: Bearer and the webhook token",
            headers=_UNAUTHORIZED_HEADERS,
        )

    def authenticate_monitor(self, exchange: Exchange) -> None:
        """Raise HTTPRejectionError unless the request may read metrics and the details of `/readyz`."""
        if not self.allow_anonymous:
            self.authenticate(exchange)
        elif not self._matching_environments(exchange.header(b"authorization")):
            check_origin(exchange)

    def _matching_environments(self, authorization: str | None) -> list[str]:
        presented = _digest(_token(authorization))
        return [name for name, digest in self._digests.items() if hmac.compare_digest(presented, digest)]

    @staticmethod
    def wrong_token_error(environment: str) -> HTTPRejectionError:
        """The rejection of a token that is valid, but not for this environment."""
        return HTTPRejectionError(
            401,
            f"the Authorization header does not hold the webhook token of {environment}",
            headers=_UNAUTHORIZED_HEADERS,
        )


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _token(authorization: str | None) -> bytes:
    scheme, _, token = (authorization or "").strip().partition(" ")
    return token.strip().encode("latin-1", "replace") if scheme.lower() == "bearer" else b""
