"""Origin of a request on loopback: whether a program of this machine sent it for this machine.

A browser here sends what a web page anywhere tells it to; a name that its owner points to 127.0.0.1 (DNS rebinding)
makes that page's origin look like ours. Host and Origin, which a page cannot set, tell.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request

from sprig_tui.http.address import is_loopback
from sprig_tui.serving.refusals import HTTPRejectionError

_HINT = "use 127.0.0.1 or localhost, or send a webhook token"


def check_origin(request: Request) -> None:
    """Raise HTTPRejectionError (421, 403) for another Host than this machine's, or a page of another origin."""
    target: bytes | None = request.scope.get("authority")
    for authority in (request.headers.get("host", ""), None if target is None else target.decode("latin-1")):
        if authority is not None and not _is_loopback_url(f"//{authority}"):
            raise HTTPRejectionError(421, f"without a token this address is asked by its loopback name alone; {_HINT}")
    for origin in request.headers.getlist("origin"):
        if not _is_loopback_url(origin):
            raise HTTPRejectionError(403, f"without a token no page of another origin is answered; {_HINT}")


def _is_loopback_url(url: str) -> bool:
    try:
        return is_loopback((urlsplit(url).hostname or "").removesuffix("."))
    except ValueError:
        return False
