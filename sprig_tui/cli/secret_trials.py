"""Trials of a Public API token, a Sprig API key and an OAuth client, for the keys commands and the set-up."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sprig_tui.cli import diagnostics
from sprig_tui.errors import ConfigError, SegmentApiError, SegmentApiUnreachableError
from sprig_tui.setup.secret_trial import SecretTrial

if TYPE_CHECKING:
    from sprig_tui.config.environment import SprigApiKey
    from sprig_tui.config.secrets import Workspace
    from sprig_tui.segment.oauth.credentials import OAuthCredentials

TRIAL_TIMEOUT_S = 10.0
"""Seconds for each phase of a request that tries a secret."""
NO_KEYS_HINT = "for that it needs the role of a source admin or workspace owner"


async def try_token(workspace: Workspace, *, tries_eu: bool = True) -> SecretTrial:
    """Try a token of Segment's Public API; one that the US rejects is also tried in the EU, unless told otherwise."""
    try:
        return await _ask_workspace(workspace)
    except SegmentApiUnreachableError as error:
        return SecretTrial("untried", f"the token could not be tried: {error.message}", error.hint)
    except ConfigError as error:
        return SecretTrial("rejected", error.message, error.hint)
    except SegmentApiError as error:
        rejected = SecretTrial("rejected", error.message, error.hint)
        is_elsewhere = error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
        if not tries_eu or workspace.region != "us" or not is_elsewhere:
            return rejected
    try:
        return replace(await _ask_workspace(replace(workspace, region="eu")), region="eu")
    except (SegmentApiError, ConfigError):
        return rejected


async def _ask_workspace(workspace: Workspace) -> SecretTrial:
    from sprig_tui.cli.workspace import public_api

    async with public_api(workspace, timeout_s=TRIAL_TIMEOUT_S, on_wait=lambda _: None, is_trial=True) as api:
        name, sources = await api.workspace(), await api.sources()
    plural = "" if len(sources) == 1 else "s"
    text = f"it is a token of the workspace {name}, which has {len(sources):,} source{plural}"
    if sources and not any(source.write_keys for source in sources):
        return SecretTrial("accepted", f"{text}; it may not see their write keys", NO_KEYS_HINT)
    return SecretTrial("accepted", text)


async def try_sprig_key(url: str, key: SprigApiKey) -> SecretTrial:
    """Try a key at the address of Sprig's REST API."""
    from sprig_tui.clock import SystemClock
    from sprig_tui.sprig.api import SURVEYS_PATH, SprigClient

    try:
        async with SprigClient(url, key, clock=SystemClock(), timeout=TRIAL_TIMEOUT_S) as client:
            response = await client.get(SURVEYS_PATH, {"limit": "1"})
    except ConfigError as error:
        return SecretTrial("untried", f"it could not be tried: {error.message}", error.hint)
    if response.kind == "key-refused":
        text = f"{url} rejects this key ({response.status})"
        return SecretTrial("rejected", text, "copy it again, from the right environment")
    if response.kind in ("ok", "none"):
        return SecretTrial("accepted", f"{url} accepts it")
    return SecretTrial("untried", f"it could not be tried at {url}: {response.error}")


async def try_oauth(credentials: OAuthCredentials, *, timeout_s: float = TRIAL_TIMEOUT_S) -> SecretTrial:
    """Ask for a token with a client whose key can sign."""
    from sprig_tui.clock import SystemClock
    from sprig_tui.segment.oauth.token_response import AccessToken, TokenFailureKind
    from sprig_tui.segment.oauth.token_source import TokenSource

    url = credentials.token_url
    try:
        token = await TokenSource(credentials, clock=SystemClock(), timeout=timeout_s).get()
    except ConfigError as error:
        return SecretTrial("rejected", error.message, error.hint)
    if isinstance(token, AccessToken):
        return SecretTrial("accepted", f"{url} gives a token")
    status = f" ({token.status})" if token.status else ""
    if token.kind is TokenFailureKind.REJECTED:
        text = f"{url} rejects the OAuth client {credentials.client_id}{status}: {token.error}"
        return SecretTrial("rejected", text, "correct the app's ids or its key file, or the app in Segment")
    text = f"no token from {url}{status}: {token.error}"
    return SecretTrial("untried", text, "check the network and token_url; what is queued waits")


def report_trial(trial: SecretTrial) -> list[str]:
    """Report a trial on stderr; returns what has to be confirmed before the secret is stored."""
    if trial.verdict == "accepted" and not trial.hint:
        diagnostics.success(trial.text)
    else:
        diagnostics.warning(trial.text, trial.hint)
    return [trial.text] if trial.verdict == "rejected" else []
