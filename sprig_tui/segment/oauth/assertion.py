"""Signed assertion by which an OAuth client proves to a token server who it is (RFC 7523)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode
from uuid import uuid4

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from sprig_tui.segment.oauth.credentials import OAuthCredentials

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
BACKDATED_S = 5
"""Seconds by which `iat` lies back, as in the official clients: a server's clock may be a little behind."""
LIFETIME_S = 55
"""Seconds from `iat` to `exp`; Segment takes less than a minute (docs, connections/oauth)."""


def sign_assertion(credentials: OAuthCredentials, key: RSAPrivateKey, server_now_s: float) -> str:
    """A new assertion; `server_now_s` is the token server's time in seconds since 1970."""
    import jwt

    issued_at = int(server_now_s) - BACKDATED_S
    claims = {
        # the documentation calls `iss` optional; the official clients send the client's id
        "iss": credentials.client_id,
        "sub": credentials.client_id,
        "aud": credentials.audience,
        "iat": issued_at,
        "exp": issued_at + LIFETIME_S,
        "jti": str(uuid4()),
    }
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": credentials.key_id})


def token_request(credentials: OAuthCredentials, assertion: str) -> bytes:
    """The form that asks for a token."""
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
        "scope": credentials.scope,
    }
    return urlencode(form).encode()
