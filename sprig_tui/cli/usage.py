"""Usage errors: their messages, hints and spelling suggestions.

A proposal never names an option that sends, deletes or consents: a person must type such an option in full. Options
that take a value may be proposed; of those that take none only the ones in HARMLESS_FLAGS, so that a new flag is left
out until it is known to be harmless.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import click

from sprig_tui.config.secret_shapes import SECRET_PATTERN
from sprig_tui.text import one_line

if TYPE_CHECKING:
    Type = click.types.ParamType[object]

HARMLESS_FLAGS = frozenset(
    {
        "--ascii",
        "--count",
        "--csv",
        "--dry-run",
        "--follow",
        "--help",
        "--json",
        "--no-engine",
        "--no-wait",
        "--offline",
        "--plain",
        "--print-unit",
        "--protected",
        "--read-only",
        "--verbose",
        "--version",
        "--with-deleted",
        "--without-snapshots",
    }
)
"""Flags that only change what is shown or keep something from happening; none sends, deletes, replaces or consents."""

MIN_OPTION_SIMILARITY = 0.7
"""Likeness (difflib) from which an option is proposed; `--foo` is not like `--color`."""
MIN_COMMAND_SIMILARITY = 0.6

KNOWN_WORD_HINTS = {
    "check": "sprig-tui doctor checks everything, sprig-tui keys check the write keys",
    "config": "sprig-tui paths says where the config is",
    "import": "sprig-tui send FILE -e development sends a file of answers",
    "open": "sprig-tui FILE opens the console on a file",
    "resend": "sprig-tui replay status:failed queues deliveries again",
    "retry": "sprig-tui replay status:failed queues deliveries again",
    "serve": "sprig-tui listen receives webhooks, sprig-tui run delivers what is queued",
    "show": "sprig-tui preview FILE shows what would be sent, sprig-tui log what was",
    "tail": "sprig-tui log --follow shows deliveries as they come",
    "upload": "sprig-tui send FILE -e development sends a file of answers",
    "version": "sprig-tui --version shows it",
    "webhooks": "sprig-tui listen receives webhooks",
}
"""Common words for commands that have another name here."""

_FILE_ENDING = re.compile(r"\.(?:jsonl?|ndjson|csv|tsv|txt|gz|zip|log|xlsx?|md)\Z", re.IGNORECASE)
_FILTER_WORD = re.compile(r"-?[A-Za-z]+:.+", re.DOTALL)


class UsageMessage(NamedTuple):
    """The problem in one line, and the next step."""

    message: str
    hint: str = ""


def usage_message(error: click.UsageError) -> UsageMessage:
    """The message and hint of a usage error; the hint is `see ... --help` where there is none better."""
    see = f"see {error.ctx.command_path} --help" if error.ctx is not None else "see sprig-tui --help"
    if isinstance(error, click.NoSuchOption):
        return _unknown_option_message(error, see)
    if isinstance(error, click.MissingParameter):
        return UsageMessage(_missing_text(error), see)
    if isinstance(error, click.BadParameter):
        chosen = isinstance(error.param, click.Argument) and isinstance(error.param.type, click.Choice)
        name = "" if chosen else _parameter_name(error.param, error.ctx)
        return UsageMessage(f"{name}: {_as_sentence(error.message)}" if name else _as_sentence(error.message), see)
    if isinstance(error, click.BadOptionUsage):
        return UsageMessage(_misused_text(error), see)
    return UsageMessage(_as_sentence(error.message), see)


def find_secrets(words: Iterable[str]) -> list[str]:
    """Words of a command line that look like keys: no message repeats them."""
    parts = (part for word in words for part in (word, word.partition("=")[2]))
    return [part for part in parts if SECRET_PATTERN.fullmatch(part.strip(" '\""))]


def unknown_command_message(word: str, commands: Iterable[str], group: str) -> UsageMessage:
    """The message for an unknown command of `group` (such as `sprig-tui keys`)."""
    shown = one_line(word, limit=60)
    if group == "sprig-tui":
        if _FILE_ENDING.search(word) or "/" in word or "\\" in word or word.startswith((".", "~")):
            return UsageMessage(f"there is no file {shown}", "check the path; sprig-tui FILE opens it in the console")
        if _FILTER_WORD.fullmatch(word):
            return UsageMessage(f"there is no command {shown!r}", f"a filter stands behind log: sprig-tui log {shown}")
        if word.lower() in KNOWN_WORD_HINTS:
            return UsageMessage(f"there is no command {shown!r}", KNOWN_WORD_HINTS[word.lower()])
    names = list(commands)
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=MIN_COMMAND_SIMILARITY)
    meant = f"did you mean {close[0]}?" if close else f"its commands are {', '.join(names)}"
    message = f"there is no command {shown!r}" if group == "sprig-tui" else f"{group} has no command {shown!r}"
    return UsageMessage(f"{message}; {meant}", f"see {group} --help")


def nearest_option(word: str, options: Iterable[click.Parameter]) -> str:
    """The long option that `word` is likely to mean; empty where none is near or none may be suggested."""
    names = {
        name: option
        for option in options
        if isinstance(option, click.Option) and not option.hidden
        for name in (*option.opts, *option.secondary_opts)
        if name.startswith("--")
    }
    bare = {name.removeprefix("--"): name for name in names}
    typed = word.lstrip("-").lower().replace("_", "-")
    close = difflib.get_close_matches(typed, bare, n=1, cutoff=MIN_OPTION_SIMILARITY) if typed else []
    if not close:
        return ""
    name = bare[close[0]]
    return name if can_be_suggested(names[name], name) else ""


def can_be_suggested(option: click.Option, name: str) -> bool:
    """Whether a hint may name this spelling of an option."""
    return name in HARMLESS_FLAGS if option.is_flag or option.count else True


def _unknown_option_message(error: click.NoSuchOption, see: str) -> UsageMessage:
    word, ctx = one_line(error.option_name, limit=60), error.ctx
    if ctx is None:
        return UsageMessage(f"there is no option {word}", see)
    message = f"{ctx.command_path} has no option {word}"
    if near := nearest_option(word, ctx.command.get_params(ctx)):
        return UsageMessage(f"{message}; did you mean {near}?", see)
    if ctx.parent is None:
        return UsageMessage(message, "options of a command stand behind its name: sprig-tui send FILE -e development")
    takes_name = any(
        isinstance(parameter, click.Argument) and parameter.name == "environment" for parameter in ctx.command.params
    )
    if takes_name and word in ("-e", "--env", "--environment"):
        return UsageMessage(message, f"name the environment alone: {ctx.command_path} production")
    return UsageMessage(message, see)


def _missing_text(error: click.MissingParameter) -> str:
    name = _parameter_name(error.param, error.ctx)
    if error.param is not None and isinstance(error.param.type, click.Choice):
        choices = [str(choice) for choice in error.param.type.choices]
        return f"name one of {', '.join(choices[:-1])} or {choices[-1]}"
    if isinstance(error.param, click.Option):
        return f"{name} is needed"
    return f"{name} is missing" if name else _as_sentence(error.message)


def _misused_text(error: click.BadOptionUsage) -> str:
    options = error.ctx.command.get_params(error.ctx) if error.ctx is not None else []
    for option in options:
        if isinstance(option, click.Option) and error.option_name in (*option.opts, *option.secondary_opts):
            if option.is_flag:
                return f"{error.option_name} takes no value"
            kind = option.metavar or option.type.name.upper()
            return f"{error.option_name} needs a value ({kind}) behind it"
    return _as_sentence(error.message)


def _parameter_name(param: click.Parameter | None, ctx: click.Context | None) -> str:
    """A parameter as written: `--port`, `FILE...`."""
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    if param is None or ctx is None:
        return ""
    return param.make_metavar(ctx).strip("[]") or (param.name or "")


def _as_sentence(message: str) -> str:
    """A message of click on one line, in this program's style."""
    text = one_line(message).rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
