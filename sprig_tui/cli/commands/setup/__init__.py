"""Command `setup`: what is missing until an environment's answers are counted; at a terminal it asks step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sprig_tui.cli import output, prompts
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
@json_option
def setup(environment: str | None, check: bool, as_json: bool) -> int:
    """Go from nothing to a first answer that Segment counted.

    At a terminal it asks step by step: the source in Segment and its Write Key, the way from Sprig, a first answer,
    whether it arrived, destinations, going live. Every question can be skipped; nothing is stored or sent without
    being said.

    In a pipe, with --check or with --json it prints the checklist: each step with what was found, and what to do next;
    without -e, of every environment. Exit code 0 when nothing is left to do, 1 when something is, 3 when nothing is
    that can be known, but Segment was not reached.
    """
    from sprig_tui.cli.commands.setup.checklist_text import checklist_json, checklist_lines
    from sprig_tui.cli.commands.setup.observation import observe, observe_settings

    if prompts.is_interactive() and not check and not as_json:
        from sprig_tui.cli.commands.setup.interview import interview

        seen = interview(environment)
        if seen is None:
            return ExitCode.USAGE
        output.write_line()
        output.write_lines(checklist_lines(seen.checklist))
        return _exit_code([seen])
    settings = observe_settings(quiet=False)
    names = [settings.environment(environment).name] if environment is not None else list(settings.environments)
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
    """1 where something is to do, else 3 where Segment was not reached, else 0."""
    from sprig_tui.reconcile.model import Obstacle

    if not all(one.checklist.complete for one in found):
        return ExitCode.REJECTED
    if any(one.facts.workspace is not None and one.facts.workspace.obstacle is Obstacle.UNREACHABLE for one in found):
        return ExitCode.UNREACHABLE
    return ExitCode.OK
