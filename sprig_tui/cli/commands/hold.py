"""Command `hold`: holds the queues of environments."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.context import journal_session, open_settings
from sprig_tui.cli.options import DURATION_TYPE, ENVIRONMENT_TYPE, command, json_option
from sprig_tui.errors import ExitCode

if TYPE_CHECKING:
    from sprig_tui.delivery.hold import Hold

QUIET_TIMEOUT_S = 30.0
"""Seconds: a request ends within 15."""


@command("hold")
@click.argument("environments", type=ENVIRONMENT_TYPE, metavar="ENV...", nargs=-1, required=True)
@click.option("--why", default="", metavar="TEXT", help="The reason, for others who find the queue held.")
@click.option(
    "--wait",
    type=DURATION_TYPE,
    default=QUIET_TIMEOUT_S,
    show_default="30s",
    help="Wait so long for what is being sent at the moment; 0: do not wait.",
)
@json_option
def hold(environments: tuple[str, ...], why: str, wait: float, as_json: bool) -> int:
    """Hold the queue of an environment: nothing is sent to it, by any process, until it is resumed.

    Answers are still taken in: they are queued and can be looked at with sprig-tui log is:held, taken back with
    sprig-tui withdraw, and sent with sprig-tui resume ENV. The hold is kept in the journal, with who, when and why. It
    survives restarts, and each process that shares the journal sees it within a second. It can be made before the
    first answer is there. A run with --endpoint sends elsewhere and is not held.

    What a worker has claimed already is sent; the command waits for that. Holding again changes the reason.

    Exit code 0 when nothing is being sent any more, 1 when something still was after the wait.
    """
    return asyncio.run(_hold(tuple(dict.fromkeys(environments)), why, wait, as_json=as_json))


async def _hold(names: tuple[str, ...], why: str, wait: float, *, as_json: bool) -> int:
    from sprig_tui.clock import SystemClock
    from sprig_tui.delivery.hold import HELD_FILTER, hold_lane, read_holds, wait_until_quiet

    settings = open_settings(quiet=True)
    for name in names:
        settings.environment(name)
    async with journal_session(settings) as journal:
        for name in names:
            await hold_lane(journal, name, why)
        with diagnostics.ProgressLine() as shown:
            left = await wait_until_quiet(
                journal, names, wait, lambda number: shown.update(f"held; {number:,} are still being sent")
            )
        holds = await read_holds(journal)
    now = SystemClock().now()
    if as_json:
        output.write_json({"environments": {name: hold_json(holds.get(name)) for name in names}, "sending": left})
    for name in names:
        if (found := holds.get(name)) is None:
            diagnostics.warning(f"{name} is not held: somebody has resumed it already")
            continue
        diagnostics.success(f"{name} is {found.text(now)}")
        diagnostics.info(f"  {found.queue_text(now)}")
    if left:
        diagnostics.warning(f"{left:,} are still being sent: a worker had claimed them", "sprig-tui status counts them")
    diagnostics.info(f"sprig-tui log {HELD_FILTER} shows what waits; sprig-tui resume {names[0]} sends it")
    return ExitCode.REJECTED if left else ExitCode.OK


def hold_json(hold: Hold | None) -> dict[str, Any] | None:
    """A hold as JSON; None for none."""
    from sprig_tui.formatting import iso_time

    if hold is None:
        return None
    return {
        "by": hold.by or None,
        "since": iso_time(hold.since),
        "why": hold.why or None,
        "deliveries": hold.waiting,
        "being_sent": hold.sending,
    }
