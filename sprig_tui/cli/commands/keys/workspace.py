"""`sprig-tui keys workspace`: the token of Segment's Public API, by which sources are chosen by name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from sprig_tui.cli import diagnostics
from sprig_tui.cli.context import open_settings
from sprig_tui.cli.options import CliCommand, SecretArgumentError
from sprig_tui.cli.prompts import confirm_warnings, print_lint, read_secret
from sprig_tui.errors import ConfigError, ExitCode, SegmentApiError, SegmentApiUnreachableError, SprigTuiError

if TYPE_CHECKING:
    from sprig_tui.config.secrets import Workspace
    from sprig_tui.config.toml_edit import TomlValue


class RegionType(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases of click only
    """`us`, `eu` or an address of the Public API."""

    name = "us|eu|URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The region as the config holds it, or a usage error."""
        from sprig_tui.config.urls import parse_region

        try:
            return parse_region(value, "")
        except SprigTuiError as error:
            self.fail(f"{error.message}; {error.hint}", param, ctx)


@click.command("workspace", cls=CliCommand, short_help="Store a token of Segment's Public API: choose sources by name.")
@click.argument("surplus", nargs=-1, metavar="", type=click.UNPROCESSED)
@click.option("--region", type=RegionType(), help="Of the workspace; us where nothing is set.")
@click.option("--force", is_flag=True, help="Store a token that looks odd or is refused.")
@click.option("--remove", is_flag=True, help="Remove it from the config.")
def workspace(surplus: tuple[str, ...], region: str | None, force: bool, remove: bool) -> int:
    """Store a token of Segment's Public API, from a hidden prompt or from standard input.

    With it, keys set offers the workspace's sources by name, and keys check and doctor say which source each key
    belongs to. It is tried before it is stored. It stands in the config file, mode 0600; SPRIG_TUI_SEGMENT_TOKEN, or
    the variable that public_api_token_env in [segment] names, goes before it.
    """
    if surplus:
        run = "sprig-tui keys workspace"
        raise SecretArgumentError("token", run, "and if that was a real token, revoke it")
    if remove:
        return _remove_public_api_token()
    from msgspec.structs import replace

    from sprig_tui.config.checks import describe_reuse
    from sprig_tui.config.environment import PublicApiToken
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_workspace
    from sprig_tui.config.secret_lint import PUBLIC_API_TOKEN_RULES, lint_secret
    from sprig_tui.config.secrets import PUBLIC_API_TOKEN

    settings = open_settings(quiet=True)
    lint = lint_secret(read_secret("token of Segment's Public API"), PUBLIC_API_TOKEN_RULES)
    print_lint(lint)
    if lint.errors:
        return ExitCode.USAGE
    tried = replace(settings.workspace, token=PublicApiToken(lint.secret), region=region or settings.workspace.region)
    reused = describe_reuse(settings, lint.secret, PUBLIC_API_TOKEN)
    for said in reused:
        diagnostics.warning(said)
    doubts = [*(fault.message for fault in lint.warnings), *reused, *_public_api_problems(tried)]
    if not confirm_warnings(doubts, force=force):
        return ExitCode.USAGE
    changes: dict[str, TomlValue | None] = {"public_api_token": lint.secret}
    if region is not None:
        changes["region"] = region
    paths = find_paths()
    save_workspace(paths, changes)
    diagnostics.success(f"the token is stored in {paths.config_file}")
    now = open_settings(quiet=True).workspace.token
    if now is not None and now.read_from != "config":
        diagnostics.warning(
            f"{now.read_from} is set, and goes before the config", f"unset {now.read_from} to use this token"
        )
    diagnostics.info("sprig-tui keys set ENV now offers the workspace's sources; sprig-tui keys check looks keys up")
    return ExitCode.OK


def _public_api_problems(tried: Workspace) -> list[str]:
    """What the Public API says against the token; an API that is not reached says nothing."""
    from sprig_tui.cli.commands.doctor.workspace import NOT_VISIBLE_TEXT, ROLE_HINT
    from sprig_tui.cli.workspace import public_api

    async def ask() -> None:
        async with public_api(tried) as api:
            name, sources = await api.workspace(), await api.sources()
        plural = "" if len(sources) == 1 else "s"
        diagnostics.success(f"it is a token of the workspace {name}, which has {len(sources):,} source{plural}")
        if sources and not any(source.write_keys for source in sources):
            diagnostics.warning(NOT_VISIBLE_TEXT, ROLE_HINT)

    try:
        asyncio.run(ask())
    except SegmentApiUnreachableError as error:
        diagnostics.warning(f"the token could not be tried: {error.message}", error.hint)
    except (SegmentApiError, ConfigError) as error:
        diagnostics.warning(error.message, error.hint)
        return [error.message]
    return []


def _remove_public_api_token() -> int:
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_workspace

    settings = open_settings(quiet=True)
    if settings.workspace.stored:
        save_workspace(find_paths(), {"public_api_token": None}, digest=settings.document.digest)
        diagnostics.success("the token is removed from the config; keys stay. revoke it in Segment too")
        settings = open_settings(quiet=True)
    else:
        diagnostics.info("there is no token in the config")
    if settings.workspace.token is not None:
        diagnostics.warning(f"there still is one, from {settings.workspace.token.read_from}")
    return ExitCode.OK
