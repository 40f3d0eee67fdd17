"""Command `completion`: prints shell completion scripts."""

from __future__ import annotations

import click

from sprig_tui.cli import output
from sprig_tui.cli.options import command
from sprig_tui.errors import ExitCode

BASH_TEMPLATE = """\
%(complete_func)s() {
    # bash takes a colon for the end of a word: the words are read from the line, and what it has already is left out.
    local line="${COMP_LINE:0:$COMP_POINT}" type value word known=""
    word="${line##*[[:space:]]}"
    [ -n "$word" ] || line+="''"
    case "$COMP_WORDBREAKS" in *:*) case "$word" in *:*) known="${word%%:*}:" ;; esac ;; esac
    COMPREPLY=()
    while IFS=, read -r type value; do
        case "$type" in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                COMPREPLY+=("${value#"$known"}")
                case "$value" in *:) compopt -o nospace ;; esac
                ;;
        esac
    done < <(env COMP_WORDS="$line" COMP_CWORD=-1 %(complete_var)s=bash_complete "$1")
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


@command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the completion script for your shell.

    \b
    bash   sprig-tui completion bash > ~/.local/share/bash-completion/completions/sprig-tui
    zsh    sprig-tui completion zsh > a folder in $fpath, as _sprig-tui
    fish   sprig-tui completion fish > ~/.config/fish/completions/sprig-tui.fish

    It completes commands, options, environments, and the words of filters.
    """  # noqa: D301 - click wants the character itself
    output.write_line(completion_script(shell))
    return ExitCode.OK


def completion_script(shell: str) -> str:
    """The script for bash, zsh or fish."""
    from click.shell_completion import get_completion_class

    from sprig_tui.cli.program import program

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    template = (
        BASH_TEMPLATE if shell == "bash" else found(program, {}, "sprig-tui", "_SPRIG_TUI_COMPLETE").source_template
    )
    return template % _template_names()


def _template_names() -> dict[str, str]:
    return {
        "complete_func": "_sprig_tui_completion",
        "complete_var": "_SPRIG_TUI_COMPLETE",
        "prog_name": "sprig-tui",
    }
