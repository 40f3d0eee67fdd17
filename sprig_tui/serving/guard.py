"""Who may send for which environment: the Bearer token, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from starlette.requests import Request

from sprig_tui.config.environment import Environment
from sprig_tui.serving.origin import check_origin
from sprig_tui.serving.refusals import RefusedError


class Guard:
    """The tokens of all environments. `trusting`: bound to loopback, where an environment without a token is open."""

    def __init__(self, environments: Mapping[str, Environment], *, trusting: bool) -> None:
        self.trusting = trusting
        # digests have one length, so that comparing them tells nothing of the tokens'
        self._digests = {
            name: _digest(token.reveal().encode("latin-1")) if token.reveal() else b""
            for name, found in environments.items()
            if (token := found.webhook_token) is not None
        }
        self._open = frozenset(name for name in environments if name not in self._digests) if trusting else frozenset()

    @property
    def unguarded(self) -> frozenset[str]:
        """Environments that anyone who reaches the address may send for."""
        return self._open

    def admit(self, request: Request) -> frozenset[str]:
        """Environments that the request's `Authorization` header opens; raises RefusedError (401, 403, 421) for none.

        Takes the same time whichever token it is, or none. Who shows a token may come under any name.
        """
        authorization = request.headers.get("authorization")
        matched = self._matched(authorization)
        if self._open and not matched:
            check_origin(request)
        opened = self._open.union(matched)
        if opened:
            return opened
        raise RefusedError(
            401,
            "the Authorization header names no environment's webhook token"
            if authorization
            else "an Authorization header is needed: Bearer and the webhook token",
            headers={"www-authenticate": "Bearer"},
        )

    def admit_monitor(self, request: Request) -> None:
        """Raise RefusedError unless the request may see names and numbers."""
        if not self.trusting:
            self.admit(request)
        elif not self._matched(request.headers.get("authorization")):
            check_origin(request)

    def _matched(self, authorization: str | None) -> list[str]:
        presented = _digest(_token(authorization))
        return [name for name, digest in self._digests.items() if hmac.compare_digest(presented, digest)]

    @staticmethod
    def wrong_token(environment: str) -> RefusedError:
        """For whoever may send, but not for this environment."""
        return RefusedError(
            401,
            f"the Authorization header does not hold the webhook token of {environment}",
            headers={"www-authenticate": "Bearer"},
        )


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _token(authorization: str | None) -> bytes:
    scheme, _, token = (authorization or "").strip().partition(" ")
    return token.strip().encode("latin-1", "replace") if scheme.lower() == "bearer" else b""
