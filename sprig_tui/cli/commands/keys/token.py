"""`sprig-tui keys token`: the webhook token of an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, output, prompts
from sprig_tui.cli.commands.keys.new_environment import new_option, report_unprotected, resolve_name
from sprig_tui.cli.context import open_settings
from sprig_tui.cli.options import ENVIRONMENT_TYPE, CliCommand, SecretArgumentError, yes_option
from sprig_tui.cli.prompts import confirm_warnings, print_lint, read_secret
from sprig_tui.errors import ExitCode

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings

TOKEN_BYTES = 32
"""Of randomness in a token of ours."""


@click.command("token", cls=CliCommand, short_help="Store the token that webhooks of an environment must carry.")
@click.argument("environment", type=ENVIRONMENT_TYPE, metavar="ENV")
@click.argument("surplus", nargs=-1, metavar="", type=click.UNPROCESSED)
@new_option
@click.option("--generate", is_flag=True, help="Make one, and print it once.")
@click.option("--remove", is_flag=True, help="Remove it from the config.")
@yes_option
def token(environment: str, surplus: tuple[str, ...], *, new: bool, generate: bool, remove: bool, yes: bool) -> int:
    """Store the webhook token of ENV, from a hidden prompt or standard input; never from the command line.

    It is what Sprig calls the API secret of a webhook, and comes as `Authorization: Bearer`. It is read from
    SPRIG_TUI_WEBHOOK_TOKEN_<ENV>, else from the variable that webhook_token_env names, else from the config.
    """
    if surplus:
        run = f"sprig-tui keys token {environment[:40]}"
        raise SecretArgumentError("token", run, "or add --generate for a new one")
    if generate and remove:
        raise click.UsageError("--generate and --remove exclude each other")
    settings = open_settings(quiet=True)
    if remove:
        return _remove_token(settings, environment, yes=yes)
    settled = resolve_name(settings, environment, new=new)
    if settled is None:
        return ExitCode.USAGE
    environment = settled
    if not _may_replace(settings, environment, yes=yes):
        return ExitCode.USAGE
    text = _generate_token() if generate else read_secret(f"webhook token of {environment}")
    return _store_token(settings, environment, text, show=generate, force=yes)


def _may_replace(settings: Settings, environment: str, *, yes: bool) -> bool:
    """Whether the one that is stored may go: webhooks that carry it are refused from then on."""
    if yes or (environment, "webhook_token") not in settings.stored_secrets:
        return True
    if prompts.is_interactive():
        return prompts.confirm(f"{environment} has a token; webhooks that carry it will be refused. replace it?")
    diagnostics.failure(f"{environment} has a token already", "add --yes to replace it")
    return False


def _generate_token() -> str:
    import secrets

    return secrets.token_urlsafe(TOKEN_BYTES)


def _store_token(settings: Settings, environment: str, text: str, *, show: bool, force: bool) -> int:
    from sprig_tui.config.checks import describe_reuse
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_environment
    from sprig_tui.config.secret_lint import WEBHOOK_TOKEN_RULES, lint_secret
    from sprig_tui.config.secrets import WEBHOOK_TOKEN

    lint = lint_secret(text, WEBHOOK_TOKEN_RULES)
    print_lint(lint)
    if lint.errors:
        return ExitCode.USAGE
    reused = describe_reuse(settings, lint.secret, WEBHOOK_TOKEN, environment)
    for said in reused:
        diagnostics.warning(said, "a token opens one environment's webhooks; --generate makes one of its own")
    if not confirm_warnings(list(reused), force=force, flag="--yes"):
        return ExitCode.USAGE
    paths = find_paths()
    save_environment(paths, environment, {"webhook_token": lint.secret})
    diagnostics.success(f"{environment}: the webhook token is stored in {paths.config_file}")
    now = open_settings(quiet=True)
    used = now.environments[environment].webhook_token
    if used is not None and used.read_from != "config":
        diagnostics.warning(
            f"{environment}: {used.read_from} is set, and goes before the config",
            f"unset {used.read_from} to use this one",
        )
    if show:
        output.write_line(lint.secret)
        diagnostics.info("it is not shown again: put it into the webhook in Sprig, as its API secret")
    if environment not in settings.environments:
        report_unprotected(now, environment)
    return ExitCode.OK


def _remove_token(settings: Settings, environment: str, *, yes: bool) -> int:
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_environment

    settings.environment(environment)
    if (environment, "webhook_token") not in settings.stored_secrets:
        diagnostics.info(f"nothing to remove in the config for {environment}")
        return ExitCode.OK
    if not yes:
        if not prompts.is_interactive():
            diagnostics.failure("nothing was removed: nobody is there to confirm it", "add --yes")
            return ExitCode.USAGE
        if not prompts.confirm(f"remove the webhook token of {environment}?"):
            diagnostics.info("nothing was removed")
            return ExitCode.USAGE
    save_environment(find_paths(), environment, {"webhook_token": None}, digest=settings.document.digest)
    diagnostics.success(f"{environment}: its webhook token is removed from the config")
    return ExitCode.OK
