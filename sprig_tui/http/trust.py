"""Trust over TLS: the authorities whose certificates are believed, from the variables that other programs use too."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from sprig_tui.errors import ConfigError

CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""OpenSSL's two, which count together; else that of Python's requests, or curl's."""


def ca_locations(environ: Mapping[str, str] = os.environ) -> tuple[tuple[str, str], ...]:
    """The variables that count, and the file or folder that each names; none means the list that comes with us."""
    given = [(name, environ[name]) for name in CA_VARIABLES if environ.get(name, "").strip()]
    openssl = [one for one in given if one[0].startswith("SSL_")]
    return tuple(openssl or given[:1])


def make_ssl_context(environ: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """A context that verifies; raises ConfigError, with the variable, for a file that cannot be used."""
    named = ca_locations(environ)
    if not named:
        import httpx

        return httpx.create_ssl_context(trust_env=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for variable, place in named:
        try:
            context.load_verify_locations(**{"capath" if Path(place).is_dir() else "cafile": place})
        except (OSError, ValueError) as error:
            what = "it holds no certificates in PEM form" if isinstance(error, ssl.SSLError) else _error_text(error)
            raise ConfigError(
                f"{variable} names {place[:200]}, which cannot be used: {what}",
                hint=f"name a file of certificates in PEM form, or unset {variable}",
            ) from error
    return context


def ca_hint(environ: Mapping[str, str] = os.environ) -> str:
    """What decides whom to believe, for whoever reads that a certificate is not trusted."""
    named = ca_locations(environ)
    if not named:
        return "SSL_CERT_FILE can name the file of your own authority"
    return " and ".join(f"{variable} ({place[:120]})" for variable, place in named) + " names whom to trust"


def _error_text(error: Exception) -> str:
    return getattr(error, "strerror", None) or "not a file name"
