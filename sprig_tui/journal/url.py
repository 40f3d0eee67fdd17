"""Journal URL: parsing, and redaction of passwords in it and in messages."""

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
    """Whether the location of a journal is the URL of a server rather than a file."""
    return place.startswith(URL_SCHEMES)


def redact_url(url: str) -> str:
    """The URL without password and options, such as `postgresql://sprig@db.example:5432/journal`.

    The path of a file is returned unchanged; of an ambiguous URL only the scheme is.
    """
    if not is_server_url(url):
        return url
    scheme, _, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    name = user.partition(":")[0]
    place = re.split(r"[?#]", place, maxsplit=1)[0]
    # with an @ in the options, or a / in the user name, the text before it may be a host or a password
    if _URL_OPTION.search(user) or _URL_SEPARATORS.search(name) or "@" in name or not place.isprintable():
        return f"{scheme}://…"
    return f"{scheme}://{name}{at}{place}"


def has_password(url: str) -> bool:
    """Whether the URL contains a password."""
    return any(_password_forms(url))


def password_problem(url: str) -> str:
    """Why the driver cannot read the password in the URL; empty if it can, or if there is none."""
    user = _user_info(url)
    password = "" if _URL_OPTION.search(user) else user.partition(":")[2]
    separators = sorted(set(_URL_SEPARATORS.findall(password)))
    if not separators:
        return ""
    each = ", ".join(f"{separator} as {quote(separator, safe='')}" for separator in separators)
    return f"its password is cut off at the first {' or '.join(separators)}: write {each}"


def redact_password(text: str, url: str) -> str:
    """A text, such as a driver's message, with the password of the URL replaced."""
    for secret in sorted(_password_forms(url), key=len, reverse=True):
        if len(secret) > 2:
            text = text.replace(secret, "…")
    return text


def target_session_attrs(url: str) -> str | None:
    """The kind of server to select among the hosts of the URL; None where the URL or libpq's variable names it.

    A journal needs a server that accepts writes, which is another host after a failover.
    """
    named = any(key == _TARGET_SESSION_ATTRS for key, _ in parse_qsl(url.partition("?")[2]))
    return None if named or os.environ.get("PGTARGETSESSIONATTRS") else "read-write"


def _password_forms(url: str) -> set[str]:
    """The password as written in the URL, decoded and encoded, and its pieces."""
    rest = url.partition("://")[2]
    forms = {_user_info(url).partition(":")[2], _user_info(url.partition("?")[0]).partition(":")[2]}
    forms |= {value for key, value in parse_qsl(rest.partition("?")[2]) if _SECRET_OPTION.search(key)}
    forms |= {unquote(form) for form in forms} | {quote(form, safe="") for form in forms}
    # a driver that splits it at a separator mentions the pieces
    return (forms | {piece for form in forms for piece in _URL_SEPARATORS.split(form)}) - {""}


def _user_info(url: str) -> str:
    """The text before the last @: a password may contain any character, even unescaped."""
    return url.partition("://")[2].rpartition("@")[0]
