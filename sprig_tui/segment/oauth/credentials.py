"""OAuth credentials of a Segment source: client, key and token server."""

from __future__ import annotations

import hashlib

from msgspec import Struct

from sprig_tui.segment.oauth.private_key import PrivateKeyFile

DEFAULT_SCOPE = "tracking_api:write"
"""Scope of the Tracking API (Segment's docs, connections/oauth)."""
TOKEN_ROUTE = "/token"  # noqa: S105 - a path


class OAuthCredentials(Struct, frozen=True, kw_only=True):
    """What an access token is asked for with."""

    client_id: str
    """App ID of the OAuth application in Segment."""
    key_id: str
    """Key ID of its public key there."""
    key: PrivateKeyFile
    scope: str = DEFAULT_SCOPE
    token_url: str = ""
    """Address of the token server, with its route; empty for the one that belongs to the endpoint."""

    @property
    def audience(self) -> str:
        """The token server without its route, which an assertion names as its reader."""
        return self.token_url.removesuffix(TOKEN_ROUTE)

    @property
    def fingerprint(self) -> str:
        """Hex digest that changes with any part, the key's content included; shows none of them."""
        parts = (self.client_id, self.key_id, self.key.path, self.key.fingerprint, self.scope, self.token_url)
        return hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()
