"""Command `help`: the topics of the documentation, on a terminal rendered and paged."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from sprig_tui.cli import output
from sprig_tui.cli.options import ParamType, command
from sprig_tui.docs.topics import TOPICS, find_topic, nearest_topics, read_topic
from sprig_tui.errors import ExitCode, InputError
from sprig_tui.text import one_line

MAX_COLUMNS = 100
"""Widest text; longer lines are hard to read."""
STYLES = {"heading": "strong", "strong": "strong", "code": "name", "dim": "dim"}
"""Styles of the output for those of the rendered text."""


class TopicType(ParamType):
    """A topic, or a command that has one."""

    name = "topic"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's signature
        """The topics."""
        return [CompletionItem(name, help=about) for name, about in TOPICS.items() if name.startswith(incomplete)]


@command("help")
@click.argument("topic", nargs=-1, type=TopicType())
def help(topic: tuple[str, ...]) -> int:  # noqa: A001 - the command's name
    """Read about a topic, or about the topic of a command.

    Without a topic it lists them all. On a terminal a long text opens in your pager ($PAGER); in a pipe it is the
    Markdown as it was written.
    """
    if not topic:
        output.write_lines(f"{output.paint(f'{name:<14}', 'name')}{about}" for name, about in TOPICS.items())
        output.write_line()
        output.write_line("sprig-tui help TOPIC shows one; options of a command: sprig-tui COMMAND --help")
        return ExitCode.OK
    word = " ".join(topic)
    name = find_topic(word)
    if not name:
        near = nearest_topics(word)
        meant = f"; did you mean {' or '.join(near)}?" if near else ""
        raise InputError(
            f"there is no topic {one_line(word, limit=60)!r}{meant}", hint="sprig-tui help lists the topics"
        )
    _show(read_topic(name))
    return ExitCode.OK


def _show(text: str) -> None:
    columns = output.terminal_columns()
    if not columns:
        output.write_line(text.rstrip("\n"))
        return
    from sprig_tui.docs.markdown import render_markdown

    lines = [
        "".join(output.paint(part.text, STYLES[part.style]) if part.style else part.text for part in line)
        for line in render_markdown(text, min(columns - 1, MAX_COLUMNS))
    ]
    output.write_paged(lines)
