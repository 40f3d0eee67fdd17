"""Run options: command-line overrides of the delivery settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.cli import diagnostics
from sprig_tui.cli.options import DURATION_TYPE, ENDPOINT_TYPE
from sprig_tui.config.environment import UNREACHABLE_TIMEOUT_S

if TYPE_CHECKING:
    from sprig_tui.config.environment import DeliverySettings, Environment
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.base import Journal


class RunOptions(Struct, frozen=True, kw_only=True):
    """Options as given; None where an option was not."""

    endpoint: str | None = None
    max_retries: int | None = None
    retry_window: float | None = None
    timeout: float | None = None
    requests_per_second: float | None = None
    give_up_after: float = UNREACHABLE_TIMEOUT_S

    def environments(self, settings: Settings) -> dict[str, Environment]:
        """The environments with these overrides; none has a key that this run did not read (`read_secrets`)."""
        environments = {name: _without_unread_keys(found) for name, found in settings.environments.items()}
        given: dict[str, Any] = {}
        if self.endpoint is not None:
            given["endpoint"] = self.endpoint
        if self.requests_per_second is not None:
            given["requests_per_second"] = self.requests_per_second
        if not given:
            return environments
        if self.endpoint is None:
            return {name: replace(found, **given) for name, found in environments.items()}
        return {name: replace(found, **given, own_endpoint=found.endpoint) for name, found in environments.items()}

    def delivery(self, settings: Settings) -> DeliverySettings:
        """The engine's settings with these overrides."""
        given = {name: getattr(self, name) for name in ("max_retries", "retry_window", "timeout")}
        return replace(settings.delivery, **{name: value for name, value in given.items() if value is not None})


def _without_unread_keys(environment: Environment) -> Environment:
    if environment.write_key is None or environment.write_key.is_read:
        return environment
    return replace(environment, write_key=None)


def run_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command receives them as `terms`."""
    return _with_options(function, waits=True)


def standing_terms_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for long-running commands. They never give up; `--give-up-after` is accepted for old units."""
    return _with_options(function, waits=False)


def _with_options(function: Callable[..., Any], *, waits: bool) -> Callable[..., Any]:

    def wrapped(**options: Any) -> Any:
        given = {name: options.pop(name) for name in RunOptions.__struct_fields__}
        return function(**options, terms=RunOptions(**given))

    wrapped.__doc__ = function.__doc__
    wrapped.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]  # click's own place for parameters
    for decorate in reversed(
        (
            click.option(
                "--endpoint",
                type=ENDPOINT_TYPE,
                help="Where to send, in this run only; elsewhere than usual, it counts as delivered there alone.",
            ),
            click.option("--max-retries", type=click.IntRange(0, 1000), metavar="N", help="Retries of a delivery."),
            click.option("--retry-window", type=DURATION_TYPE, help="How long a delivery is retried, such as 12h."),
            click.option(
                "--timeout",
                type=click.FloatRange(0, 600, min_open=True),
                metavar="SECONDS",
                help="Per phase of a request.",
            ),
            click.option(
                "--requests-per-second",
                type=click.FloatRange(0, 1000, min_open=True),
                metavar="N",
                help="At most, per environment.",
            ),
            click.option(
                "--give-up-after",
                type=DURATION_TYPE,
                default=UNREACHABLE_TIMEOUT_S,
                show_default="60s",
                hidden=not waits,
                help="Stop waiting (exit 3) when an endpoint or the journal fails for so long; all stays queued.",
            ),
        )
    ):
        wrapped = decorate(wrapped)
    return wrapped


def delivering_command(options: RunOptions) -> str:
    """The command that delivers what this run leaves queued."""
    return f"sprig-tui run --endpoint {options.endpoint}" if options.endpoint is not None else "sprig-tui run"


def report_elsewhere(elsewhere: Mapping[str, str]) -> None:
    """Report environments that a long run sends to another endpoint than their own."""
    for name, url in sorted(elsewhere.items()):
        diagnostics.info(
            f"what is delivered for {name} goes to {url}, and does not count as delivered to {name}'s own endpoint;"
            " set endpoint in the config if it is meant to"
        )


HOLD_AT_START_TEXT = "asked for with --hold, to look before the first is sent"
hold_option = click.option(
    "--hold",
    "hold",
    is_flag=True,
    help="Begin with the queues held: nothing is sent until sprig-tui resume ENV.",
)


async def hold_at_start(journal: Journal, settings: Settings) -> None:
    """Hold the environments that have a Write Key; a hold that exists stays as it is. Raises JournalError."""
    from sprig_tui.delivery.hold import hold_lane

    for name, found in settings.environments.items():
        if found.write_key is not None:
            lane = await hold_lane(journal, name, HOLD_AT_START_TEXT, keep=True)
            diagnostics.info(f"{name} is {lane.cause}; sprig-tui resume {name} sends what is queued")
