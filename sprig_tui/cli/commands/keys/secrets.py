"""Commands `keys sprig`, `keys token` and `keys workspace`, and the steps that all secrets share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from sprig_tui.cli import diagnostics, output, prompts
from sprig_tui.cli.commands.keys.command_option import command_option, read_command
from sprig_tui.cli.commands.keys.new_environment import new_option, report_unprotected, resolve_name
from sprig_tui.cli.commands.keys.storage import remove_secret, save_secret, stored_keys
from sprig_tui.cli.context import open_settings, read_secrets
from sprig_tui.cli.options import ENVIRONMENT_TYPE, CliCommand, SecretArgumentError, yes_option
from sprig_tui.cli.prompts import confirm_warnings, print_lint, read_secret
from sprig_tui.cli.secret_trials import report_trial, try_sprig_key, try_token
from sprig_tui.config.checks import describe_reuse
from sprig_tui.config.secret_lint import PUBLIC_API_TOKEN_RULES
from sprig_tui.config.secrets import (
    PROFILE_TOKEN,
    PUBLIC_API_TOKEN,
    SERVE_TOKEN,
    SPRIG_API_KEY,
    WEBHOOK_TOKEN,
    WRITE_KEY,
    SecretKind,
)
from sprig_tui.errors import ExitCode, SprigTuiError

if TYPE_CHECKING:
    from sprig_tui.config.environment import Secret
    from sprig_tui.config.secret_references import SecretReference
    from sprig_tui.config.settings import Settings
    from sprig_tui.config.toml_edit import TomlValue
    from sprig_tui.setup.secret_trial import SecretTrial

keyring_option = click.option("--keyring", is_flag=True, help="Store it in the system's keyring, not in the config.")

TOKEN_BYTES = 32
"""Bytes of randomness in a generated token."""


class SecretTexts(Struct, frozen=True):
    """A kind of secret, and its texts in the command that stores it."""

    kind: SecretKind
    name: str
    """Such as `key of Sprig's API`."""
    reuse_hint: str = ""
    """The way out where the secret is already used for something else."""
    flag: str = "--force"
    """The option that stores it despite warnings."""


WRITE_KEY_TEXTS = SecretTexts(WRITE_KEY, "key", "{environment} has a source, and so a key, of its own in Segment")
SPRIG_KEY_TEXTS = SecretTexts(
    SPRIG_API_KEY, "key of Sprig's API", "the key says which of Sprig's environments is read: each has its own"
)
WEBHOOK_TOKEN_TEXTS = SecretTexts(
    WEBHOOK_TOKEN, "webhook token", "a token opens one environment's webhooks; --generate makes one of its own", "--yes"
)
PUBLIC_API_TOKEN_TEXTS = SecretTexts(PUBLIC_API_TOKEN, "token of Segment's Public API")


def accept_secret(
    settings: Settings,
    texts: SecretTexts,
    environment: str,
    text: str,
    *,
    force: bool,
    find_problems: Callable[[str], Iterable[str]] = lambda _: (),
) -> str | None:
    """The secret as it is stored; None, with the reason on stderr, where it is not.

    Errors of its form reject it. Warnings, its use elsewhere and what `find_problems` says of it have to be confirmed.
    """
    from sprig_tui.config.secret_lint import lint_secret

    lint = lint_secret(text, texts.kind.rules)
    print_lint(lint)
    if lint.errors:
        return None
    reused = describe_reuse(settings, lint.secret, texts.kind, environment)
    for reuse in reused:
        diagnostics.warning(reuse, texts.reuse_hint.format(environment=environment))
    warnings = [*(fault.message for fault in lint.warnings), *reused, *find_problems(lint.secret)]
    return lint.secret if confirm_warnings(warnings, force=force, flag=texts.flag) else None


def report_stored(
    texts: SecretTexts, environment: str, place: str, used: Secret | None, command: SecretReference | None = None
) -> None:
    """Report where the secret is stored, and what takes precedence over it.

    `used` is the one in use now; `command` is what gives the secret from now on, if it was stored so.
    """
    label = f"{environment}: " if environment else ""
    if command is not None:
        diagnostics.success(f"{label}the {texts.name} comes from the {command.label} from now on")
    else:
        diagnostics.success(f"{label}the {texts.name} is stored in {place}")
    if used is not None and used.reference is not None and used.reference.command and used.reference != command:
        diagnostics.warning(
            f"{label}{used.read_from} of the config takes precedence over it",
            f"remove {texts.kind.key}_command from the config to use this one",
        )
    elif used is not None and used.is_from_variable:
        diagnostics.warning(
            f"{label}{used.read_from} is set, and takes precedence over the config",
            f"remove {used.read_from} to use this one",
        )


def store_secret(
    settings: Settings,
    texts: SecretTexts,
    environment: str,
    secret: str,
    *,
    keyring: bool,
    command: SecretReference | None = None,
) -> None:
    """Store it, and report it."""
    place = save_secret(settings, texts.kind, environment, secret, keyring=keyring, command=command)
    now = open_settings(quiet=True)
    report_stored(texts, environment, place, getattr(now.environments[environment], texts.kind.key), command)
    if environment not in settings.environments:
        report_unprotected(now, environment)


def read_text(label: str, command: SecretReference | None, *, keyring: bool) -> str:
    """The secret as it was typed or piped, or as the command prints it."""
    if command is None:
        return read_secret(label)
    return read_command(command, excluded=("--keyring",) if keyring else ())


def remove_stored(
    settings: Settings,
    texts: SecretTexts,
    environment: str = "",
    *,
    yes: bool,
    remove: Callable[[], None] | None = None,
    advice: Callable[[Secret | None], str] = lambda _: "",
) -> int:
    """Remove a secret from the config, and report which one is used from now on; returns the exit code.

    It asks before, unless `yes`. `remove` is for what removes more than the secret; `advice` is what follows from the
    one that is left, or from None.
    """
    label = f"{environment}: " if environment else ""
    if remove is None:
        if not stored_keys(settings, texts.kind, environment):
            used = secret_in_use(settings, texts.kind, environment)
            source = f"; it comes from {used.read_from}: remove that" if used is not None else ""
            diagnostics.info(f"{label}there is no {texts.name} in the config{source}")
            return ExitCode.OK
        remove = partial(remove_secret, settings, texts.kind, environment)
    if not yes and not prompts.confirm_removal(f"remove the {texts.name}{f' of {environment}' * bool(environment)}?"):
        return ExitCode.USAGE
    remove()
    left = secret_in_use(open_settings(quiet=True), texts.kind, environment)
    next_step = advice(left)
    diagnostics.success(f"{label}the {texts.name} is removed from the config{f': {next_step}' * bool(next_step)}")
    if left is not None:
        diagnostics.warning(f"{label}there still is one, from {left.read_from}")
    return ExitCode.OK


def secret_in_use(settings: Settings, kind: SecretKind, environment: str = "") -> Secret | None:
    """The secret that these settings use, wherever it comes from."""
    if environment:
        secret: Secret | None = getattr(settings.environments.get(environment), kind.key, None)
        return secret
    return {
        PUBLIC_API_TOKEN.key: settings.workspace.token,
        PROFILE_TOKEN.key: settings.workspace.profile_token,
        SERVE_TOKEN.key: settings.serve_token,
    }[kind.key]


# -- the key of Sprig's REST API --------------------------------------------------------------------------------------


@click.command(
    "sprig", cls=CliCommand, short_help="Store the key of Sprig's REST API, which sprig-tui pull reads with."
)
@click.argument("environment", type=ENVIRONMENT_TYPE, metavar="ENV")
@click.argument("surplus", nargs=-1, metavar="", type=click.UNPROCESSED)
@new_option
@click.option("--force", is_flag=True, help="Store a key that looks odd or is refused.")
@click.option("--remove", is_flag=True, help="Remove it from the config.")
@keyring_option
@command_option
@yes_option
def sprig(
    environment: str,
    surplus: tuple[str, ...],
    *,
    new: bool,
    force: bool,
    remove: bool,
    keyring: bool,
    command: SecretReference | None,
    yes: bool,
) -> int:
    """Store the key of Sprig's REST API of ENV, from a hidden prompt or standard input; never from the command line.

    In Sprig: Integrations > Enrichment > Data Import API, in the environment that ENV stands for. It is tried before
    it is stored. It is read from SPRIG_TUI_SPRIG_API_KEY_<ENV>, else from the variable that sprig_api_key_env names,
    else from sprig_api_key_command, the keyring or the config.
    """
    if surplus:
        run = f"sprig-tui keys sprig {environment[:40]}"
        raise SecretArgumentError("key", run, "and if that was a real key, replace it")
    settings = open_settings(quiet=True)
    if remove:
        return remove_stored(settings, SPRIG_KEY_TEXTS, environment, yes=yes)
    name = resolve_name(settings, environment, new=new)
    if name is None:
        return ExitCode.USAGE
    settings = read_secrets(settings)

    def find_problems(key: str) -> list[str]:
        return asyncio.run(api_key_problems(settings, key))

    text = read_text(f"key of Sprig's API for {name}", command, keyring=keyring)
    secret = accept_secret(settings, SPRIG_KEY_TEXTS, name, text, force=force, find_problems=find_problems)
    if secret is None:
        return ExitCode.USAGE
    store_secret(settings, SPRIG_KEY_TEXTS, name, secret, keyring=keyring, command=command)
    diagnostics.info(f"sprig-tui pull -e {name} --dry-run shows what it would read")
    return ExitCode.OK


async def api_key_problems(settings: Settings, key: str) -> list[str]:
    """Why Sprig does not take the key; empty where it does, or cannot be asked."""
    from sprig_tui.config.environment import SprigApiKey

    return report_trial(await try_sprig_key(settings.sprig_api_url, SprigApiKey(key)))


# -- the webhook token ------------------------------------------------------------------------------------------------


@click.command("token", cls=CliCommand, short_help="Store the token that webhooks of an environment must carry.")
@click.argument("environment", type=ENVIRONMENT_TYPE, metavar="ENV")
@click.argument("surplus", nargs=-1, metavar="", type=click.UNPROCESSED)
@new_option
@click.option("--generate", is_flag=True, help="Make one, and print it once.")
@click.option("--remove", is_flag=True, help="Remove it from the config.")
@keyring_option
@command_option
@yes_option
def token(
    environment: str,
    surplus: tuple[str, ...],
    *,
    new: bool,
    generate: bool,
    remove: bool,
    keyring: bool,
    command: SecretReference | None,
    yes: bool,
) -> int:
    """Store the webhook token of ENV, from a hidden prompt or standard input; never from the command line.

    It is what Sprig calls the API secret of a webhook, and comes as `Authorization: Bearer`. It is read from
    SPRIG_TUI_WEBHOOK_TOKEN_<ENV>, else from the variable that webhook_token_env names, else from
    webhook_token_command, the keyring or the config.
    """
    if surplus:
        run = f"sprig-tui keys token {environment[:40]}"
        raise SecretArgumentError("token", run, "or add --generate for a new one")
    if generate and remove:
        raise click.UsageError("--generate and --remove exclude each other")
    if generate and command is not None:
        raise click.UsageError("--generate and --command exclude each other")
    settings = open_settings(quiet=True)
    if remove:
        return remove_stored(settings, WEBHOOK_TOKEN_TEXTS, environment, yes=yes)
    name = resolve_name(settings, environment, new=new)
    if name is None or not _may_replace(settings, name, yes=yes):
        return ExitCode.USAGE
    settings = read_secrets(settings)
    text = generate_token() if generate else read_text(f"webhook token of {name}", command, keyring=keyring)
    secret = accept_secret(settings, WEBHOOK_TOKEN_TEXTS, name, text, force=yes)
    if secret is None:
        return ExitCode.USAGE
    store_secret(settings, WEBHOOK_TOKEN_TEXTS, name, secret, keyring=keyring, command=command)
    if generate:
        output.write_line(secret)
        diagnostics.info("it is not shown again: put it into the webhook in Sprig, as its API secret")
    return ExitCode.OK


def _may_replace(settings: Settings, environment: str, *, yes: bool) -> bool:
    """Whether the one that is stored may go: webhooks that carry it are refused from then on."""
    if yes or not stored_keys(settings, WEBHOOK_TOKEN, environment):
        return True
    if prompts.is_interactive():
        return prompts.confirm(f"{environment} has a token; webhooks that carry it will be refused. replace it?")
    diagnostics.failure(f"{environment} has a token already", "add --yes to replace it")
    return False


def generate_token() -> str:
    """A new webhook token."""
    import secrets

    return secrets.token_urlsafe(TOKEN_BYTES)


# -- the token of Segment's Public API --------------------------------------------------------------------------------


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
@keyring_option
@command_option
def workspace(
    surplus: tuple[str, ...],
    region: str | None,
    force: bool,
    remove: bool,
    keyring: bool,
    command: SecretReference | None,
) -> int:
    """Store a token of Segment's Public API, from a hidden prompt or from standard input.

    With it, keys set offers the workspace's sources by name, and keys check and doctor say which source each key
    belongs to. It is tried before it is stored. It stands in the config file, mode 0600, or with --keyring in the
    system's keyring; SPRIG_TUI_SEGMENT_TOKEN, or the variable that public_api_token_env in [segment] names, and
    public_api_token_command go before it.
    """
    if surplus:
        run = "sprig-tui keys workspace"
        raise SecretArgumentError("token", run, "and if that was a real token, revoke it")
    if remove:
        return remove_stored(
            open_settings(quiet=True),
            PUBLIC_API_TOKEN_TEXTS,
            yes=True,
            advice=lambda _: "Write Keys stay; revoke the token in Segment too",
        )
    from msgspec.structs import replace

    from sprig_tui.config.environment import PublicApiToken

    settings = read_secrets(open_settings(quiet=True))

    trials: list[SecretTrial] = []

    def find_problems(secret: str) -> list[str]:
        chosen = region or settings.workspace.region
        tried = replace(settings.workspace, token=PublicApiToken(secret), region=chosen)
        trials.append(asyncio.run(try_token(tried, tries_eu=region is None)))
        return report_trial(trials[-1])

    if command is None and prompts.is_interactive():
        diagnostics.info(PUBLIC_API_TOKEN_RULES.hint)
    text = read_text("token of Segment's Public API", command, keyring=keyring)
    secret = accept_secret(settings, PUBLIC_API_TOKEN_TEXTS, "", text, force=force, find_problems=find_problems)
    if secret is None:
        return ExitCode.USAGE
    found = region or next((trial.region for trial in trials if trial.region), "")
    others: dict[str, TomlValue | None] = {"region": found} if found else {}
    place = save_secret(settings, PUBLIC_API_TOKEN, "", secret, keyring=keyring, command=command, others=others)
    report_stored(PUBLIC_API_TOKEN_TEXTS, "", place, open_settings(quiet=True).workspace.token, command)
    diagnostics.info("sprig-tui keys set ENV now offers the workspace's sources; sprig-tui keys check looks keys up")
    return ExitCode.OK
