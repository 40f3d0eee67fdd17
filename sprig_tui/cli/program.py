"""Command line: the table of commands, lazy loading, and what is said of a wrong one."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.ending import exit_code, report_interrupt, run_and_exit, warn_of_keys
from sprig_tui.cli.options import CliCommand, SecretArgumentError, UnknownWordError, color_option, raise_unknown_command
from sprig_tui.errors import ExitCode

MIN_SECRET_CHARS = 12
"""Minimum length of words that are checked for being a key."""


COMMANDS = {
    "demo": "Try it all: sample answers, a fake Segment, no key, no network.",
    "setup": "From nothing to the first answer in Segment, step by step.",
    "preview": "Show the mapped track call of each answer; sends nothing.",
    "send": "Map, journal and deliver files of answers.",
    "replay": "Queue deliveries again, by filter or id, and deliver them.",
    "withdraw": "Take queued deliveries back before they are sent.",
    "hold": "Hold an environment's queue: nothing is sent until it is resumed.",
    "resume": "Send what is held or paused.",
    "log": "The journal: every delivery, its state and reason.",
    "stats": "Deliveries over time, by survey, reason, failure and so on.",
    "explain": "Why one answer is, or is not, where it should be.",
    "reconcile": "Compare what was delivered with what Segment counted.",
    "run": "Deliver what is queued until stopped.",
    "forget": "Remove a person's data everywhere; take in no more of it.",
    "suppressed": "Users whom Segment suppresses: the age of the list, and reading it.",
    "status": "Lanes, counts, and the live workers of every machine.",
    "pull": "Read new answers from Sprig's REST API, and deliver them.",
    "listen": "Receive Sprig's webhooks, and deliver, until stopped.",
    "serve": "The console in a browser: read-only, or with a token to act.",
    "keys": "Write Keys and other secrets: list, set, check, remove.",
    "sink": "Run the fake Segment alone, with faults if wanted.",
    "doctor": "Check config, keys, journal and endpoints; say what to do.",
    "journal": "The journal: info, backup, verify, prune, resume, move to PostgreSQL.",
    "paths": "Where config, journal and log live.",
    "completion": "Print the completion script for bash, zsh or fish.",
    "help": "Read about a topic; without one, the list of topics.",
}
"""What `--help` says of each command; its name is that of its module in `cli.commands` and of its function there."""


class Program(click.Group):
    """A group that imports a command only when it runs or shows its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"sprig_tui.cli.commands.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click, but a file or `-` opens the console, and an unknown command suggests the nearest."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            if os.path.lexists(args[0]):
                return "open", _open_files, args
            raise_unknown_command(ctx, args[0], list(COMMANDS))
        if args and args[0] == "-":
            return "open", _open_files, args
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Format the table without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        import sprig_tui

        output.write_line(f"sprig-tui {sprig_tui.__version__}")
        ctx.exit()


@click.group(
    "sprig-tui",
    cls=Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version.")
@color_option
@click.option("--read-only", is_flag=True, help="Open the console with no way to send.")
@click.option("--no-engine", is_flag=True, help="Open the console without an engine: others deliver.")
@click.pass_context
def program(ctx: click.Context, read_only: bool, no_engine: bool) -> int:
    """Carries each Sprig survey answer into Segment: shows what is sent, loses nothing, replays what failed.

    Without a command it opens the console, on files where some are named (sprig-tui FILE...), or on what is piped into
    it (cat FILE | sprig-tui). `sprig-tui demo` is the place to start; `sprig-tui help` lists the topics of the
    documentation.

    Exit codes: 0 all delivered or nothing to do; 1 some rejected, withheld or failed; 2 usage or config;
    3 endpoint unreachable, still queued, or a journal that cannot be used now; 130 interrupted, nothing lost.
    """
    if ctx.invoked_subcommand is not None:
        return ExitCode.OK
    from sprig_tui.cli.commands.console import open_console

    return open_console(read_only=read_only, no_engine=no_engine)


@click.command("open")
@click.argument("files", nargs=-1)
@click.pass_context
def _open_files(ctx: click.Context, files: tuple[str, ...]) -> int:
    """Open the console on files, or on standard input for `-`: what `sprig-tui FILE...` does."""
    from sprig_tui.cli.commands.console import open_console

    asked = ctx.parent.params if ctx.parent else {}
    return open_console(read_only=asked["read_only"], no_engine=asked["no_engine"], files=files)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the program and leave with its exit code."""
    run_and_exit(lambda: run(argv))


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    _hide_keys(sys.argv[1:] if argv is None else argv)
    return exit_code(lambda: _invoke(argv))


def _invoke(argv: Sequence[str] | None) -> Any:
    """Run one command line, and report what click refuses of it."""
    try:
        return program.main(args=None if argv is None else list(argv), prog_name="sprig-tui", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        # stdout is for data; help for a missing argument is an error
        diagnostics.write_lines(error.ctx.get_help())
        return ExitCode.USAGE
    except click.UsageError as error:
        _report_usage_error(error)
        return ExitCode.USAGE
    except click.ClickException as error:
        diagnostics.failure(error.format_message())
        return ExitCode.USAGE
    except click.Abort:
        return report_interrupt()


def _report_usage_error(error: click.UsageError) -> None:
    from sprig_tui.cli.usage import usage_message

    usage = error.usage_message if isinstance(error, UnknownWordError) else usage_message(error)
    diagnostics.failure(usage.message, usage.hint)
    if not isinstance(error, SecretArgumentError):
        warn_of_keys()


def _hide_keys(argv: Sequence[str]) -> None:
    """Hide words that look like keys from all messages."""
    if any(len(word) >= MIN_SECRET_CHARS for word in argv):
        from sprig_tui.cli.usage import find_secrets

        diagnostics.hide_secrets(find_secrets(argv))
    else:
        diagnostics.hide_secrets([])


__all__ = ["COMMANDS", "CliCommand", "main", "program", "run"]
