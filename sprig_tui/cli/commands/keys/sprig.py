"""`sprig-tui keys sprig`: the key of Sprig's REST API, by environment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, prompts
from sprig_tui.cli.commands.keys.new_environment import new_option, report_unprotected, resolve_name
from sprig_tui.cli.context import open_settings
from sprig_tui.cli.options import ENVIRONMENT_TYPE, CliCommand, SecretArgumentError, yes_option
from sprig_tui.cli.prompts import confirm_warnings, print_lint, read_secret
from sprig_tui.errors import ExitCode

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings

KEY_CHECK_TIMEOUT_S = 10.0
"""Seconds for each phase of the request that tries a key."""


@click.command(
    "sprig", cls=CliCommand, short_help="Store the key of Sprig's REST API, which sprig-tui pull reads with."
)
@click.argument("environment", type=ENVIRONMENT_TYPE, metavar="ENV")
@click.argument("surplus", nargs=-1, metavar="", type=click.UNPROCESSED)
@new_option
@click.option("--force", is_flag=True, help="Store a key that looks odd or is refused.")
@click.option("--remove", is_flag=True, help="Remove it from the config.")
@yes_option
def sprig(environment: str, surplus: tuple[str, ...], *, new: bool, force: bool, remove: bool, yes: bool) -> int:
    """Store the key of Sprig's REST API of ENV, from a hidden prompt or standard input; never from the command line.

    In Sprig: Integrations > Enrichment > Data Import API, in the environment that ENV stands for. It is tried before
    it is stored. It is read from SPRIG_TUI_SPRIG_API_KEY_<ENV>, else from the variable that sprig_api_key_env names,
    else from the config.
    """
    if surplus:
        run = f"sprig-tui keys sprig {environment[:40]}"
        raise SecretArgumentError("key", run, "and if that was a real key, replace it")
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_environment
    from sprig_tui.config.secret_lint import SPRIG_API_KEY_RULES, lint_secret

    settings = open_settings(quiet=True)
    if remove:
        return _remove_api_key(settings, environment, yes=yes)
    settled = resolve_name(settings, environment, new=new)
    if settled is None:
        return ExitCode.USAGE
    environment = settled
    lint = lint_secret(read_secret(f"key of Sprig's API for {environment}"), SPRIG_API_KEY_RULES)
    print_lint(lint)
    if lint.errors:
        return ExitCode.USAGE
    doubts = [fault.message for fault in lint.warnings]
    doubts.extend(_shared_key_warnings(settings, environment, lint.secret))
    doubts.extend(asyncio.run(_api_key_problems(settings, lint.secret)))
    if not confirm_warnings(doubts, force=force):
        return ExitCode.USAGE
    paths = find_paths()
    save_environment(paths, environment, {"sprig_api_key": lint.secret})
    diagnostics.success(f"{environment}: the key of Sprig's API is stored in {paths.config_file}")
    now = open_settings(quiet=True)
    used = now.environments[environment].sprig_api_key
    if used is not None and used.read_from != "config":
        diagnostics.warning(
            f"{environment}: {used.read_from} is set, and goes before the config",
            f"unset {used.read_from} to use this one",
        )
    diagnostics.info(f"sprig-tui pull -e {environment} --dry-run shows what it would read")
    if environment not in settings.environments:
        report_unprotected(now, environment)
    return ExitCode.OK


def _shared_key_warnings(settings: Settings, environment: str, key: str) -> list[str]:
    from sprig_tui.config.checks import describe_reuse
    from sprig_tui.config.secrets import SPRIG_API_KEY

    doubts = describe_reuse(settings, key, SPRIG_API_KEY, environment)
    for doubt in doubts:
        diagnostics.warning(doubt, "the key says which of Sprig's environments is read: each has its own")
    return list(doubts)


async def _api_key_problems(settings: Settings, key: str) -> list[str]:
    """Why Sprig does not take the key; empty where it does, or cannot be asked."""
    from sprig_tui.clock import SystemClock
    from sprig_tui.config.environment import SprigApiKey
    from sprig_tui.sprig.api import SURVEYS_PATH, SprigClient

    url = settings.sprig_api_url
    async with SprigClient(url, SprigApiKey(key), clock=SystemClock(), timeout=KEY_CHECK_TIMEOUT_S) as client:
        answer = await client.get(SURVEYS_PATH, {"limit": "1"})
    if answer.kind == "key-refused":
        diagnostics.warning(f"{url} refuses this key ({answer.status})", "copy it again, from the right environment")
        return [f"Sprig refuses it ({answer.status})"]
    if answer.kind == "ok":
        diagnostics.info(f"{url} takes it")
    else:
        diagnostics.warning(f"it could not be tried at {url}: {answer.error}")
    return []


def _remove_api_key(settings: Settings, environment: str, *, yes: bool) -> int:
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_environment

    found = settings.environment(environment)
    if (environment, "sprig_api_key") not in settings.stored_secrets:
        key = found.sprig_api_key
        said = f"; it comes from {key.read_from}: unset that" if key is not None else ""
        diagnostics.info(f"nothing to remove in the config for {environment}{said}")
        return ExitCode.OK
    if not yes:
        if not prompts.is_interactive():
            diagnostics.failure("nothing was removed: nobody is there to confirm it", "add --yes")
            return ExitCode.USAGE
        if not prompts.confirm(f"remove the key of Sprig's API of {environment}?"):
            diagnostics.info("nothing was removed")
            return ExitCode.USAGE
    save_environment(find_paths(), environment, {"sprig_api_key": None}, digest=settings.document.digest)
    diagnostics.success(f"{environment}: its key of Sprig's API is removed from the config")
    return ExitCode.OK
