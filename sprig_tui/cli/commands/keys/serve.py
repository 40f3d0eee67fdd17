"""Command `keys serve`: the token that a browser has to show to `sprig-tui serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.commands.keys.command_option import command_option
from sprig_tui.cli.commands.keys.secrets import (
    SecretTexts,
    accept_secret,
    generate_token,
    keyring_option,
    read_text,
    remove_stored,
    report_stored,
)
from sprig_tui.cli.commands.keys.storage import save_secret
from sprig_tui.cli.context import open_settings, read_secrets
from sprig_tui.cli.options import CliCommand, SecretArgumentError, yes_option
from sprig_tui.config.secrets import SERVE_TOKEN
from sprig_tui.errors import ExitCode

if TYPE_CHECKING:
    from sprig_tui.config.environment import Secret
    from sprig_tui.config.secret_references import SecretReference

_TEXTS = SecretTexts(SERVE_TOKEN, "token of serve", "a browser should not hold what opens something else", "--yes")


@click.command("serve", cls=CliCommand, short_help="Store the token that a browser shows to sprig-tui serve.")
@click.argument("surplus", nargs=-1, metavar="", type=click.UNPROCESSED)
@click.option("--generate", is_flag=True, help="Make one, and print it once.")
@click.option("--remove", is_flag=True, help="Remove it from the config.")
@keyring_option
@command_option
@yes_option
def serve(
    surplus: tuple[str, ...],
    *,
    generate: bool,
    remove: bool,
    keyring: bool,
    command: SecretReference | None,
    yes: bool,
) -> int:
    """Store the token of sprig-tui serve, from a hidden prompt or standard input; never from the command line.

    Who has it may act in the console in a browser as at a terminal. It is read from SPRIG_TUI_SERVE_TOKEN, else from
    the variable that token_env in [serve] names, else from token_command, the keyring or the config. A server that
    runs keeps the token with which it started.
    """
    if surplus:
        raise SecretArgumentError("token", "sprig-tui keys serve", "or add --generate for a new one")
    if generate and (remove or command is not None):
        raise click.UsageError(f"--generate and {'--remove' if remove else '--command'} exclude each other")
    settings = open_settings(quiet=True)
    if remove:
        return remove_stored(settings, _TEXTS, yes=yes, advice=_advice)
    settings = read_secrets(settings)
    text = generate_token() if generate else read_text("token of serve", command, keyring=keyring)
    secret = accept_secret(settings, _TEXTS, "", text, force=yes)
    if secret is None:
        return ExitCode.USAGE
    place = save_secret(settings, SERVE_TOKEN, "", secret, keyring=keyring, command=command)
    report_stored(_TEXTS, "", place, open_settings(quiet=True).serve_token, command)
    if generate:
        output.write_line(secret)
        diagnostics.info("it is not shown again: the page of sprig-tui serve asks for it")
    return ExitCode.OK


def _advice(left: Secret | None) -> str:
    if left is None:
        return "it is read-only from its next start"
    return f"from its next start it takes the one from {left.read_from}"
