"""Command `pull`: reads answers from Sprig's REST API, and delivers them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from msgspec import Struct

from sprig_tui.cli import prompts
from sprig_tui.cli.context import open_settings, read_secrets
from sprig_tui.cli.options import DURATION_TYPE, ENVIRONMENT_TYPE, ParamType, command, json_option, yes_option
from sprig_tui.cli.run_options import RunOptions, run_options
from sprig_tui.config.secrets import HMAC_KEY, PUBLIC_API_TOKEN, SPRIG_API_KEY, WRITE_KEY
from sprig_tui.errors import ConfigError, FilterError, InputError

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.pull.request import PullRequest


class TimeArgument(NamedTuple):
    """A time on the command line."""

    text: str
    ms: int


class TimeType(ParamType):
    """A time as in filters: an age (7d), a date, a time, today or yesterday."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> TimeArgument:
        """The text and its epoch milliseconds, or a usage error."""
        from sprig_tui.clock import SystemClock
        from sprig_tui.journal.moments import parse_moment

        if isinstance(value, TimeArgument):
            return value
        words = value.strip().replace('"', "")
        try:
            ms = parse_moment(words, SystemClock().now())
        except FilterError as error:
            self.fail(f"{error.message}; {error.hint}", param, ctx)
        return TimeArgument(words, max(0, ms))


class ApiUrlType(ParamType):
    """The address of an API."""

    name = "URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address without `/v1`, or a usage error."""
        from sprig_tui.config.urls import parse_api_url

        try:
            return parse_api_url(value, "")[0]
        except ConfigError as error:
            self.fail(f"{error.message}; {error.hint}", param, ctx)


class PullOptions(Struct, frozen=True, kw_only=True):
    """Options of one pull as given."""

    since: TimeArgument | None = None
    until: TimeArgument | None = None
    survey: int | None = None
    overlap: float = 3600.0
    without_snapshots: bool = False
    with_deleted: bool = False
    restart: bool = False
    api_url: str | None = None

    def to_request(self) -> PullRequest:
        """The pull request; raises UsageError for an empty window."""
        from sprig_tui.pull.request import PullRequest

        if self.since is not None and self.until is not None and self.since.ms >= self.until.ms:
            raise click.UsageError("--since is not before --until")
        return PullRequest(
            since=self.since.ms if self.since else None,
            until=self.until.ms if self.until else None,
            survey=self.survey,
            snapshots=not self.without_snapshots,
            deleted=self.with_deleted,
            overlap_ms=int(self.overlap * 1000),
            restart=self.restart,
            words=_request_text(self.since, self.until),
        )


def _request_text(since: TimeArgument | None, until: TimeArgument | None) -> str:
    """The window as given, to find an interrupted pull; empty for an incremental one."""
    if since is None and until is None:
        return ""
    return f"{since.text if since else ''}..{until.text if until else ''}"


_TIME = TimeType()
_OPTIONS = (
    click.option("--since", type=_TIME, help="Answers created from then on (7d, 2026-03-01), not only what is new."),
    click.option("--until", type=_TIME, help="Answers created up to then."),
    click.option("--survey", type=click.IntRange(0), metavar="ID", help="Answers of one survey."),
    click.option("--overlap", type=DURATION_TYPE, default=3600.0, show_default="1h", help="Read so much again."),
    click.option("--without-snapshots", is_flag=True, help="Leave out attributes, email and triggering event."),
    click.option("--with-deleted", is_flag=True, help="Also answers deleted in Sprig; they are withheld."),
    click.option("--restart", is_flag=True, help="Do not resume an interrupted pull."),
    click.option("--api-url", type=ApiUrlType(), help="Where the API is, if not at Sprig."),
)


def pull_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command receives them as `reading`."""

    def wrapped(**options: Any) -> Any:
        given = {name: options.pop(name) for name in PullOptions.__struct_fields__}
        return function(**options, reading=PullOptions(**given))

    wrapped.__doc__ = function.__doc__
    wrapped.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]  # click's own place for parameters
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


MIN_INTERVAL_S = 10.0
"""Seconds; Sprig takes 1,000 requests in five minutes, and a pull makes two at least."""


@command("pull")
@click.option(
    "-e",
    "--environment",
    "--env",
    "environments",
    multiple=True,
    type=ENVIRONMENT_TYPE,
    metavar="ENV",
    help="Whose key to read with; without it, every environment that has one.",
)
@pull_options
@click.option("--every", type=DURATION_TYPE, help="Pull again so often, such as 5m, until stopped.")
@run_options
@click.option("--dry-run", is_flag=True, help="Read, map and count; store and send nothing.")
@click.option("--no-wait", is_flag=True, help="Store only; sprig-tui run delivers.")
@yes_option
@json_option
def pull(
    environments: tuple[str, ...],
    reading: PullOptions,
    every: float | None,
    terms: RunOptions,
    dry_run: bool,
    no_wait: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Read new answers from Sprig's REST API, and deliver them.

    The API key of an environment comes from SPRIG_TUI_SPRIG_API_KEY_<ENV>, or is stored by `sprig-tui keys sprig ENV`;
    what it gives belongs to that environment. The first pull reads everything, later ones what is new.
    An interrupted pull resumes where it stopped. Reading an answer again sends nothing twice.
    """
    if every is not None and (dry_run or reading.until is not None):
        raise click.UsageError("--every goes neither with --dry-run nor with --until")
    if every is not None and every < MIN_INTERVAL_S:
        raise click.UsageError(f"--every is {MIN_INTERVAL_S:.0f}s at least")
    asked = reading.to_request()
    settings = open_settings()
    deliver = not no_wait and not dry_run
    kinds = (SPRIG_API_KEY, HMAC_KEY, *((WRITE_KEY, PUBLIC_API_TOKEN) if deliver else ()))
    settings = read_secrets(settings, *kinds, environments=_wanted_environments(settings, environments))
    names = select_environments(settings, environments, deliver=deliver)
    if deliver and not yes:
        _require_consent(settings, names, environments)
    from sprig_tui.cli.commands.pull_run import PullRun

    pulling = PullRun(settings, terms, asked, environments, reading.api_url, deliver=deliver)

    async def run() -> int:
        if dry_run:
            return await pulling.dry_run(as_json=as_json)
        if every is not None:
            return await pulling.run_repeatedly(every, as_json=as_json)
        return await pulling.run_once(as_json=as_json)

    return asyncio.run(run())


def _wanted_environments(settings: Settings, named: tuple[str, ...]) -> list[str]:
    """Those that are named, else all that have a key of Sprig's API."""
    return list(named) or [name for name, found in settings.environments.items() if found.sprig_api_key is not None]


def select_environments(settings: Settings, named: tuple[str, ...], *, deliver: bool) -> list[str]:
    """The environments to pull for; raises ConfigError where a key is missing."""
    names = list(dict.fromkeys(named))
    for name in names:
        if settings.environment(name).sprig_api_key is None:
            raise ConfigError(f"{name} has no key of Sprig's API", hint=f"set one with sprig-tui keys sprig {name}")
    names = names or _wanted_environments(settings, ())
    if not names:
        raise ConfigError(
            "no environment has a key of Sprig's API", hint="set one with sprig-tui keys sprig production"
        )
    for name in names:
        if deliver and settings.environments[name].write_key is None:
            raise ConfigError(
                f"{name} has no write key", hint=f"set one with sprig-tui keys set {name}, or queue with --no-wait"
            )
    return names


def _require_consent(settings: Settings, names: list[str], named: tuple[str, ...]) -> None:
    """Ask for the name of each protected environment; in a script naming it with -e is the consent."""
    for name in names:
        if not settings.environments[name].protected:
            continue
        if not prompts.is_interactive():
            if name not in named:
                raise ConfigError(
                    f"{name} is protected, and there is no terminal to ask at",
                    hint=f"name it with -e {name}, or add --yes",
                )
        elif not prompts.confirm_name(f"{name} is protected: answers will be sent there", name):
            raise InputError(f"not pulled: {name} was not confirmed", hint="nothing was read")
