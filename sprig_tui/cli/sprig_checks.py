"""The checks of `doctor` on Sprig's REST API: each key is tried, which unlike a Write Key it can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sprig_tui.cli.checks import CheckResult
from sprig_tui.clock import SystemClock
from sprig_tui.errors import ConfigError
from sprig_tui.sprig.api import SURVEYS_PATH, SprigClient

if TYPE_CHECKING:
    from sprig_tui.config.environment import SprigApiKey
    from sprig_tui.config.settings import Settings


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
        "sprig", "warning", f"{name}: {url} does not answer: {answer.error}", "sprig-tui pull goes on when it does"
    )
