"""Who may send for which environment: the Bearer token, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from starlette.requests import Request

from sprig_tui.config.environment import Environment
from sprig_tui.serving.origin import check_origin
from sprig_tui.serving.refusals import HTTPRejectionError


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
