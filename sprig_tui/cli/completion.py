"""`sprig-tui completion`."""

from __future__ import annotations

import click

from sprig_tui.cli import output
from sprig_tui.cli.commands import command
from sprig_tui.errors import ExitCode


@command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    r"""Print the completion script for your shell.

    \b
    bash   sprig-tui completion bash > ~/.local/share/bash-completion/completions/sprig-tui
    zsh    sprig-tui completion zsh > a folder in $fpath, as _sprig-tui
    fish   sprig-tui completion fish > ~/.config/fish/completions/sprig-tui.fish

    It completes commands, options, environments, and the words of filters.
    """
    from click.shell_completion import get_completion_class

    from sprig_tui.cli.program import program

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    output.write_line(found(program, {}, "sprig-tui", "_SPRIG_TUI_COMPLETE").source_template % _names())
    return ExitCode.OK


def _names() -> dict[str, str]:
    return {
        "complete_func": "_sprig_tui_completion",
        "complete_var": "_SPRIG_TUI_COMPLETE",
        "prog_name": "sprig-tui",
    }
