"""Shared options, option types and command classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
from click.shell_completion import CompletionItem

from sprig_tui.cli import garbage, style
from sprig_tui.errors import SprigTuiError

if TYPE_CHECKING:
    from sprig_tui.cli.usage import UsageMessage

    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # generic in newer releases of click only

Function = TypeVar("Function", bound=Callable[..., Any])


def _choose_color(_: click.Context, __: click.Parameter, value: style.ColorChoice | None) -> None:
    if value is not None:
        style.set_color_choice(value)


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


class CliCommand(click.Command):
    """A command with `--color` and plain usage errors."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        color_option(self)
        for param in self.params:
            if isinstance(param.type, (click.IntRange, click.FloatRange)):
                param.type = NumberType(param.type)
        self.allow_extra_args = True  # so that parse_args names them

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click, but every error knows its command, and a word too many or `-json` for `--json` is named."""
        self._refuse_single_dash(ctx, args)
        try:
            rest = super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise
        if rest and not ctx.resilient_parsing:
            more = f", and {len(rest) - 1} more" if rest[1:] else ""
            ctx.fail(f"{ctx.command_path} takes no such argument: {rest[0][:60]!r}{more}")
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        """As click; what the command needed is loaded, and what it makes may be garbage."""
        garbage.resume()
        return super().invoke(ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click, and the command's topic."""
        super().format_epilog(ctx, formatter)
        write_topic(ctx, formatter)

    def _refuse_single_dash(self, ctx: click.Context, args: list[str]) -> None:
        """`-yes` would be read as -y -e s, and `-env` as -e nv: neither is what was meant."""
        if ctx.resilient_parsing:
            return
        long_names = {name[2:] for param in self.get_params(ctx) for name in param.opts if name.startswith("--")}
        for word in args:
            if word == "--":
                return
            name = word[1:].partition("=")[0]
            if word.startswith("-") and len(name) > 1 and name in long_names:
                ctx.fail(f"{word[:60]} has one dash; options of several letters have two")


class CliGroup(click.Group):
    """A group that suggests the nearest command for an unknown one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click, with a plain error for unknown commands."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise_unknown_command(ctx, args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click, and the group's topic."""
        super().format_epilog(ctx, formatter)
        write_topic(ctx, formatter)


def write_topic(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write which topic of the documentation is about this command."""
    from sprig_tui.docs.topics import command_topic

    if topic := command_topic(ctx.command_path.partition(" ")[2]):
        formatter.write_paragraph()
        formatter.write_text(f"Topic: sprig-tui help {topic}")


def raise_unknown_command(ctx: click.Context, word: str, commands: list[str]) -> NoReturn:
    """Raise the usage error for an unknown command."""
    from sprig_tui.cli.usage import unknown_command_message

    raise UnknownWordError(unknown_command_message(word, commands, ctx.command_path), ctx)


class UnknownWordError(click.UsageError):
    """An unknown command, with its own hint."""

    def __init__(self, usage: UsageMessage, ctx: click.Context) -> None:
        super().__init__(usage.message, ctx)
        self.usage_message = usage


class SecretArgumentError(click.UsageError):
    """A key or token on the command line; the message does not repeat it."""

    def __init__(self, kind: str, run: str, after: str) -> None:
        super().__init__(
            f"a {kind} on the command line is seen by others and kept in the shell's history; "
            f"run `{run}` and paste it there, {after}"
        )


class NumberType(ParamType):
    """A number within bounds; errors name the bounds."""

    def __init__(self, bounds: click.IntRange | click.FloatRange) -> None:
        self._bounds = bounds
        self.name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or a usage error."""
        try:
            number = self._bounds.convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{str(value)[:40]!r} is not {self._bounds_text()}", param, ctx)
        if number != number:  # noqa: PLR0124 - NaN is within every bound
            self.fail(f"{str(value)[:40]!r} is not {self._bounds_text()}", param, ctx)
        return number

    def _bounds_text(self) -> str:
        least, most = self._bounds.min, self._bounds.max
        kind = "a whole number" if isinstance(self._bounds, click.IntRange) else "a number"
        if self._bounds.min_open:
            return f"{kind} above {least:,g}" + (f", {most:,g} at most" if most is not None else "")
        if least is not None and most is not None and most < 1 << 62:
            return f"{kind} from {least:,} to {most:,}"
        return f"{kind} of {least:,} or more" if least is not None else kind


def command(name: str, *, epilog: str | None = None) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command; its docstring is its help, and `epilog` stands below its options."""
    return click.command(name, cls=CliCommand, epilog=epilog)


class DurationType(ParamType):
    """A duration such as 90s, 12h or 2d, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds, or a usage error."""
        from sprig_tui.formatting import parse_duration

        try:
            return parse_duration(value, "")
        except SprigTuiError as error:
            self.fail(f"{error.message}; {error.hint}", param, ctx)


class EndpointType(ParamType):
    """`us`, `eu` or an address."""

    name = "us|eu|URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The endpoint as an environment holds it, or a usage error."""
        from sprig_tui.config.urls import parse_endpoint

        try:
            return parse_endpoint(value, "")[0]
        except SprigTuiError as error:
            self.fail(f"{error.message}; {error.hint}", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's signature
        """The regions."""
        return [CompletionItem(region) for region in ("us", "eu") if region.startswith(incomplete)]


class EnvironmentType(ParamType):
    """The name of an environment; it is checked when the config is read."""

    name = "environment"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's signature
        """The environments of the config."""
        return [CompletionItem(name) for name in environment_names() if name.startswith(incomplete)]


class FilterType(ParamType):
    """A word of the filter language."""

    name = "filter"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's signature
        """Fields, then the values of a field that has few."""
        from sprig_tui.journal.filter_completion import complete_word

        words = complete_word(incomplete, environment_names(), saved_filter_names())
        return [CompletionItem(word, type="plain") for word in words]


def saved_filter_names() -> list[str]:
    """The saved filters of the config; none where it cannot be read."""
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.settings import load_settings

    try:
        return list(load_settings(find_paths()).filters)
    except SprigTuiError:
        return []


def environment_names() -> list[str]:
    """The environments of the config; those that always exist where it cannot be read."""
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.settings import BUILT_IN_ENVIRONMENTS, load_settings

    try:
        return list(load_settings(find_paths()).environments)
    except SprigTuiError:
        return list(BUILT_IN_ENVIRONMENTS)


DURATION_TYPE = DurationType()
ENDPOINT_TYPE = EndpointType()
ENVIRONMENT_TYPE = EnvironmentType()
FILTER_TYPE = FilterType()
FILES_TYPE = click.Path(allow_dash=True)

environment_option = click.option(
    "-e",
    "--environment",
    "--env",
    "environment",
    type=ENVIRONMENT_TYPE,
    metavar="ENV",
    help="Environment of records that name none.",
)


def _choose_ascii(_: click.Context, __: click.Parameter, value: bool) -> None:
    from sprig_tui.cli import output

    output.set_ascii_only(enabled=value)


def json_option(function: Function) -> Function:
    """`--json`, and `--ascii` beside it."""
    ascii_option = click.option(
        "--ascii",
        is_flag=True,
        expose_value=False,
        callback=_choose_ascii,
        help="With --json: escape every letter beyond ASCII, so that nothing hides.",
    )
    return click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout.")(ascii_option(function))


force_option = click.option(
    "--force", is_flag=True, help="Take a file even if it holds no answers: each line is kept as withheld."
)
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
