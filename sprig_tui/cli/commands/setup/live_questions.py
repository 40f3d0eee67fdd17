"""Questions before going live: destinations, protection, the service, retention, backup and alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sprig_tui.cli import diagnostics, prompts
from sprig_tui.cli.commands.setup import dialogue
from sprig_tui.setup.guides import guide_lines
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


def show_commands(seen: Observation) -> None:
    """What keeps it running, each with its command; nothing is done."""
    rows = (
        ("answers keep coming while this runs; the unit keeps it running", "sprig-tui listen --print-unit"),
        ("deletes what is older than 90 days from the journal", "sprig-tui journal prune --older-than 90d"),
        ("copies the journal while it is used", "sprig-tui journal backup FILE"),
        ("shows how Segment's counts compare with ours", f"sprig-tui reconcile -e {seen.name}"),
        ("looks for problems; exit code 0 is none, for a timer", "sprig-tui doctor"),
    )
    diagnostics.info("To be run by you, or by a timer:")
    for text, command in rows:
        diagnostics.info(f"  {command}")
        diagnostics.info(f"      {text}")
    diagnostics.info("  http://127.0.0.1:8722/metrics of listen, and run --metrics, are for alerts (Prometheus)")
