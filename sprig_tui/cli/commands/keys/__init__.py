"""Commands `keys list`, `keys set` and `keys remove`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sprig_tui.cli import diagnostics, output, prompts
from sprig_tui.cli.commands.keys.check import check
from sprig_tui.cli.commands.keys.new_environment import new_option, report_unprotected, resolve_name
from sprig_tui.cli.commands.keys.rotate import rotate
from sprig_tui.cli.commands.keys.secrets import (
    WRITE_KEY_TEXTS,
    accept_secret,
    report_stored,
    sprig,
    token,
    workspace,
)
from sprig_tui.cli.context import open_settings
from sprig_tui.cli.options import (
    ENDPOINT_TYPE,
    ENVIRONMENT_TYPE,
    CliCommand,
    CliGroup,
    SecretArgumentError,
    json_option,
    yes_option,
)
from sprig_tui.config.checks import check_keys
from sprig_tui.errors import ExitCode

if TYPE_CHECKING:
    from sprig_tui.config.environment import Environment
    from sprig_tui.config.settings import Settings
    from sprig_tui.config.toml_edit import TomlValue


@click.group("keys", cls=CliGroup)
def keys() -> None:
    """Write Keys, webhook tokens, and the keys of Sprig's REST API and Segment's Public API.

    A Write Key comes from SPRIG_TUI_WRITE_KEY_<ENV>, else from the variable that write_key_env names, else from the
    config.
    """


keys.add_command(check)
keys.add_command(rotate)
keys.add_command(token)
keys.add_command(sprig)
keys.add_command(workspace)


@keys.command("list", cls=CliCommand, short_help="Each environment: its key, masked, and where it comes from.")
@json_option
def list_keys(as_json: bool) -> int:
    """Every environment: its key (first and last four), where the key comes from, and where answers go."""
    settings = open_settings()
    if as_json:
        output.write_json({"environments": [_row_json(found) for found in settings.environments.values()]})
    else:
        output.write_lines(_key_lines(settings))
    for finding in check_keys(settings):
        diagnostics.warning(finding.message, finding.hint)
    return ExitCode.OK


def _key_lines(settings: Settings) -> list[str]:
    cells = [
        (
            found.name,
            found.write_key.masked() if found.write_key else "no key",
            found.endpoint,
            "protected" if found.protected else "",
            found.write_key.read_from if found.write_key else f"sprig-tui keys set {found.name}",
            f"sprig api {found.sprig_api_key.masked()}" if found.sprig_api_key else "",
        )
        for found in settings.environments.values()
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(6)]
    return ["  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _row_json(environment: Environment) -> dict[str, Any]:
    return {
        "name": environment.name,
        "key": environment.write_key.masked() if environment.write_key else None,
        "source": environment.write_key.read_from if environment.write_key else None,
        "endpoint": environment.endpoint,
        "url": environment.base_url,
        "protected": environment.protected,
        "requests_per_second": environment.requests_per_second,
        "sprig_environment_id": environment.sprig_environment_id,
        "sprig_api_key": environment.sprig_api_key.masked() if environment.sprig_api_key else None,
        "sprig_api_key_source": environment.sprig_api_key.read_from if environment.sprig_api_key else None,
        "webhook_token": environment.webhook_token.masked() if environment.webhook_token else None,
    }


@keys.command("set", cls=CliCommand, short_help="Store a key, from a hidden prompt or standard input.")
@click.argument("environment", type=ENVIRONMENT_TYPE, metavar="ENV")
@click.argument("surplus", nargs=-1, metavar="", type=click.UNPROCESSED)
@click.option("--endpoint", type=ENDPOINT_TYPE, help="Where its answers go.")
@click.option("--protected/--not-protected", default=None, help="Whether sending in bulk asks for its name.")
@click.option("--sprig-environment-id", metavar="ID", help="Sprig's id of it, which webhooks carry.")
@click.option("--source", metavar="NAME", help="Take the key of this source of the workspace (name, slug or id).")
@new_option
@click.option("--force", is_flag=True, help="Store a key that looks odd, or whose source does.")
def set_key(
    environment: str,
    surplus: tuple[str, ...],
    endpoint: str | None,
    protected: bool | None,
    sprig_environment_id: str | None,
    source: str | None,
    new: bool,
    force: bool,
) -> int:
    """Store the Write Key of ENV, from a hidden prompt or from standard input; never from the command line.

    ENV may be new: lower-case letters, digits and dashes; one that is nearly another's name is asked about, and wants
    --new in a script. The key is stored in the config file, mode 0600.

    With a token of Segment's Public API (sprig-tui keys workspace) the workspace's sources are offered by name, and
    the key is taken from the one chosen; --source names it for scripts. A source that says another environment by its
    name or labels has to be confirmed.
    """
    if surplus:
        run = f"sprig-tui keys set {environment[:40]}"
        raise SecretArgumentError("key", run, "and if that was a real key, replace it")
    from sprig_tui.cli.commands.keys.source import choose_key
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_environment

    settings = open_settings(quiet=True)
    settled = resolve_name(settings, environment, new=new)
    if settled is None:
        return ExitCode.USAGE
    environment = settled
    chosen = choose_key(settings, environment, source)
    secret = accept_secret(
        settings, WRITE_KEY_TEXTS, environment, chosen.text, force=force, find_problems=lambda _: chosen.warnings
    )
    if secret is None:
        return ExitCode.USAGE
    changes: dict[str, TomlValue | None] = {"write_key": secret}
    given = {"endpoint": endpoint, "protected": protected, "sprig_environment_id": sprig_environment_id}
    changes.update({name: value for name, value in given.items() if value is not None})
    save_environment(find_paths(), environment, changes)
    now = open_settings(quiet=True)
    report_stored(WRITE_KEY_TEXTS, environment, now.environments[environment].write_key)
    diagnostics.info(
        f"Segment answers 200 to any key: sprig-tui keys check {environment} --send-test-event sends one to look for"
    )
    if environment not in settings.environments:
        report_unprotected(now, environment)
    return ExitCode.OK


@keys.command("remove", cls=CliCommand, short_help="Remove a key from the config.")
@click.argument("environment", type=ENVIRONMENT_TYPE, metavar="ENV")
@click.option("--whole", is_flag=True, help="Remove the environment with all its settings.")
@yes_option
def remove(environment: str, whole: bool, yes: bool) -> int:
    """Remove the Write Key of ENV from the config. What is queued for it stays queued."""
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import delete_environment, save_environment

    settings = open_settings(quiet=True)
    found = settings.environment(environment)
    stored = environment in settings.stored_keys
    if not stored and not whole:
        source = found.write_key.read_from if found.write_key else ""
        reason = f"its key comes from {source}: unset that" if source else "it has no key"
        diagnostics.info(f"nothing to remove in the config for {environment}; {reason}")
        return ExitCode.OK
    if not yes and not _confirm_removal(found):
        return ExitCode.USAGE
    if whole:
        delete_environment(find_paths(), environment, digest=settings.document.digest)
    else:
        save_environment(find_paths(), environment, {"write_key": None}, digest=settings.document.digest)
    diagnostics.success(f"{environment}: {'removed' if whole else 'its key is removed'} from the config")
    left = open_settings(quiet=True).environments.get(environment)
    if left is not None and left.write_key is not None:
        diagnostics.warning(f"{environment} still has a key, from {left.write_key.read_from}")
    return ExitCode.OK


def _confirm_removal(environment: Environment) -> bool:
    if not prompts.is_interactive():
        diagnostics.failure("nothing was removed: there is no terminal to confirm it at", "add --yes")
        return False
    masked = environment.write_key.masked() if environment.write_key else "no key"
    question = f"remove the key of {environment.name} ({masked})?"
    agreed = prompts.confirm_name(question, environment.name) if environment.protected else prompts.confirm(question)
    if not agreed:
        diagnostics.info("nothing was removed")
    return agreed
