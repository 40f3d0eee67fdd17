"""`sprig-tui pull`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import asking
from sprig_tui.cli.commands import DURATION_TYPE, ENVIRONMENT_TYPE, command, json_option, yes_option
from sprig_tui.cli.opening import open_settings
from sprig_tui.cli.pull_options import PullOptions, pull_options
from sprig_tui.cli.terms import RunOptions, run_options
from sprig_tui.errors import ConfigError, InputError

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings

MIN_INTERVAL_S = 10.0
"""Seconds; Sprig takes 1,000 requests in five minutes, and a pull makes two at least."""


@command("pull")
@click.option(
    "-e",
    "--environment",
    "--env",
    "environments",
    multiple=True,
    type=ENVIRONMENT_TYPE,
    metavar="ENV",
    help="Whose key to read with; without it, every environment that has one.",
)
@pull_options
@click.option("--every", type=DURATION_TYPE, help="Pull again so often, such as 5m, until stopped.")
@run_options
@click.option("--dry-run", is_flag=True, help="Read, map and count; store and send nothing.")
@click.option("--no-wait", is_flag=True, help="Store only; sprig-tui run delivers.")
@yes_option
@json_option
def pull(
    environments: tuple[str, ...],
    reading: PullOptions,
    every: float | None,
    terms: RunOptions,
    dry_run: bool,
    no_wait: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Read new answers from Sprig's REST API, and deliver them.

    The API key of an environment comes from SPRIG_TUI_SPRIG_API_KEY_<ENV>, or is stored by `sprig-tui keys sprig ENV`;
    what it gives belongs to that environment. The first pull reads everything, later ones what is new.
    An interrupted pull goes on where it stopped. Reading an answer again sends nothing twice.
    """
    if every is not None and (dry_run or reading.until is not None):
        raise click.UsageError("--every goes neither with --dry-run nor with --until")
    if every is not None and every < MIN_INTERVAL_S:
        raise click.UsageError(f"--every is {MIN_INTERVAL_S:.0f}s at least")
    asked = reading.to_request()
    settings = open_settings()
    deliver = not no_wait and not dry_run
    names = select_environments(settings, environments, deliver=deliver)
    if deliver and not yes:
        _require_consent(settings, names, environments)
    from sprig_tui.cli.pulling import PullRun

    pulling = PullRun(settings, terms, asked, environments, reading.api_url, deliver=deliver)

    async def run() -> int:
        if dry_run:
            return await pulling.dry_run(as_json=as_json)
        if every is not None:
            return await pulling.run_repeatedly(every, as_json=as_json)
        return await pulling.run_once(as_json=as_json)

    return asyncio.run(run())


def select_environments(settings: Settings, named: tuple[str, ...], *, deliver: bool) -> list[str]:
    """The environments to pull for; raises ConfigError where a key is missing."""
    names = list(dict.fromkeys(named))
    for name in names:
        if settings.environment(name).sprig_api_key is None:
            raise ConfigError(f"{name} has no key of Sprig's API", hint=f"set one with sprig-tui keys sprig {name}")
    names = names or [name for name, found in settings.environments.items() if found.sprig_api_key is not None]
    if not names:
        raise ConfigError(
            "no environment has a key of Sprig's API", hint="set one with sprig-tui keys sprig production"
        )
    for name in names:
        if deliver and settings.environments[name].write_key is None:
            raise ConfigError(
                f"{name} has no write key", hint=f"set one with sprig-tui keys set {name}, or queue with --no-wait"
            )
    return names


def _require_consent(settings: Settings, names: list[str], named: tuple[str, ...]) -> None:
    """Ask for the name of each protected environment; in a script naming it with -e is the consent."""
    for name in names:
        if not settings.environments[name].protected:
            continue
        if not asking.is_interactive():
            if name not in named:
                raise ConfigError(
                    f"{name} is protected, and nobody is there to ask", hint=f"name it with -e {name}, or add --yes"
                )
        elif not asking.confirm_name(f"{name} is protected: answers will be sent there", name):
            raise InputError(f"not pulled: {name} was not confirmed", hint="nothing was read")
