"""Where a journal is: the address of a database, and the same without its password for all that people see."""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qsl, quote, unquote

SCHEMES = ("postgresql://", "postgres://")

_SECRET = re.compile(r"password|passfile|sslpassword", re.IGNORECASE)
_OPTION = re.compile(r"[?&][A-Za-z_]+=")
_SEPARATORS = re.compile(r"[/?#]")
_ATTRIBUTES = "target_session_attrs"


def is_address(place: str) -> bool:
    """Whether a journal's place is the address of a server, and no file."""
    return place.startswith(SCHEMES)


def shown(url: str) -> str:
    """The address without password and options, such as `postgresql://sprig@db.example:5432/journal`.

    A file's path is given back as it is. Of an address that can be read in two ways, its scheme alone.
    """
    if not is_address(url):
        return url
    scheme, _, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    name = user.partition(":")[0]
    place = re.split(r"[?#]", place, maxsplit=1)[0]
    # an @ among the options, or a / in a user's name: what stands before it may be host and password alike
    if _OPTION.search(user) or _SEPARATORS.search(name) or "@" in name or not place.isprintable():
        return f"{scheme}://…"
    return f"{scheme}://{name}{at}{place}"


def has_password(url: str) -> bool:
    """Whether a password stands in the address."""
    return any(_secrets(url))


def password_fault(url: str) -> str:
    """Why no driver can read the password in the address; empty where none is there, or nothing is wrong with it."""
    user = _user_part(url)
    password = "" if _OPTION.search(user) else user.partition(":")[2]
    found = sorted(set(_SEPARATORS.findall(password)))
    if not found:
        return ""
    each = ", ".join(f"{one} as {quote(one, safe='')}" for one in found)
    return f"its password is cut off at the first {' or '.join(found)}: write {each}"


def scrubbed(text: str, url: str) -> str:
    """A text, such as a driver's message, in which the password of the address cannot stand."""
    for secret in sorted(_secrets(url), key=len, reverse=True):
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
    rest = url.partition("://")[2]
    found = {_user_part(url).partition(":")[2], _user_part(url.partition("?")[0]).partition(":")[2]}
    found |= {value for key, value in parse_qsl(rest.partition("?")[2]) if _SECRET.search(key)}
    found |= {unquote(one) for one in found} | {quote(one, safe="") for one in found}
    # a driver that cuts it at a separator tells of the pieces
    return (found | {piece for one in found for piece in _SEPARATORS.split(one)}) - {""}


def _user_part(url: str) -> str:
    """What stands before the last @ of the whole text: a password may hold anything, also what it should not."""
    return url.partition("://")[2].rpartition("@")[0]
