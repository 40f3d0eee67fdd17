"""Command `resume`: resumes held queues, and lets paused lanes try again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, output, prompts
from sprig_tui.cli.context import journal_exists, journal_session, open_settings
from sprig_tui.cli.options import ENVIRONMENT_TYPE, command, json_option, yes_option
from sprig_tui.errors import ExitCode

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.hold import Hold
    from sprig_tui.journal.base import Journal


@command("resume")
@click.argument("environments", type=ENVIRONMENT_TYPE, metavar="ENV...", nargs=-1, required=True)
@yes_option
@json_option
def resume(environments: tuple[str, ...], yes: bool, as_json: bool) -> int:
    """Resume the queue of an environment that is held, or let one that is paused try again at once.

    A hold with deliveries behind it is counted first, and asks; a protected environment asks for its name. An
    environment that is paused over a rejected key or a wrong address resumes automatically once that is corrected: use
    this when both were right, and Segment was wrong.
    """
    return asyncio.run(resume_lanes(tuple(dict.fromkeys(environments)), yes=yes, as_json=as_json))


async def resume_lanes(names: tuple[str, ...], *, yes: bool, as_json: bool = False) -> int:
    """Resume these environments; returns the exit code."""
    settings = open_settings(quiet=True)
    for name in names:
        settings.environment(name)
    resumed: list[str] = []
    code = ExitCode.OK
    if not journal_exists(settings):
        diagnostics.info(f"{', '.join(names)}: not held or paused, there is no journal yet")
    else:
        async with journal_session(settings) as journal:
            for name in names:
                if not await _resume(journal, settings, name, yes=yes):
                    code = ExitCode.USAGE
                    break
                resumed.append(name)
    if as_json:
        output.write_json({"resumed": resumed})
    return code


async def _resume(journal: Journal, settings: Settings, name: str, *, yes: bool) -> bool:
    """Resume one; False where that was refused."""
    from sprig_tui.clock import SystemClock
    from sprig_tui.delivery.hold import newer_hold, read_holds

    lane = (await journal.lanes()).get(name)
    if lane is None or lane.state == "open":
        diagnostics.info(f"{name} is not held or paused")
        return True
    hold = (await read_holds(journal)).get(name)
    now = SystemClock().now()
    if hold is not None:
        diagnostics.info(f"{name} is {hold.text(now)}; {hold.queue_text(now)}")
        if hold.waiting and not yes and not _is_confirmed(settings, hold):
            return False
    if (newer := await newer_hold(journal, name, hold)) is not None:
        diagnostics.failure(f"{name} was not resumed: it is {newer.text(now)} meanwhile", "look, and try again")
        return False
    await journal.set_lane(name, "open")
    was = hold.text(now) if hold is not None else f"{lane.state}: {lane.cause}"
    diagnostics.success(f"{name} is resumed; it was {was}")
    diagnostics.info("sprig-tui run delivers what is queued")
    return True


def _is_confirmed(settings: Settings, hold: Hold) -> bool:
    name = hold.environment
    if not prompts.is_interactive():
        diagnostics.failure(
            f"{name} is still held: there is no terminal to confirm it at", "add --yes to send what is held"
        )
        return False
    if settings.environment(name).protected:
        agreed = prompts.confirm_name(f"{name} is protected: {hold.waiting:,} go there", name)
    else:
        agreed = prompts.confirm(f"send the {hold.waiting:,} that are held?")
    if not agreed:
        diagnostics.info(f"{name} is still held")
    return agreed
