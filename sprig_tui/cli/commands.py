"""What all commands share: the option for colour, and the types of their options."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from sprig_tui.cli import style
from sprig_tui.errors import SprigTuiError

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # generic in newer releases of click only

Function = TypeVar("Function", bound=Callable[..., Any])


def _choose_color(_: click.Context, __: click.Parameter, value: style.Choice | None) -> None:
    if value is not None:
        style.choose(value)


def color_option(function: Function) -> Function:
    """`--color`; it may stand before or after the command."""
    return click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        expose_value=False,
        is_eager=True,
        callback=_choose_color,
        help="Colour on terminals; auto follows NO_COLOR.",
    )(function)


class Command(click.Command):
    """A command that takes `--color` too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        color_option(self)


def command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command; its docstring is its help."""
    return click.command(name, cls=Command)


class DurationType(ParamType):
    """A duration such as 90s, 12h or 2d, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds, or a usage error."""
        from sprig_tui.config.durations import parse_duration

        try:
            return parse_duration(value)
        except SprigTuiError as error:
            self.fail(f"{error.message.removeprefix('duration: ')}; {error.hint}", param, ctx)


class EndpointType(ParamType):
    """`us`, `eu` or an address."""

    name = "us|eu|URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The endpoint as an environment holds it, or a usage error."""
        from sprig_tui.config.endpoint import parse_endpoint

        try:
            return parse_endpoint(value, "endpoint")[0]
        except SprigTuiError as error:
            self.fail(f"{error.message.removeprefix('endpoint: ')}; {error.hint}", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's signature
        """The regions."""
        return [CompletionItem(region) for region in ("us", "eu") if region.startswith(incomplete)]


class EnvironmentType(ParamType):
    """The name of an environment; whether there is one is asked when the config is read."""

    name = "environment"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's signature
        """The environments of the config."""
        return [CompletionItem(name) for name in environment_names() if name.startswith(incomplete)]


class FilterType(ParamType):
    """A word of the filter language."""

    name = "filter"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's signature
        """Fields, then the values of a field that has few."""
        from sprig_tui.cli.filters import words

        return [CompletionItem(word, type="plain") for word in words(incomplete)]


def environment_names() -> list[str]:
    """The environments of the config; those that always exist where it cannot be read."""
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.settings import BUILT_IN, load_settings

    try:
        return list(load_settings(find_paths()).environments)
    except SprigTuiError:
        return list(BUILT_IN)


DURATION = DurationType()
ENDPOINT = EndpointType()
ENVIRONMENT = EnvironmentType()
FILTER = FilterType()
FILES = click.Path(allow_dash=True)

environment_option = click.option(
    "-e", "--environment", "environment", type=ENVIRONMENT, metavar="ENV", help="Environment of records that name none."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
