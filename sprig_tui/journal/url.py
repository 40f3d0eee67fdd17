"""Where a journal is: the address of a database, and the same without its password for all that people see."""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qsl, quote, unquote

URL_SCHEMES = ("postgresql://", "postgres://")

_SECRET_OPTION = re.compile(r"password|passfile|sslpassword", re.IGNORECASE)
_URL_OPTION = re.compile(r"[?&][A-Za-z_]+=")
_URL_SEPARATORS = re.compile(r"[/?#]")
_TARGET_SESSION_ATTRS = "target_session_attrs"


def is_server_url(place: str) -> bool:
    """Whether a journal's place is the address of a server, and no file."""
    return place.startswith(URL_SCHEMES)


def redact_url(url: str) -> str:
    """The address without password and options, such as `postgresql://sprig@db.example:5432/journal`.

    A file's path is given back as it is. Of an address that can be read in two ways, its scheme alone.
    """
    if not is_server_url(url):
        return url
    scheme, _, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    name = user.partition(":")[0]
    place = re.split(r"[?#]", place, maxsplit=1)[0]
    # an @ among the options, or a / in a user's name: what stands before it may be host and password alike
    if _URL_OPTION.search(user) or _URL_SEPARATORS.search(name) or "@" in name or not place.isprintable():
        return f"{scheme}://…"
    return f"{scheme}://{name}{at}{place}"


def has_password(url: str) -> bool:
    """Whether a password stands in the address."""
    return any(_password_forms(url))


def password_problem(url: str) -> str:
    """Why no driver can read the password in the address; empty where none is there, or nothing is wrong with it."""
    user = _user_info(url)
    password = "" if _URL_OPTION.search(user) else user.partition(":")[2]
    found = sorted(set(_URL_SEPARATORS.findall(password)))
    if not found:
        return ""
    each = ", ".join(f"{one} as {quote(one, safe='')}" for one in found)
    return f"its password is cut off at the first {' or '.join(found)}: write {each}"


def redact_password(text: str, url: str) -> str:
    """A text, such as a driver's message, in which the password of the address cannot stand."""
    for secret in sorted(_password_forms(url), key=len, reverse=True):
        if len(secret) > 2:
            text = text.replace(secret, "…")
    return text


def target_session_attrs(url: str) -> str | None:
    """What kind of server to look for among the hosts of the address; None where the address or libpq's variable says.

    A journal is written to, so of several hosts the one that takes writes is meant: after a failover, another.
    """
    named = any(key == _TARGET_SESSION_ATTRS for key, _ in parse_qsl(url.partition("?")[2]))
    return None if named or os.environ.get("PGTARGETSESSIONATTRS") else "read-write"


def _password_forms(url: str) -> set[str]:
    """The password as it stands in the address, and as it is meant."""
    rest = url.partition("://")[2]
    found = {_user_info(url).partition(":")[2], _user_info(url.partition("?")[0]).partition(":")[2]}
    found |= {value for key, value in parse_qsl(rest.partition("?")[2]) if _SECRET_OPTION.search(key)}
    found |= {unquote(one) for one in found} | {quote(one, safe="") for one in found}
    # a driver that cuts it at a separator tells of the pieces
    return (found | {piece for one in found for piece in _URL_SEPARATORS.split(one)}) - {""}


def _user_info(url: str) -> str:
    """What stands before the last @ of the whole text: a password may hold anything, also what it should not."""
    return url.partition("://")[2].rpartition("@")[0]
