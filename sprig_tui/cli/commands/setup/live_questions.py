"""Questions before going live: destinations, protection, and what is done elsewhere or not wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sprig_tui.cli import diagnostics, prompts
from sprig_tui.cli.commands.setup import dialogue
from sprig_tui.setup.guides import action_text, command_line, guide_lines
from sprig_tui.setup.model import ActionKind, StepKind, StepState
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from sprig_tui.cli.commands.setup.observation import Observation


def show_destinations(seen: Observation) -> None:
    """Which destinations are connected and enabled, which the config switches off, and how one is connected."""
    step = seen.step(StepKind.DESTINATIONS)
    dialogue.say("A destination hands on what arrives in the source, such as Amplitude or Braze.")
    for finding in step.findings:
        (diagnostics.success if finding.state is StepState.DONE else diagnostics.info)(one_line(finding.evidence))
    integrations = seen.settings.rules.integrations or {}
    for name, allowed in integrations.items():
        if not allowed:
            label = "all that it does not name" if name == "All" else one_line(name, limit=60)
            diagnostics.info(f"integrations in [mapping] of the config keeps answers from {label}")
    if step.state is not StepState.DONE:
        for line in guide_lines(ActionKind.CONNECT_DESTINATION, seen.name):
            diagnostics.info(f"  {line}")


def ask_protection(seen: Observation) -> None:
    """Offer the protected flag."""
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_environment

    name = seen.name
    if seen.protected:
        diagnostics.success(f"{name} is protected: sending in bulk asks for its name")
        return
    if prompts.confirm(f"protect {name}, so that sending in bulk asks for its name?"):
        save_environment(find_paths(), name, {"protected": True})
        diagnostics.success(f"stored: {name} is protected, in {find_paths().config_file}")


def ask_going_live(seen: Observation) -> None:
    """What runs, is kept, backed up and watched, with the command for what is open; what is not wanted is accepted."""
    from sprig_tui.cli.commands.setup.observation import observe_settings, save_accepted

    name = seen.name
    for finding in seen.step(StepKind.GOING_LIVE).findings:
        text = one_line(finding.evidence)
        if finding.state is StepState.DONE:
            diagnostics.success(text)
            continue
        diagnostics.info(f"- {text}")
        for action in finding.actions:
            if action is ActionKind.ACCEPT:
                continue
            command = command_line(action, name)
            diagnostics.info(f"    {action_text(action)}{f': {command}' if command else ''}")
            for line in guide_lines(action, name):
                diagnostics.info(f"      {line}")
        if finding.is_acceptable and prompts.confirm(
            f"count {finding.code} as done, because it is done elsewhere or not wanted?"
        ):
            save_accepted(observe_settings(), name, [finding.code], [])
            diagnostics.success(
                f"stored: {finding.code} counts as done for {name}; --reopen {finding.code} takes it back"
            )
    diagnostics.info("sprig-tui doctor looks for problems; exit code 0 is none, for a timer")
