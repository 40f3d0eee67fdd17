"""Command `keys profile`: the token of Segment's Profile API, and the Unify space that it belongs to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from sprig_tui.cli import diagnostics, prompts
from sprig_tui.cli.commands.keys.command_option import command_option
from sprig_tui.cli.commands.keys.secrets import (
    SecretTexts,
    accept_secret,
    keyring_option,
    read_text,
    remove_stored,
    report_stored,
)
from sprig_tui.cli.commands.keys.storage import drop_entries, save_secret, stored_keys
from sprig_tui.cli.context import open_settings, read_secrets
from sprig_tui.cli.options import CliCommand, SecretArgumentError
from sprig_tui.config.environment import ProfileToken
from sprig_tui.config.secret_lint import PROFILE_TOKEN_RULES
from sprig_tui.config.secrets import PROFILE_TOKEN, Workspace
from sprig_tui.errors import ConfigError, ExitCode, SegmentApiError, SegmentApiUnreachableError

if TYPE_CHECKING:
    from sprig_tui.config.secret_references import SecretReference
    from sprig_tui.config.settings import Settings

TRIED_USER = "sprig-tui-test"
"""User whose events are asked for when a token is tried; the space need not know the user."""
MAX_SPACE_CHARS = 100
TRIAL_TIMEOUT_S = 10.0
_TRIED_TIME_MS = 60_000
_TEXTS = SecretTexts(PROFILE_TOKEN, "token of Segment's Profile API")


@click.command("profile", cls=CliCommand, short_help="Store a token of Segment's Profile API: proof of single events.")
@click.argument("surplus", nargs=-1, metavar="", type=click.UNPROCESSED)
@click.option("--space", metavar="ID", help="Id of the Unify space that the token belongs to.")
@click.option("--force", is_flag=True, help="Store a token that looks odd or is refused.")
@click.option("--remove", is_flag=True, help="Remove token and space from the config.")
@keyring_option
@command_option
def profile(
    surplus: tuple[str, ...],
    *,
    space: str | None,
    force: bool,
    remove: bool,
    keyring: bool,
    command: SecretReference | None,
) -> int:
    """Store a token of Segment's Profile API, from a hidden prompt or from standard input.

    With it, sprig-tui explain finds a single event among the events of its user, if the source feeds the Unify space
    of --space. It is tried before it is stored. It is read from SPRIG_TUI_PROFILE_TOKEN, else from the variable that
    profile_token_env in [segment] names, else from profile_token_command, the keyring or the config.
    """
    if surplus:
        raise SecretArgumentError("token", "sprig-tui keys profile", "and if that was a real token, revoke it")
    settings = open_settings(quiet=True)
    if remove:
        return _remove(settings)
    wanted = _check_space(settings.workspace.profile_space if space is None else space)
    settings = read_secrets(settings)

    def find_problems(secret: str) -> list[str]:
        return asyncio.run(
            profile_problems(replace(settings.workspace, profile_space=wanted, profile_token=ProfileToken(secret)))
        )

    if command is None and prompts.is_interactive():
        diagnostics.info(PROFILE_TOKEN_RULES.hint)
    text = read_text("token of Segment's Profile API", command, keyring=keyring)
    secret = accept_secret(settings, _TEXTS, "", text, force=force, find_problems=find_problems)
    if secret is None:
        return ExitCode.USAGE
    others = {"profile_space": wanted}
    place = save_secret(settings, PROFILE_TOKEN, "", secret, keyring=keyring, command=command, others=others)
    report_stored(_TEXTS, "", place, open_settings(quiet=True).workspace.profile_token, command)
    return ExitCode.OK


def _check_space(space: str) -> str:
    given = space.strip()
    if not given:
        raise ConfigError(
            "the token belongs to a Unify space, whose id is not known",
            hint="in Segment: Unify > the space > Unify settings > API access; then --space ID",
        )
    if len(given) > MAX_SPACE_CHARS or not (given.isascii() and given.isprintable()) or " " in given:
        raise ConfigError("--space is not the id of a Unify space", hint="it looks like spa_2Xm9...")
    return given


async def profile_problems(tried: Workspace, *, timeout_s: float = TRIAL_TIMEOUT_S) -> list[str]:
    """What the Profile API says against the token; an API that is not reached says nothing."""
    try:
        await ask_profile(tried, timeout_s=timeout_s)
    except SegmentApiUnreachableError as error:
        diagnostics.warning(f"the token could not be tried: {error.message}", error.hint)
    except (SegmentApiError, ConfigError) as error:
        diagnostics.warning(error.message, error.hint)
        return [error.message]
    else:
        diagnostics.success(f"{tried.profile_url} takes it for the space {tried.profile_space}")
    return []


async def ask_profile(workspace: Workspace, *, timeout_s: float = TRIAL_TIMEOUT_S) -> None:
    """Ask for the events of an invented user. Raises SegmentApiError, and ConfigError."""
    from sprig_tui.clock import SystemClock
    from sprig_tui.segment.profile_api import ProfileApiClient

    if workspace.profile_token is None:
        raise ConfigError("there is no token of Segment's Profile API", hint="sprig-tui keys profile stores one")
    clock = SystemClock()
    now = clock.now()
    async with ProfileApiClient(
        workspace.profile_url, workspace.profile_space, workspace.profile_token, clock=clock, timeout=timeout_s
    ) as api:
        await api.find_event(TRIED_USER, "none", "none", now - _TRIED_TIME_MS, now)


def _remove(settings: Settings) -> int:
    """Remove token and space."""
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_workspace

    def remove() -> None:
        changes = dict.fromkeys((*stored_keys(settings, PROFILE_TOKEN, ""), "profile_space"))
        save_workspace(find_paths(), changes, digest=settings.document.digest)
        drop_entries(settings)

    return remove_stored(
        settings,
        _TEXTS,
        yes=True,
        remove=remove if settings.workspace.profile_space else None,
        advice=lambda _: "and the space that it belonged to; revoke the token in Segment too",
    )
