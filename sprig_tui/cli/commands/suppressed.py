"""Command `suppressed`: the stored list of users whom Segment suppresses."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.context import load_suppressed, open_settings, read_secrets
from sprig_tui.cli.options import command, json_option
from sprig_tui.config.secrets import PUBLIC_API_TOKEN
from sprig_tui.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.suppressed_users import SuppressedUsers

STALE_FACTOR = 2
"""Age at which the list is called old, as a multiple of the interval."""


@command("suppressed")
@click.option("--refresh", is_flag=True, help="Read the list from Segment now.")
@json_option
def suppressed(refresh: bool, as_json: bool) -> int:
    """Users whom Segment suppresses: the age of the list, and reading it.

    What is mapped, queued or replayed for one of them is withheld, with the reason `suppressed`: Segment would drop it.
    The list is that of the workspace (/suppressions, and the requests of the last 90 days of /regulations), read with
    the token of `sprig-tui keys workspace` while anything delivers (run, listen, send, pull, replay, the console), each
    hour or as [segment] suppressed_every says. User ids are stored as hashes. A list that cannot be read is said once,
    and blocks nothing. When a user is suppressed no more, sprig-tui replay reason:suppressed sends what was withheld.
    """
    settings = open_settings()
    if refresh:
        settings = read_secrets(settings, PUBLIC_API_TOKEN)
    if settings.workspace.token is None:
        from sprig_tui.cli.workspace import NO_TOKEN_HINT

        raise ConfigError("no token of Segment's Public API is configured", hint=NO_TOKEN_HINT)
    users = asyncio.run(_refresh(settings)) if refresh else load_suppressed(settings)
    found = describe(users, settings)
    if as_json:
        output.write_json(_as_json(users))
    else:
        output.write_line(found.message)
        if found.hint:
            diagnostics.info(found.hint)
    return ExitCode.OK


async def _refresh(settings: Settings) -> SuppressedUsers:
    from sprig_tui.cli.workspace import print_wait
    from sprig_tui.clock import SystemClock
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.token_rejection import TokenWatcher
    from sprig_tui.delivery.suppressed_users import SuppressedUsersStore
    from sprig_tui.delivery.suppression_watch import fetch_suppressed_users

    clock = SystemClock()
    token = TokenWatcher(find_paths().state_dir, settings.workspace, clock)
    found = await fetch_suppressed_users(settings.workspace, clock, token, on_wait=print_wait)
    store = SuppressedUsersStore(find_paths().state_dir, settings.workspace)
    return store.save(found.user_ids, clock.now(), found.missing)


class Description(NamedTuple):
    """State of the list, as `doctor` shows it too."""

    level: Literal["ok", "warning", "fault"]
    message: str
    hint: str = ""


def describe(users: SuppressedUsers, settings: Settings) -> Description:
    """The list's size, age and gaps in words."""
    from sprig_tui.clock import SystemClock
    from sprig_tui.formatting import time_ago

    if not users.read_at:
        return Description(
            "warning",
            "the list of suppressed users was not read yet: nobody is withheld as suppressed",
            "sprig-tui suppressed --refresh reads it, and so does whatever delivers",
        )
    now = SystemClock().now()
    number = f"{len(users):,} suppressed user{'' if len(users) == 1 else 's'}"
    message = f"{number}, read from Segment {time_ago(users.read_at, now)}"
    if users.missing:
        routes = " and ".join(route.removeprefix("GET ") for route in users.missing)
        return Description(
            "warning", f"{message}, but {routes} was refused: some may be missing", "give the token that permission"
        )
    if now - users.read_at > STALE_FACTOR * settings.workspace.suppressed_every_s * 1000:
        return Description("warning", message, "sprig-tui suppressed --refresh reads it again")
    return Description("ok", message)


def _as_json(users: SuppressedUsers) -> dict[str, Any]:
    from sprig_tui.formatting import iso_time

    return {
        "users": len(users) if users.read_at else None,
        "read_at": iso_time(users.read_at) if users.read_at else None,
        "missing": [route.removeprefix("GET ") for route in users.missing],
    }
