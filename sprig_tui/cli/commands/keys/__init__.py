"""Commands `keys list`, `keys set` and `keys remove`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sprig_tui.cli import diagnostics, output, prompts
from sprig_tui.cli.commands.keys.check import check
from sprig_tui.cli.commands.keys.command_option import command_option, read_command
from sprig_tui.cli.commands.keys.new_environment import new_option, report_unprotected, resolve_name
from sprig_tui.cli.commands.keys.oauth import oauth
from sprig_tui.cli.commands.keys.profile import profile
from sprig_tui.cli.commands.keys.rotate import rotate
from sprig_tui.cli.commands.keys.secrets import (
    WRITE_KEY_TEXTS,
    accept_secret,
    keyring_option,
    report_stored,
    sprig,
    token,
    workspace,
)
from sprig_tui.cli.commands.keys.serve import serve
from sprig_tui.cli.commands.keys.storage import drop_entries, remove_secret, save_secret, stored_keys
from sprig_tui.cli.context import open_settings, read_secrets
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
from sprig_tui.config.oauth import oauth_json
from sprig_tui.config.secrets import WRITE_KEY
from sprig_tui.errors import ExitCode
from sprig_tui.text import printable

if TYPE_CHECKING:
    from sprig_tui.config.environment import Environment, Secret
    from sprig_tui.config.secret_references import SecretReference
    from sprig_tui.config.settings import Settings
    from sprig_tui.config.toml_edit import TomlValue


@click.group("keys", cls=CliGroup)
def keys() -> None:
    """Write Keys, OAuth clients, tokens of webhooks and of serve, and the keys of Sprig's REST API and Segment's APIs.

    A Write Key comes from SPRIG_TUI_WRITE_KEY_<ENV>, else from the variable that write_key_env names, else from the
    output of write_key_command, else from the entry of the system's keyring that write_key_keyring names, else from
    the config; so do the others. The first one that is set counts, even if it cannot be used.
    """


keys.add_command(check)
keys.add_command(rotate)
keys.add_command(token)
keys.add_command(sprig)
keys.add_command(workspace)
keys.add_command(profile)
keys.add_command(oauth)
keys.add_command(serve)


@keys.command("list", cls=CliCommand, short_help="Each environment: its key, masked, and where it comes from.")
@json_option
def list_keys(as_json: bool) -> int:
    """Every environment: its key (first and last four), where the key comes from, and where answers go.

    No command runs, and the keyring is not asked: sprig-tui keys check does that.
    """
    settings = open_settings()
    if as_json:
        workspace = settings.workspace
        output.write_json(
            {
                "environments": [_row_json(found) for found in settings.environments.values()],
                "workspace": {
                    "public_api_token": _masked(workspace.token),
                    "public_api_token_source": workspace.token.read_from if workspace.token else None,
                    "profile_token": _masked(workspace.profile_token),
                    "profile_token_source": workspace.profile_token.read_from if workspace.profile_token else None,
                },
                "serve_token": _masked(settings.serve_token),
                "serve_token_source": settings.serve_token.read_from if settings.serve_token else None,
                "hmac_key": _masked(settings.hmac_key),
                "hmac_key_source": settings.hmac_key.read_from if settings.hmac_key else None,
            }
        )
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
            _other_text("sprig api", found.sprig_api_key),
            _other_text("webhook token", found.webhook_token),
            f"oauth {found.oauth.client_id}" if found.oauth else "",
        )
        for found in settings.environments.values()
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    workspace = settings.workspace
    others: tuple[tuple[str, Secret | None], ...] = (
        ("public api token", workspace.token),
        ("profile token", workspace.profile_token),
        ("hmac key", settings.hmac_key),
        ("token of serve", settings.serve_token),
    )
    for name, secret in others:
        if secret is not None:
            lines.append(f"{name}  {secret.masked()}  {printable(secret.read_from)}")
    return lines


def _other_text(name: str, secret: Secret | None) -> str:
    """A secret beside the Write Key, with its place where that is not the config."""
    if secret is None:
        return ""
    place = "" if secret.read_from == "config" else f" ({printable(secret.read_from)})"
    return f"{name} {secret.masked()}{place}"


def _masked(secret: Secret | None) -> str | None:
    """None for none, and for one that is not read here; its source tells them apart."""
    return secret.masked() if secret is not None and secret.is_read else None


def _row_json(environment: Environment) -> dict[str, Any]:
    return {
        "name": environment.name,
        "key": _masked(environment.write_key),
        "source": environment.write_key.read_from if environment.write_key else None,
        "endpoint": environment.endpoint,
        "url": environment.base_url,
        "protected": environment.protected,
        "requests_per_second": environment.requests_per_second,
        "sprig_environment_id": environment.sprig_environment_id,
        "sprig_api_key": _masked(environment.sprig_api_key),
        "sprig_api_key_source": environment.sprig_api_key.read_from if environment.sprig_api_key else None,
        "oauth": oauth_json(environment),
        "webhook_token": _masked(environment.webhook_token),
        "webhook_token_source": environment.webhook_token.read_from if environment.webhook_token else None,
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
@keyring_option
@command_option
def set_key(
    environment: str,
    surplus: tuple[str, ...],
    *,
    source: str | None,
    new: bool,
    force: bool,
    keyring: bool,
    command: SecretReference | None,
    **given: Any,
) -> int:
    """Store the Write Key of ENV, from a hidden prompt or from standard input; never from the command line.

    ENV may be new: lower-case letters, digits and dashes; one that is nearly another's name is asked about, and wants
    --new in a script. The key is stored in the config file, mode 0600, or with --keyring in the system's keyring.

    With a token of Segment's Public API (sprig-tui keys workspace) the workspace's sources are offered by name, and
    the key is taken from the one chosen; --source names it for scripts. A source that says another environment by its
    name or labels has to be confirmed.
    """
    if surplus:
        run = f"sprig-tui keys set {environment[:40]}"
        raise SecretArgumentError("key", run, "and if that was a real key, replace it")
    from sprig_tui.cli.commands.keys.source import choose_key, looked_up_key

    settings = open_settings(quiet=True)
    settled = resolve_name(settings, environment, new=new)
    if settled is None:
        return ExitCode.USAGE
    environment = settled
    settings = read_secrets(settings)
    if command is not None:
        excluded = (*(("--keyring",) if keyring else ()), *(("--source",) if source else ()))
        chosen = looked_up_key(read_command(command, excluded=excluded), settings, environment)
    else:
        chosen = choose_key(settings, environment, source)
    secret = accept_secret(
        settings, WRITE_KEY_TEXTS, environment, chosen.text, force=force, find_problems=lambda _: chosen.warnings
    )
    if secret is None:
        return ExitCode.USAGE
    others: dict[str, TomlValue | None] = {name: value for name, value in given.items() if value is not None}
    place = save_secret(settings, WRITE_KEY, environment, secret, keyring=keyring, command=command, others=others)
    now = open_settings(quiet=True)
    report_stored(WRITE_KEY_TEXTS, environment, place, now.environments[environment].write_key, command)
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
    """Remove the Write Key of ENV from the config. What is queued for it stays queued.

    A command or an entry of the keyring that the config names for it goes too; the entry itself only if sprig-tui
    made it.
    """
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import delete_environment

    settings = open_settings(quiet=True)
    found = settings.environment(environment)
    stored = bool(stored_keys(settings, WRITE_KEY, environment))
    if not stored and not whole:
        source = found.write_key.read_from if found.write_key else ""
        reason = f"its key comes from {source}: unset that" if source else "it has no key"
        diagnostics.info(f"nothing to remove in the config for {environment}; {reason}")
        return ExitCode.OK
    if not yes and not _confirm_removal(found):
        return ExitCode.USAGE
    if whole:
        delete_environment(find_paths(), environment, digest=settings.document.digest)
        drop_entries(settings)
    else:
        remove_secret(settings, WRITE_KEY, environment)
    diagnostics.success(f"{environment}: {'removed' if whole else 'its key is removed'} from the config")
    left = open_settings(quiet=True).environments.get(environment)
    if left is not None and left.write_key is not None:
        diagnostics.warning(f"{environment} still has a key, from {left.write_key.read_from}")
    return ExitCode.OK


def _confirm_removal(environment: Environment) -> bool:
    key = environment.write_key
    masked = "no key" if key is None else key.masked() if key.is_read else printable(key.read_from)
    question = f"remove the key of {environment.name} ({masked})?"
    return prompts.confirm_removal(question, name=environment.name if environment.protected else "")
