"""Man pages and completion scripts, made from the commands when the wheel is built.

`python -m sprig_tui.cli.man_pages FOLDER` writes them where a system looks for them below its `share`.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

import sprig_tui
from sprig_tui.cli import output
from sprig_tui.cli.commands.completion import completion_script
from sprig_tui.cli.program import COMMANDS, program
from sprig_tui.docs.topics import command_topic

COMPLETIONS = {
    "bash": "bash-completion/completions/sprig-tui",
    "zsh": "zsh/site-functions/_sprig-tui",
    "fish": "fish/vendor_completions.d/sprig-tui.fish",
}
"""File of each shell, below `share`."""


def write_share(folder: Path) -> list[Path]:
    """Write all pages and completion scripts below the folder; returns the files."""
    texts = {f"man/man1/{name}.1": text for name, text in man_pages()}
    texts |= {file: completion_script(shell) + "\n" for shell, file in COMPLETIONS.items()}
    files = []
    for name, text in texts.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        files.append(file)
    return files


def man_pages() -> Iterator[tuple[str, str]]:
    """(name, text) of the page of each command, such as `sprig-tui-journal-prune`."""
    yield from _pages(program, click.Context(program, info_name="sprig-tui", **program.context_settings))


def _pages(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    yield _page_name(context), _page(command, context)
    for name, inner in _subcommands(command, context):
        yield from _pages(inner, click.Context(inner, info_name=name, parent=context))


def _subcommands(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield name, inner


def _page_name(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def _page(command: click.Command, context: click.Context) -> str:
    name = _page_name(context)
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [
        f'.TH "{_escape(name.upper())}" 1 "" "sprig\\-tui {_escape(sprig_tui.__version__)}" "sprig\\-tui"',
        # words are not broken, and spaces are not stretched
        ".nh",
        ".ad l",
        ".SH NAME",
        f"{_escape(name)} \\- {_escape(_summary(command, context))}",
        ".SH SYNOPSIS",
        f"\\fB{_escape(context.command_path)}\\fR {_escape(usage)}",
        ".SH DESCRIPTION",
        *_paragraphs(inspect.cleandoc(command.help or "").partition("\f")[0]),
        ".SH OPTIONS",
    ]
    for param in command.get_params(context):
        record = None if isinstance(param, click.Argument) else param.get_help_record(context)
        if record:
            lines += [".TP", f"\\fB{_escape(record[0])}\\fR", *_text_lines(record[1])]
    if inner := list(_subcommands(command, context)):
        lines.append(".SH COMMANDS")
        for key, each in inner:
            inner_context = click.Context(each, info_name=key, parent=context)
            lines += [".TP", f"\\fB{_escape(_page_name(inner_context))}\\fR(1)", _escape(_summary(each, inner_context))]
    lines.append(".SH SEE ALSO")
    if context.parent is not None:
        lines += [f"\\fB{_escape(_page_name(context.parent))}\\fR(1)", ".PP"]
    topic = command_topic(context.command_path.partition(" ")[2])
    lines.append(f"The documentation is in the program: \\fBsprig\\-tui help {_escape(topic)}".rstrip() + "\\fR.")
    return "\n".join(lines) + "\n"


def _summary(command: click.Command, context: click.Context) -> str:
    """One line without a full stop."""
    listed = COMMANDS.get(context.info_name or "") if context.parent and not context.parent.parent else None
    text = listed or command.short_help or (command.help or "").partition("\n\n")[0]
    return " ".join(text.split()).removesuffix(".")


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = paragraph.splitlines()
        yield ".PP"
        if lines[:1] == ["\b"]:  # click's mark for lines that stay as they are
            yield from (".nf", *map(_escape, lines[1:]), ".fi")
        else:
            yield from _text_lines(paragraph)


def _text_lines(text: str) -> list[str]:
    return [_escape(line.strip()) for line in text.splitlines() if line.strip()]


def _escape(text: str) -> str:
    """The text as roff shows it: its own signs escaped, and hyphens as those that a shell takes."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    for written in write_share(Path(sys.argv[1])):
        output.write_line(str(written))
    output.flush()
