"""The options that say what `pull` reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from msgspec import Struct

from sprig_tui.cli.commands import DURATION_TYPE, ParamType
from sprig_tui.errors import ConfigError, FilterError

if TYPE_CHECKING:
    from sprig_tui.pull.request import PullRequest


class TimeArgument(NamedTuple):
    """A time on the command line."""

    text: str
    ms: int


class TimeType(ParamType):
    """A time as in filters: an age (7d), a date, a time, today or yesterday."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> TimeArgument:
        """The words and what they mean in epoch milliseconds, or a usage error."""
        from sprig_tui.clock import SystemClock
        from sprig_tui.journal.filter import parse_moment

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
        from sprig_tui.config.endpoint import parse_api_url

        try:
            return parse_api_url(value, "")[0]
        except ConfigError as error:
            self.fail(f"{error.message}; {error.hint}", param, ctx)


class PullOptions(Struct, frozen=True, kw_only=True):
    """What was given on the command line."""

    since: TimeArgument | None = None
    until: TimeArgument | None = None
    survey: int | None = None
    overlap: float = 3600.0
    without_snapshots: bool = False
    with_deleted: bool = False
    restart: bool = False
    api_url: str | None = None

    def to_request(self) -> PullRequest:
        """The same for the puller; raises UsageError for a window that holds nothing."""
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
    """What was given, for finding an interrupted pull again; empty for what is new."""
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
    click.option("--restart", is_flag=True, help="Do not go on with a pull that was interrupted."),
    click.option("--api-url", type=ApiUrlType(), help="Where the API is, if not at Sprig."),
)


def pull_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options; the command gets them as one `reading`."""

    def wrapped(**options: Any) -> Any:
        given = {name: options.pop(name) for name in PullOptions.__struct_fields__}
        return function(**options, reading=PullOptions(**given))

    wrapped.__doc__ = function.__doc__
    wrapped.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]  # click's own place for parameters
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
