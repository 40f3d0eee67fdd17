"""Who may send for which environment: the Bearer token, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import Request

from sprig_tui.config.environment import Environment
from sprig_tui.http.proxies import is_loopback
from sprig_tui.server.responses import HTTPRejectionError

_HINT = "use 127.0.0.1 or localhost, or send a webhook token"


def check_origin(request: Request) -> None:
    """Raise HTTPRejectionError (421, 403) for another Host than this machine's, or a page of another origin."""
    target: bytes | None = request.scope.get("authority")
    for authority in (request.headers.get("host", ""), None if target is None else target.decode("latin-1")):
        if authority is not None and not _is_loopback_url(f"//{authority}"):
            raise HTTPRejectionError(421, f"without a token this address is asked by its loopback name alone; {_HINT}")
    for origin in request.headers.getlist("origin"):
        if not _is_loopback_url(origin):
            raise HTTPRejectionError(403, f"without a token no page of another origin is answered; {_HINT}")


def _is_loopback_url(url: str) -> bool:
    try:
        return is_loopback((urlsplit(url).hostname or "").removesuffix("."))
    except ValueError:
        return False


class BearerAuth:
    """The tokens of all environments. `trusting`: bound to loopback, where an environment without a token is open."""

    def __init__(self, environments: Mapping[str, Environment], *, allow_anonymous: bool) -> None:
        self.allow_anonymous = allow_anonymous
        # digests have one length, so that comparing them tells nothing of the tokens'
        self._digests = {
            name: _digest(token.reveal().encode("latin-1")) if token.reveal() else b""
            for name, found in environments.items()
            if (token := found.webhook_token) is not None
        }
        self._open_environments = (
            frozenset(name for name in environments if name not in self._digests) if allow_anonymous else frozenset()
        )

    @property
    def open_environments(self) -> frozenset[str]:
        """Environments that anyone who reaches the address may send for."""
        return self._open_environments

    def authenticate(self, request: Request) -> frozenset[str]:
        """Environments that the `Authorization` header opens; raises HTTPRejectionError (401, 403, 421) for none.

        Takes the same time whichever token it is, or none. Who shows a token may come under any name.
        """
        authorization = request.headers.get("authorization")
        matched = self._matching_environments(authorization)
        if self._open_environments and not matched:
            check_origin(request)
        opened = self._open_environments.union(matched)
        if opened:
            return opened
        raise HTTPRejectionError(
            401,
            "the Authorization header names no environment's webhook token"
            if authorization
            else "an Authorization header is needed: Bearer and the webhook token",
            headers={"www-authenticate": "Bearer"},
        )

    def authenticate_monitor(self, request: Request) -> None:
        """Raise HTTPRejectionError unless the request may see names and numbers."""
        if not self.allow_anonymous:
            self.authenticate(request)
        elif not self._matching_environments(request.headers.get("authorization")):
            check_origin(request)

    def _matching_environments(self, authorization: str | None) -> list[str]:
        presented = _digest(_token(authorization))
        return [name for name, digest in self._digests.items() if hmac.compare_digest(presented, digest)]

    @staticmethod
    def wrong_token_error(environment: str) -> HTTPRejectionError:
        """For whoever may send, but not for this environment."""
        return HTTPRejectionError(
            401,
            f"the Authorization header does not hold the webhook token of {environment}",
            headers={"www-authenticate": "Bearer"},
        )


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _token(authorization: str | None) -> bytes:
    scheme, _, token = (authorization or "").strip().partition(" ")
    return token.strip().encode("latin-1", "replace") if scheme.lower() == "bearer" else b""
