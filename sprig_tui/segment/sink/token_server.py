"""Token server of the fake Segment: access tokens for signed assertions (Segment's docs, connections/oauth)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from msgspec import Struct

from sprig_tui.clock import Clock
from sprig_tui.errors import ConfigError
from sprig_tui.extras import OAUTH, missing_extra_error
from sprig_tui.segment.sink.fault_syntax import parse_rules
from sprig_tui.segment.sink.faults import FaultRule, FaultScript
from sprig_tui.segment.sink.messages import SinkReply, SinkRequest, json_reply

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

TOKEN_PATH = "/token"  # noqa: S105 - a path
MAX_FORM_BYTES = 20_000
MAX_ASSERTION_LIFE_S = 60
"""From `iat` to `exp`, which is documented as "under a minute"; the official Python client uses 60 seconds."""
DEFAULT_TOKEN_LIFE_S = 86_400
"""The shortest life that Segment offers is one day."""
SCOPE = "tracking_api:write"
_FORM_TYPE = "application/x-www-form-urlencoded"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def read_public_key(file: Path) -> RSAPublicKey:
    """The RSA public key in a PEM file; raises ConfigError."""
    try:
        import jwt  # noqa: F401 - verifies
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise missing_extra_error(OAUTH) from None
    hint = "openssl rsa -in private.pem -pubout -out public.pem makes it"
    try:
        key = load_pem_public_key(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}", hint=hint) from error
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"{file} holds no public key in PEM form", hint=hint) from None
    if not isinstance(key, RSAPublicKey):
        raise ConfigError(f"{file} holds no RSA key", hint=hint)
    return key


class TokenRequestRecord(Struct, frozen=True, kw_only=True):
    """One request for a token."""

    at: int
    status: int
    """0 for none, by a fault."""
    error: str = ""
    header: Mapping[str, Any] = {}
    """Header of the assertion; empty where it could not be verified."""
    claims: Mapping[str, Any] = {}


class _Rejection(Exception):  # noqa: N818 - a reply, not an error of the program
    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.code = code


class TokenServer:
    """Issues tokens to whoever signs with the private half of `public_key`, and knows which are valid.

    `faults` are rules as for tracking requests, counted by requests for tokens.
    """

    def __init__(
        self,
        public_key: RSAPublicKey,
        *,
        clock: Clock,
        faults: Sequence[FaultRule | str] = (),
        token_life_s: int = DEFAULT_TOKEN_LIFE_S,
        seed: int = 0,
    ) -> None:
        self.requests: list[TokenRequestRecord] = []
        """All requests, oldest first."""
        self._public_key = public_key
        self._clock = clock
        self._token_life_s = token_life_s
        self._seed = seed
        self._valid_until: dict[str, int] = {}
        self._seen_ids: set[str] = set()
        self.set_faults(faults)

    def set_faults(self, faults: Sequence[FaultRule | str]) -> None:
        """Replace the fault rules."""
        self._script = FaultScript(parse_rules(faults), seed=self._seed)

    def revoke_all(self) -> None:
        """Make every token invalid."""
        self._valid_until.clear()

    def accepts(self, authorization: str) -> bool:
        """Whether a header has a token that is valid now."""
        scheme, _, token = authorization.strip().partition(" ")
        return scheme.lower() == "bearer" and self._clock.now() < self._valid_until.get(token.strip(), 0)

    def handle(self, request: SinkRequest) -> SinkReply:
        """Answer a request for a token."""
        now = self._clock.now()
        error = ""
        header: dict[str, Any] = {}
        claims: dict[str, Any] = {}
        fault = self._script.choose(len(self.requests) + 1, request.body or b"", "", "")
        try:
            header, claims = self._verify(request, now / 1000)
            reply = self._issue(now)
        except _Rejection as rejection:
            error = f"{rejection.code}: {rejection}"
            reply = json_reply({"error": rejection.code, "error_description": str(rejection)}, rejection.status)
        if fault is not None:
            reply = fault.apply(reply, now)
        status = reply.status if reply.ending == "answer" else 0
        self.requests.append(TokenRequestRecord(at=now, status=status, error=error, header=header, claims=claims))
        return reply

    def _issue(self, now: int) -> SinkReply:
        token = secrets.token_urlsafe(32)
        self._valid_until[token] = now + self._token_life_s * 1000
        return json_reply(
            {"access_token": token, "expires_in": self._token_life_s, "scope": SCOPE, "token_type": "Bearer"}
        )

    def _verify(self, request: SinkRequest, now_s: float) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and claims of a valid request."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
            raise _Rejection(415, "invalid_request", f"the content type is not {_FORM_TYPE}")
        if request.body is None:
            raise _Rejection(400, "invalid_request", "the form is too long")
        form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        if form.get("grant_type") != "client_credentials":
            raise _Rejection(400, "unsupported_grant_type", "grant_type is not client_credentials")
        if form.get("client_assertion_type") != _ASSERTION_TYPE:
            raise _Rejection(400, "invalid_request", f"client_assertion_type is not {_ASSERTION_TYPE}")
        if SCOPE not in form.get("scope", "").split():
            raise _Rejection(400, "invalid_scope", f"the scope does not hold {SCOPE}")
        header, claims = self._verify_signature(form.get("client_assertion", ""))
        # the address that was asked, whatever name it has for the client
        host = request.headers.get("host", "")
        if claims.get("aud") not in (f"http://{host}", f"https://{host}"):
            raise _Rejection(401, "invalid_client", "aud is not this token server")
        self._verify_times(claims, now_s)
        if claims["jti"] in self._seen_ids:
            raise _Rejection(400, "invalid_request", "jti was used before")
        self._seen_ids.add(claims["jti"])
        return header, claims

    def _verify_signature(self, assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
        import jwt

        # times are verified by this server's own clock
        options: Any = {"verify_exp": False, "verify_iat": False, "verify_aud": False, "verify_nbf": False}
        try:
            claims = jwt.decode(assertion, self._public_key, algorithms=["RS256"], options=options)
            header = jwt.get_unverified_header(assertion)
        except jwt.PyJWTError as error:
            raise _Rejection(401, "invalid_client", f"the assertion is not valid: {type(error).__name__}") from None
        if not isinstance(header.get("kid"), str) or not header["kid"]:
            raise _Rejection(401, "invalid_client", "the assertion's header has no kid")
        for name in ("sub", "jti"):
            if not isinstance(claims.get(name), str) or not claims[name]:
                raise _Rejection(400, "invalid_request", f"the assertion has no {name}")
        return header, claims

    def _verify_times(self, claims: Mapping[str, Any], now_s: float) -> None:
        expires, issued = claims.get("exp"), claims.get("iat", int(now_s))
        if not isinstance(expires, int) or not isinstance(issued, int):
            raise _Rejection(400, "invalid_request", "exp or iat is no time")
        if expires <= now_s:
            raise _Rejection(400, "invalid_request", "Token is expired")
        if issued > now_s:
            raise _Rejection(400, "invalid_request", "Token used before issued")
        if expires - issued > MAX_ASSERTION_LIFE_S:
            raise _Rejection(400, "invalid_request", "exp is too far ahead")
