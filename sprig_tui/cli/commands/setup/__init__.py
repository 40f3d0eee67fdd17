"""Command `setup`: what is missing until an environment's answers are counted; at a terminal it asks step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, output, prompts
from sprig_tui.cli.options import ENVIRONMENT_TYPE, command, json_option
from sprig_tui.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sprig_tui.cli.commands.setup.observation import Observation


@command("setup")
@click.option(
    "-e", "--environment", "--env", "environment", type=ENVIRONMENT_TYPE, metavar="ENV", help="Which environment."
)
@click.option("--check", is_flag=True, help="Ask nothing, at a terminal neither: only print the checklist.")
@click.option("--accept", metavar="ITEM,...", multiple=True, help="Accept what cannot be known or is not wanted.")
@click.option("--reopen", metavar="ITEM,...", multiple=True, help="Take back what was accepted.")
@json_option
def setup(environment: str | None, check: bool, accept: tuple[str, ...], reopen: tuple[str, ...], as_json: bool) -> int:
    """Go from nothing to a first answer that Segment counted.

    At a terminal it asks step by step: the source in Segment and its Write Key, the way from Sprig, a first answer,
    whether it arrived, destinations, going live. Every question can be skipped; nothing is stored or sent without
    being said.

    In a pipe, with --check or with --json it prints the checklist: each step with what was found, and what to do next;
    without -e, of every environment. Exit code 0 when everything is done or accepted, 1 when something is left or
    cannot be known, 3 when nothing is left but what cannot be known just now, such as while Segment is not reached.

    With --accept something that cannot be known, or is not wanted, counts as done: alerts, backup, retention, service,
    destinations, or what you saw in Segment yourself. The config keeps it as setup_accepted of the environment; without
    -e of every environment. --reopen takes it back.
    """
    from sprig_tui.cli.commands.setup.checklist_text import checklist_json, checklist_lines
    from sprig_tui.cli.commands.setup.observation import observe, observe_settings, save_accepted

    accepted, reopened = (_parse_codes(texts) for texts in (accept, reopen))
    if prompts.is_interactive() and not (check or as_json or accepted or reopened):
        from sprig_tui.cli.commands.setup.interview import interview

        seen = interview(environment)
        if seen is None:
            return ExitCode.USAGE
        output.write_line()
        output.write_lines(checklist_lines(seen.checklist))
        return _exit_code([seen])
    settings = observe_settings(quiet=False)
    names = [settings.environment(environment).name] if environment is not None else list(settings.environments)
    for name in names:
        if save_accepted(settings, name, accepted, reopened):
            diagnostics.success(f"stored: what is accepted for {name}")
    found = [observe(name) for name in names]
    if as_json:
        output.write_json({"environments": [checklist_json(one.checklist) for one in found]})
    else:
        for number, one in enumerate(found):
            if number:
                output.write_line()
            output.write_lines(checklist_lines(one.checklist))
    return _exit_code(found)


def _exit_code(found: Sequence[Observation]) -> ExitCode:
    """0 where everything is done, 3 where nothing is left but what cannot be known just now, else 1."""
    if all(one.checklist.complete for one in found):
        return ExitCode.OK
    if all(one.checklist.complete or one.checklist.waits for one in found):
        return ExitCode.UNREACHABLE
    return ExitCode.REJECTED


def _parse_codes(texts: Sequence[str]) -> list[str]:
    """The items of an option; a usage error for an unknown one."""
    import difflib

    from sprig_tui.setup.model import FindingCode

    codes = [part.strip().lower() for text in texts for part in text.split(",") if part.strip()]
    known = [code.value for code in FindingCode]
    for code in codes:
        if code not in known:
            near = difflib.get_close_matches(code, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise click.UsageError(f"the checklist has no item {code[:40]!r}; {hint}")
    return codes
