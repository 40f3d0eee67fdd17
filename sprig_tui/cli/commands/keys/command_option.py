"""Option `--command` of those that store a secret: its output is the secret, and the config names the command."""

from __future__ import annotations

import os
import shlex
from typing import Any

import click

from sprig_tui.cli import diagnostics, prompts
from sprig_tui.config.secret_references import SecretReference, parse_command
from sprig_tui.errors import ConfigError


class _CommandType(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases of click only
    """A command line, divided as a shell divides it."""

    name = "command"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> SecretReference:
        """The command, or a usage error, which never repeats it: its arguments could hold a secret."""
        if isinstance(value, SecretReference):
            return value
        try:
            return parse_command(shlex.split(value), "--command")
        except ValueError:
            self.fail("a quotation mark is not closed", param, ctx)
        except ConfigError as error:
            self.fail(f"{error.message.removeprefix('--command ')}; {error.hint}", param, ctx)


command_option = click.option(
    "--command",
    type=_CommandType(),
    metavar="COMMAND",
    help="Read it from this command from now on, such as 'op read op://team/segment/key'; no shell runs it.",
)


def read_command(command: SecretReference, *, excluded: tuple[str, ...]) -> str:
    """The secret that the command prints. Raises ConfigError, and UsageError where an `excluded` option was given."""
    from sprig_tui.config.secret_reader import read_reference

    if excluded:
        raise click.UsageError(f"--command and {excluded[0]} exclude each other")
    diagnostics.info(f"asking the {command.label}")
    return read_reference(command, os.environ, terminal=prompts.is_interactive())
