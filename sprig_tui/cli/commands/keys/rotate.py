"""Command `keys rotate`: a new Write Key for the source of the present one, without a gap."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, output, prompts
from sprig_tui.cli.commands.keys.rotation import make_new_key, report_removal, rotation_json, switch_key
from sprig_tui.cli.commands.keys.rotation_counts import DEFAULT_LOOK_S, look_for_counts, send_event_with_new_key
from sprig_tui.cli.commands.keys.secrets import WRITE_KEY_TEXTS, accept_secret
from sprig_tui.cli.context import open_settings, read_secrets
from sprig_tui.cli.options import ENVIRONMENT_TYPE, CliCommand, SecretArgumentError, json_option, yes_option
from sprig_tui.config.secrets import PUBLIC_API_TOKEN, WRITE_KEY
from sprig_tui.errors import ConfigError, ExitCode, SegmentApiError

if TYPE_CHECKING:
    from sprig_tui.setup.key_switch import Rotation


@click.command("rotate", cls=CliCommand, short_help="Replace a key by a new one of the same source, without a gap.")
@click.argument("environment", type=ENVIRONMENT_TYPE, metavar="ENV")
@click.argument("surplus", nargs=-1, metavar="", type=click.UNPROCESSED)
@click.option("--paste", is_flag=True, help="Use a key that was made in Segment: from a hidden prompt or stdin.")
@click.option("--send-test-event", is_flag=True, help="Send one with the new key, and wait until Segment counts it.")
@click.option(
    "--look",
    "look_s",
    type=click.IntRange(0, 3600),
    metavar="SECONDS",
    help=f"How long to look for counts; {DEFAULT_LOOK_S} with --send-test-event, else 0.",
)
@click.option("--force", is_flag=True, help="Take a pasted key that looks odd, or whose source does.")
@yes_option
@json_option
def rotate(
    environment: str,
    surplus: tuple[str, ...],
    *,
    paste: bool,
    send_test_event: bool,
    look_s: int | None,
    force: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Switch ENV to a new Write Key of the same source; the old one works until you remove it in Segment.

    With a token of Segment's Public API (sprig-tui keys workspace) the new key is made there; without one, or with
    --paste, you make it in Segment (Generate New Key) and paste it. The config is changed, and running processes that
    use it take the new key by themselves. The old key is never removed by this command. Exit code 1 when a test event
    was sent and not counted in time, 3 when Segment was not reached.
    """
    from sprig_tui.setup.key_switch import Rotation, check_replaceable

    if surplus:
        run = f"sprig-tui keys rotate {environment[:40]} --paste"
        raise SecretArgumentError("key", run, "and if that was a real key, replace it")
    settings = open_settings(quiet=True)
    # a command of the config does not run for a key that cannot be replaced
    check_replaceable(settings.environment(environment))
    settings = read_secrets(settings, WRITE_KEY, PUBLIC_API_TOKEN)
    found = settings.environment(environment)
    rotation = Rotation(settings, found, check_replaceable(found))
    paste = paste or settings.workspace.token is None
    try:
        _find_source(rotation, needed=not paste)
        pasted = _read_pasted_key(rotation, force=force) if paste else ""
        agreed = pasted is not None and _confirm(rotation, pasted=pasted, sends=send_test_event, yes=yes)
    except KeyboardInterrupt:
        diagnostics.info("nothing was made or changed")
        raise
    if pasted is None or not agreed:
        return ExitCode.USAGE
    look = look_s if look_s is not None else DEFAULT_LOOK_S if send_test_event else 0
    code = asyncio.run(_rotate(rotation, pasted, send_test_event=send_test_event, look_s=look))
    if as_json and rotation.switched_at:
        output.write_json(rotation_json(rotation))
    return code


def _find_source(rotation: Rotation, *, needed: bool) -> None:
    """Find the source that gets a further key; `needed` raises ConfigError or SegmentApiError where that fails."""
    from sprig_tui.cli.workspace import list_sources
    from sprig_tui.setup.key_switch import find_source, mismatch_texts, no_source_text

    if rotation.settings.workspace.token is None:
        return
    try:
        owner = find_source(rotation, list_sources(rotation.settings))
    except (SegmentApiError, ConfigError) as error:
        if needed:
            raise
        diagnostics.warning(f"whose key it is could not be asked: {error.message}", error.hint)
        return
    for mismatch in mismatch_texts(rotation, owner):
        diagnostics.warning(mismatch)
    if owner.source is None and needed:
        name = rotation.name
        raise ConfigError(
            no_source_text(rotation, owner),
            hint=f"make the key in Segment, then sprig-tui keys rotate {name} --paste; or sprig-tui keys set {name}",
        )


def _read_pasted_key(rotation: Rotation, *, force: bool) -> str | None:
    """The new key from a prompt or a pipe; None, with the reason on stderr, where it cannot be used."""
    from sprig_tui.config.secret_lint import WRITE_KEY_RULES, lint_secret
    from sprig_tui.setup.key_switch import present_key_fault

    if prompts.is_interactive():
        diagnostics.info(f"in Segment press Generate New Key: {rotation.keys_place}")
    text = prompts.read_secret(f"new write key of {rotation.name}")
    if fault := present_key_fault(rotation, lint_secret(text, WRITE_KEY_RULES).secret):
        diagnostics.failure(fault, "paste the new one")
        return None
    return accept_secret(
        rotation.settings,
        WRITE_KEY_TEXTS,
        rotation.name,
        text,
        force=force,
        find_problems=lambda key: _pasted_key_problems(rotation, key),
    )


def _pasted_key_problems(rotation: Rotation, key: str) -> list[str]:
    """What the workspace says against a pasted key; its source becomes known."""
    from sprig_tui.cli.workspace import list_sources
    from sprig_tui.setup.key_owner import find_owner
    from sprig_tui.setup.key_switch import other_source_text

    if rotation.settings.workspace.token is None:
        return []
    try:
        owner = find_owner(key, list_sources(rotation.settings), rotation.settings, rotation.name)
    except (SegmentApiError, ConfigError) as error:
        diagnostics.warning(f"whose key it is could not be asked: {error.message}", error.hint)
        return []
    rotation.new_source = owner.source
    problems = [*owner.warnings, *filter(None, (other_source_text(rotation, owner),))]
    if owner.text not in problems:
        diagnostics.info(f"the new key: {owner.text}")
    for problem in problems:
        diagnostics.warning(problem)
    return problems


def _confirm(rotation: Rotation, *, pasted: str, sends: bool, yes: bool) -> bool:
    """Say exactly what will happen, and ask."""
    from sprig_tui.setup.key_switch import rotation_notes

    name = rotation.name
    for note in rotation_notes(rotation, pasted, sends_test_event=sends):
        if note.is_warning:
            diagnostics.warning(note.text, note.hint)
        else:
            diagnostics.info(note.text)
    if yes:
        return True
    if not prompts.is_interactive():
        diagnostics.failure("nothing was made or changed: there is no terminal to confirm it at", "add --yes")
        return False
    question = f"switch {name} to a new key?"
    agreed = prompts.confirm_name(question, name) if rotation.environment.protected else prompts.confirm(question)
    if not agreed:
        diagnostics.info("nothing was made or changed")
    return agreed


async def _rotate(rotation: Rotation, pasted: str, *, send_test_event: bool, look_s: int) -> ExitCode:
    from sprig_tui.cli.shutdown import ShutdownRequested, ShutdownSignals

    with ShutdownSignals() as signals:
        if pasted:
            rotation.new_key = pasted
        elif not await make_new_key(rotation, signals):
            return ExitCode.INTERRUPTED
        await switch_key(rotation)
        code = ExitCode.OK
        try:
            if send_test_event:
                code = await signals.guard(send_event_with_new_key(rotation))
            if look_s and code == ExitCode.OK:
                code = await signals.guard(look_for_counts(rotation, look_s, sent=send_test_event))
        except ShutdownRequested:
            diagnostics.info(f"stopped; {rotation.name} uses the new key already")
            code = ExitCode.INTERRUPTED
    report_removal(rotation)
    return code
