"""Error texts for requests without a response; they never contain credentials or keys."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

from sprig_tui.http.client import ca_hint
from sprig_tui.http.lean import httpx

PROXY_AUTH_REQUIRED = "the proxy wants a user and password (407)"
_ERRNO_TEXTS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
    errno.ECONNABORTED: "connection reset",
    errno.ENETUNREACH: "network unreachable",
    errno.ENETDOWN: "network down",
    errno.EHOSTUNREACH: "host unreachable",
    errno.EHOSTDOWN: "host unreachable",
    errno.ETIMEDOUT: "connection timed out",
    errno.EADDRNOTAVAIL: "no local address left",
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files",
    errno.EACCES: "connection not permitted",
    errno.EPERM: "connection not permitted",
}


def describe_error(error: Exception, *, host: str, timeout_s: float) -> str:
    """Such as `connection refused` or `no answer within 15 s`; `host` is the endpoint's name without credentials.

    The texts of httpx are not used: they may contain a whole URL, and they differ by system and version.
    """
    if isinstance(error, httpx.TimeoutException):
        return _describe_timeout(error, timeout_s)
    for cause in _cause_chain(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message or "verification failed"
            return f"certificate of {host} not trusted: {why}; {ca_hint()}"
        if isinstance(cause, ssl.SSLError):
            return f"tls failed: {(cause.reason or 'protocol error').replace('_', ' ').lower()}"
        if isinstance(cause, socket.gaierror | UnicodeError):
            return f"host not found: {host}"
        if isinstance(cause, OSError) and cause.errno in _ERRNO_TEXTS:
            return _ERRNO_TEXTS[cause.errno]
    return _describe_by_class(error, host)


def _describe_timeout(error: httpx.TimeoutException, timeout_s: float) -> str:
    within = f"within {timeout_s:g} s"
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection {within}"
    if isinstance(error, httpx.WriteTimeout):
        return f"request not taken {within}"
    if isinstance(error, httpx.PoolTimeout):
        return f"no free connection {within}"
    return f"no answer {within}"


def _describe_by_class(error: Exception, host: str) -> str:
    if isinstance(error, httpx.ProxyError):
        return _describe_proxy_error(str(error)[:3], host)
    if isinstance(error, httpx.RemoteProtocolError):
        if "before the request" in str(error):
            return "answer came before the request"
        closed = "disconnected" in str(error) or "closed connection" in str(error)
        return "connection closed without an answer" if closed else "answer is not http"
    if isinstance(error, httpx.ConnectError):
        return f"no connection to {host}"
    if isinstance(error, httpx.ReadError | httpx.WriteError | httpx.CloseError):
        return "connection reset"
    return f"network error ({type(error).__name__})"


def _describe_proxy_error(status: str, host: str) -> str:
    """By the status at the start of httpcore's text for a rejected CONNECT; a SOCKS proxy sends none."""
    if status == "407":
        return PROXY_AUTH_REQUIRED
    if status.isdecimal():
        can = "does not let" if status.startswith("4") else "cannot reach"
        return f"the proxy {can} {host}{' be reached' if status.startswith('4') else ''} ({status})"
    return "the proxy refused the connection"


def _cause_chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, nearest first; exception groups (one error per address tried) are opened."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop(0)
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__]
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions
