"""Why a request got no answer, in a few words for people; never an address with credentials, never a key."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

import httpx

from sprig_tui.http.trust import trust_advice

PROXY_LOCKED = "the proxy wants a user and password (407)"
_ERRNO = {
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


def describe(error: Exception, *, host: str, timeout_s: float) -> str:
    """Such as `connection refused` or `no answer within 15 s`; `host` is the endpoint's name without credentials.

    httpx's own texts are not passed on: they may hold a whole URL, and they differ by system and version.
    """
    if isinstance(error, httpx.TimeoutException):
        return _timeout(error, timeout_s)
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message or "verification failed"
            return f"certificate of {host} not trusted: {why}; {trust_advice()}"
        if isinstance(cause, ssl.SSLError):
            return f"tls failed: {(cause.reason or 'protocol error').replace('_', ' ').lower()}"
        if isinstance(cause, socket.gaierror | UnicodeError):
            return f"host not found: {host}"
        if isinstance(cause, OSError) and cause.errno in _ERRNO:
            return _ERRNO[cause.errno]
    return _by_class(error, host)


def _timeout(error: httpx.TimeoutException, timeout_s: float) -> str:
    within = f"within {timeout_s:g} s"
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection {within}"
    if isinstance(error, httpx.WriteTimeout):
        return f"request not taken {within}"
    if isinstance(error, httpx.PoolTimeout):
        return f"no free connection {within}"
    return f"no answer {within}"


def _by_class(error: Exception, host: str) -> str:
    if isinstance(error, httpx.ProxyError):
        return _by_proxy(str(error)[:3], host)
    if isinstance(error, httpx.RemoteProtocolError):
        closed = "disconnected" in str(error) or "closed connection" in str(error)
        return "connection closed without an answer" if closed else "answer is not http"
    if isinstance(error, httpx.ConnectError):
        return f"no connection to {host}"
    if isinstance(error, httpx.ReadError | httpx.WriteError | httpx.CloseError):
        return "connection reset"
    return f"network error ({type(error).__name__})"


def _by_proxy(status: str, host: str) -> str:
    """By the status with which httpcore begins the text of a refused CONNECT; a SOCKS proxy has none."""
    if status == "407":
        return PROXY_LOCKED
    if status.isdecimal():
        can = "does not let" if status.startswith("4") else "cannot reach"
        return f"the proxy {can} {host}{' be reached' if status.startswith('4') else ''} ({status})"
    return "the proxy refused the connection"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, nearest first; groups (one error per address tried) are opened."""
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
