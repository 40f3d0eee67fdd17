"""Command `keys oauth`: the OAuth client of an environment whose source requires OAuth 2.0."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from msgspec.structs import replace

from sprig_tui.cli import diagnostics, prompts
from sprig_tui.cli.commands.keys.new_environment import new_option, report_unprotected, resolve_name
from sprig_tui.cli.context import open_settings
from sprig_tui.cli.options import ENVIRONMENT_TYPE, CliCommand, yes_option
from sprig_tui.cli.prompts import confirm_warnings
from sprig_tui.config.environment import Environment
from sprig_tui.config.oauth import describe_oauth, key_file_warnings, make_oauth, signing_problem
from sprig_tui.config.schema import OAuthTable
from sprig_tui.errors import ExitCode

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings

_REQUIRED = {"client_id": "--client-id", "key_id": "--key-id", "private_key_file": "--private-key"}


@click.command("oauth", cls=CliCommand, short_help="Store the OAuth client of a source that requires OAuth.")
@click.argument("environment", type=ENVIRONMENT_TYPE, metavar="ENV")
@click.option("--client-id", metavar="ID", help="App ID of the OAuth application.")
@click.option("--key-id", metavar="ID", help="Key ID of its public key.")
@click.option(
    "--private-key", "private_key_file", metavar="FILE", help="Private key in PEM form; the file stays where it is."
)
@click.option("--scope", metavar="SCOPE", help="Of the token; seldom needed.")
@click.option("--token-url", metavar="URL", help="Token server; that of the endpoint where it is left out.")
@new_option
@click.option("--force", is_flag=True, help="Store a client that the token server rejects, or whose key cannot sign.")
@click.option("--remove", is_flag=True, help="Remove it from the config.")
@yes_option
def oauth(environment: str, *, new: bool, force: bool, remove: bool, yes: bool, **given: str | None) -> int:
    """Store the OAuth client of ENV, beside its Write Key, for a source that requires OAuth 2.0.

    In Segment: Settings > Workspace settings > Access Management > OAuth applications. It is tried before it is
    stored: the private key has to sign, and the token server to give a token for it. Of a client that is stored
    already, what is not given stays. The config names the file of the private key, and never holds the key.
    """
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_oauth

    settings = open_settings(quiet=True)
    if remove:
        return _remove(settings, environment, yes=yes)
    name = resolve_name(settings, environment, new=new)
    if name is None:
        return ExitCode.USAGE
    table = _merge(settings, name, given)
    problems = _problems(settings, name, table)
    if not confirm_warnings(problems, force=force):
        return ExitCode.USAGE
    values = {key: value for key, value in msgspec.structs.asdict(table).items() if value is not None}
    save_oauth(find_paths(), name, values, digest=settings.document.digest)
    now = open_settings(quiet=True)
    diagnostics.success(f"{name}: {describe_oauth(now.environments[name])}, stored in {find_paths().config_file}")
    if now.environments[name].write_key is None:
        diagnostics.warning(f"{name} has no write key, which it needs too", f"sprig-tui keys set {name}")
    if name not in settings.environments:
        report_unprotected(now, name)
    return ExitCode.OK


def _merge(settings: Settings, name: str, given: dict[str, str | None]) -> OAuthTable:
    """The stored client with what was given; raises a usage error where something is missing."""
    stored = settings.document.tables.get("environments", {}).get(name, {}).get("oauth", {})
    values: dict[str, str | None] = {**stored, **{key: value for key, value in given.items() if value is not None}}
    if given.get("private_key_file"):
        values["private_key_file"] = str(Path(str(values["private_key_file"])).expanduser().absolute())
    missing = [option for key, option in _REQUIRED.items() if not values.get(key)]
    if missing:
        raise click.UsageError(f"{' and '.join(missing)}: it belongs to a client, and none is stored")
    return OAuthTable(**{key: value for key, value in values.items() if value is not None})


def _problems(settings: Settings, name: str, table: OAuthTable) -> list[str]:
    """What speaks against the client, each said on stderr."""
    from sprig_tui.cli.secret_trials import report_trial, try_oauth

    credentials = make_oauth(table, "oauth", settings.document.file.parent)
    environment = replace(settings.environments.get(name) or Environment(name=name), oauth=credentials)
    problem, hint = signing_problem(credentials.key)
    if problem:
        diagnostics.warning(problem, hint)
        return [problem]
    for warning in key_file_warnings(credentials, name):
        diagnostics.warning(warning.message)
    tried = environment.oauth_credentials
    return report_trial(asyncio.run(try_oauth(tried))) if tried is not None else []


def _remove(settings: Settings, environment: str, *, yes: bool) -> int:
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_oauth

    if settings.environment(environment).oauth is None:
        diagnostics.info(f"{environment} has no OAuth client")
        return ExitCode.OK
    if not yes and not prompts.confirm_removal(f"remove the OAuth client of {environment}? its source may require it"):
        return ExitCode.USAGE
    save_oauth(find_paths(), environment, None, digest=settings.document.digest)
    diagnostics.success(f"{environment}: its OAuth client is removed from the config; the key's file stays")
    return ExitCode.OK
