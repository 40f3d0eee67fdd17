"""Command `doctor`: checks config, keys, journal and endpoints."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import output
from sprig_tui.cli.context import open_settings, read_secrets
from sprig_tui.cli.options import command, json_option
from sprig_tui.cli.text_wrap import wrap
from sprig_tui.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from sprig_tui.cli.commands.doctor.local import CheckResult

TEXT_INDENT_COLUMNS, MIN_WIDE_COLUMNS = 15, 60
"""Columns before the text of a check, and of a terminal where there is room for them."""
LEVEL_MARKS = {"ok": ("✓", "ok", "good"), "warning": ("!", "!", "warning"), "fault": ("✗", "x", "bad")}


@command("doctor")
@click.option("--offline", is_flag=True, help="Leave the network alone.")
@click.option(
    "--timeout", type=click.FloatRange(0, 120, min_open=True), default=10.0, show_default=True, metavar="SECONDS"
)
@json_option
def doctor(offline: bool, timeout: float, as_json: bool) -> int:
    """Check config, keys, environments, journal, endpoints and clock, and say what to do.

    No event is sent. With a token of Segment's Public API (sprig-tui keys workspace) the source of each key is looked
    up. Exit code 0 with nothing worse than warnings, 1 with faults, 2 when the config is at fault, 3
    when an endpoint cannot be reached.
    """
    checks = asyncio.run(_run_checks(offline=offline, timeout_s=timeout))
    if as_json:
        output.write_json({"checks": checks})
    else:
        for check in checks:
            output.write_lines(_check_lines(check))
    return _exit_code(checks)


async def _run_checks(*, offline: bool, timeout_s: float) -> list[CheckResult]:
    from sprig_tui.cli.commands.doctor.local import (
        CheckResult,
        config_checks,
        held_config_checks,
        journal_checks,
        serve_checks,
        terminal_check,
        token_checks,
    )
    from sprig_tui.config.paths import find_paths

    try:
        settings = await asyncio.to_thread(read_secrets, open_settings(quiet=True), quiet=True)
    except ConfigError as error:
        return [
            CheckResult("config", "fault", error.message, error.hint),
            *held_config_checks(find_paths()),
            terminal_check(),
        ]
    found = [
        *config_checks(settings),
        *serve_checks(settings),
        *await journal_checks(settings),
        terminal_check(),
    ]
    if settings.workspace.token is not None:
        from sprig_tui.cli.commands.suppressed import describe
        from sprig_tui.cli.context import load_suppressed

        found.append(CheckResult("suppressed", *describe(load_suppressed(settings), settings)))
    if offline:
        found.extend(token_checks(settings))
    else:
        from sprig_tui.cli.commands.doctor.remote import endpoint_checks, oauth_checks, profile_checks

        found.extend(await endpoint_checks(settings, timeout_s))
        found.extend(await oauth_checks(settings, timeout_s))
        found.extend(await profile_checks(settings, timeout_s))
        if any(environment.sprig_api_key is not None for environment in settings.environments.values()):
            from sprig_tui.cli.commands.doctor.remote import sprig_checks

            found.extend(await sprig_checks(settings, timeout_s))
        if settings.workspace.token is not None:
            from sprig_tui.cli.commands.doctor.workspace import workspace_checks

            found.extend(await workspace_checks(settings, timeout_s))
    return found


def _check_lines(check: CheckResult) -> list[str]:
    from sprig_tui.text import one_line

    symbol, plain, style = LEVEL_MARKS[check.level]
    mark = output.paint(output.mark(symbol, plain), style)
    hint = one_line(check.hint) if check.level != "ok" else ""
    columns = output.terminal_columns()
    if not columns:
        lines = [f"{mark} {check.name:<13}{one_line(check.message)}"]
        return [*lines, f"  {'':<13}{output.paint(hint, 'dim')}"] if hint else lines
    indent = " " * (TEXT_INDENT_COLUMNS if columns >= MIN_WIDE_COLUMNS else 4)
    words = [*wrap(one_line(check.message), columns - 1 - len(indent))]
    lines = [f"{mark} {check.name:<13}{words.pop(0) if columns >= MIN_WIDE_COLUMNS and words else ''}".rstrip()]
    lines += [indent + piece for piece in words]
    lines += [indent + output.paint(piece, "dim") for piece in wrap(hint, columns - 1 - len(indent))]
    return lines


def _exit_code(checks: list[CheckResult]) -> ExitCode:
    faults = {check.name for check in checks if check.level == "fault"}
    if "config" in faults:
        return ExitCode.USAGE
    if "endpoint" in faults:
        return ExitCode.UNREACHABLE
    return ExitCode.REJECTED if faults else ExitCode.OK
