"""Network checks of `doctor`: endpoints and clock skew."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from sprig_tui.cli.commands.doctor.local import CheckResult
from sprig_tui.cli.commands.keys.profile import ask_profile
from sprig_tui.cli.secret_trials import try_oauth
from sprig_tui.clock import SystemClock
from sprig_tui.config.oauth import signing_problem
from sprig_tui.errors import ConfigError, SegmentApiError, SegmentApiUnreachableError
from sprig_tui.formatting import format_duration
from sprig_tui.http.client import ca_locations, make_client
from sprig_tui.http.errors import describe_error
from sprig_tui.http.lean import httpx
from sprig_tui.http.proxies import ProxyRoute, find_route
from sprig_tui.sprig.api import SURVEYS_PATH, SprigClient

if TYPE_CHECKING:
    from sprig_tui.config.environment import SprigApiKey
    from sprig_tui.config.settings import Settings


MAX_CLOCK_SKEW_S = 30.0
"""Difference of clocks from which on it is worth a word; the Date header is exact to a second only."""
DEFAULT_ENDPOINT = "https://api.segment.io"


async def endpoint_checks(settings: Settings, timeout_s: float) -> list[CheckResult]:
    """Ask each endpoint in use for its front page: no event is sent, and no key."""
    urls: dict[str, list[str]] = {}
    for name, found in settings.environments.items():
        if found.write_key is not None:
            urls.setdefault(found.base_url, []).append(name)
    checks: list[CheckResult] = []
    for url, names in (urls or {DEFAULT_ENDPOINT: []}).items():
        try:
            route = find_route(url)
            client = make_client(url, timeout=timeout_s)
        except ConfigError as error:
            return [CheckResult("endpoint", "fault", error.message, error.hint)]
        checks.extend(_route_checks(url, route))
        async with client:
            checks.extend(await _reach_endpoint(client, url, names, timeout_s))
    return checks


def _route_checks(url: str, route: ProxyRoute) -> Iterator[CheckResult]:
    if route.proxy:
        yield CheckResult("proxy", "ok", f"{url} is asked through {route.proxy_host}, which {route.variable} names")
    for note in route.warnings:
        yield CheckResult("proxy", "warning", note, "correct it: a host that it was meant for goes through the proxy")
    for variable, place in ca_locations():
        yield CheckResult("proxy", "ok", f"{variable} names whom to trust over TLS: {place}")


async def _reach_endpoint(
    client: httpx.AsyncClient, url: str, names: Iterable[str], timeout_s: float
) -> list[CheckResult]:
    whose = f" ({', '.join(names)})" if names else ""
    host = urlsplit(url).hostname or url
    before, started = time.time(), time.perf_counter()
    try:
        async with client.stream("GET", url + "/") as response:
            status, date = response.status_code, response.headers.get("date", "")
    except (httpx.HTTPError, httpx.StreamError, OSError, UnicodeError) as error:
        problem = describe_error(error, host=host, timeout_s=timeout_s)
        hint = "check the network, the proxy (HTTPS_PROXY) and the endpoint; what is queued waits"
        return [CheckResult("endpoint", "fault", f"{url}{whose} cannot be reached: {problem}", hint)]
    took = time.perf_counter() - started
    found = [
        CheckResult(
            "endpoint", "ok", f"{url}{whose} answers ({status} after {took * 1000:.0f} ms); a key cannot be verified"
        )
    ]
    return [*found, *_skew_checks(date, before + took / 2, host)]


def _skew_checks(date: str, now: float, host: str) -> list[CheckResult]:
    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return []
    skew = now - theirs
    if abs(skew) < MAX_CLOCK_SKEW_S:
        return [CheckResult("clock", "ok", f"agrees with {host}'s to the second or so")]
    message = f"this clock is {format_duration(abs(skew))} {'ahead of' if skew > 0 else 'behind'} {host}'s"
    return [
        CheckResult(
            "clock", "warning", message, "set it by NTP: Segment corrects timestamps, but ages and waits go by it"
        )
    ]


_LEVELS: dict[str, Literal["ok", "warning", "fault"]] = {"accepted": "ok", "untried": "warning", "rejected": "fault"}


async def oauth_checks(settings: Settings, timeout_s: float) -> list[CheckResult]:
    """Ask for a token with each environment's OAuth client whose key can sign. It is not shown, and sends nothing."""
    checks: list[CheckResult] = []
    for name, found in settings.environments.items():
        credentials = found.oauth_credentials
        if credentials is not None and signing_problem(credentials.key) == ("", ""):
            trial = await try_oauth(credentials, timeout_s=timeout_s)
            checks.append(CheckResult("oauth", _LEVELS[trial.verdict], f"{name}: {trial.text}", trial.hint))
    return checks


async def profile_checks(settings: Settings, timeout_s: float) -> list[CheckResult]:
    """Try the token of the Profile API."""
    workspace = settings.workspace
    if not workspace.profile_space or workspace.profile_token is None:
        return []
    try:
        await ask_profile(workspace, timeout_s=timeout_s)
    except SegmentApiUnreachableError as error:
        return [CheckResult("profile", "warning", error.message, error.hint)]
    except (SegmentApiError, ConfigError) as error:
        return [CheckResult("profile", "fault", error.message, f"{error.hint}; sprig-tui keys profile stores another")]
    return [CheckResult("profile", "ok", f"{workspace.profile_url} takes the token for {workspace.profile_space}")]


async def sprig_checks(settings: Settings, timeout_s: float) -> list[CheckResult]:
    """Ask for one survey with each key."""
    return [
        await _try_key(settings.sprig_api_url, name, found.sprig_api_key, timeout_s)
        for name, found in settings.environments.items()
        if found.sprig_api_key is not None
    ]


async def _try_key(url: str, name: str, key: SprigApiKey, timeout_s: float) -> CheckResult:
    try:
        async with SprigClient(url, key, clock=SystemClock(), timeout=timeout_s) as client:
            answer = await client.get(SURVEYS_PATH, {"limit": "1"})
    except ConfigError as error:
        return CheckResult("sprig", "fault", f"{name}: {error.message}", error.hint)
    if answer.kind == "ok":
        return CheckResult("sprig", "ok", f"{name}: {url} takes its key ({key.masked()})")
    if answer.kind == "key-refused":
        return CheckResult(
            "sprig", "fault", f"{name}: {url} refuses its key ({answer.status})", f"sprig-tui keys sprig {name}"
        )
    # answers that are queued are delivered without it
    return CheckResult(
        "sprig", "warning", f"{name}: {url} does not answer: {answer.error}", "sprig-tui pull resumes when it does"
    )
