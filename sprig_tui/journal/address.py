"""Where a journal is: the address of a database, and the same without its password for all that people see."""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

SCHEMES = ("postgresql://", "postgres://")

_SECRET = re.compile(r"password|passfile|sslpassword", re.IGNORECASE)
_ATTRIBUTES = "target_session_attrs"


def is_address(place: str) -> bool:
    """Whether a journal's place is the address of a server, and no file."""
    return place.startswith(SCHEMES)


def shown(url: str) -> str:
    """The address without password and options, such as `postgresql://sprig@db.example:5432/journal`.

    A file's path is given back as it is.
    """
    if not is_address(url):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{url.partition('://')[0]}://…"
    user, at, hosts = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    return urlunsplit((parts.scheme, f"{name}{at}{hosts}", parts.path, "", ""))


def scrubbed(text: str, url: str) -> str:
    """A text, such as a driver's message, in which the password of the address cannot stand."""
    for secret in _secrets(url):
        if len(secret) > 2:
            text = text.replace(secret, "…")
    return text


def session_attributes(url: str) -> str | None:
    """What kind of server to look for among the hosts of the address; None where the address or libpq's variable says.

    A journal is written to, so of several hosts the one that takes writes is meant: after a failover, another.
    """
    named = any(key == _ATTRIBUTES for key, _ in parse_qsl(url.partition("?")[2]))
    return None if named or os.environ.get("PGTARGETSESSIONATTRS") else "read-write"


def _secrets(url: str) -> set[str]:
    """The password as it stands in the address, and as it is meant."""
    rest, _, options = url.partition("://")[2].partition("?")
    user = rest.rpartition("@")[0]
    found = {user.partition(":")[2]} if ":" in user else set()
    found |= {value for key, value in parse_qsl(options) if _SECRET.search(key)}
    return found | {unquote(one) for one in found} | {quote(one, safe="") for one in found}
