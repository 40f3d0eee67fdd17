"""Words of the set-up screen: marks, findings and next actions as sentences. Pure.

Texts of Segment, Sprig and the answers go through `one_line` here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sprig_tui.console.reconcile.words import HEADING, Sentence
from sprig_tui.setup.guides import action_text, command_line, guide_lines
from sprig_tui.setup.model import Checklist, Finding, Step, StepKind, StepState
from sprig_tui.text import one_line

MAX_TEXT_CHARS = 600
STATE_MARKS = {StepState.DONE: "✓", StepState.TODO: "·", StepState.DOUBTFUL: "!", StepState.UNKNOWN: "?"}
STATE_WORDS = {
    StepState.DONE: "done",
    StepState.TODO: "to do",
    StepState.DOUBTFUL: "doubtful",
    StepState.UNKNOWN: "cannot be known",
}
STATE_STYLES = {
    StepState.DONE: "good",
    StepState.TODO: "accent",
    StepState.DOUBTFUL: "warning",
    StepState.UNKNOWN: "muted",
}
"""State and next step are told by mark and word, the colour only repeats them."""
STEP_TITLES = {
    StepKind.SOURCE: "Source",
    StepKind.WRITE_KEY: "Write Key",
    StepKind.SPRIG: "Sprig",
    StepKind.FIRST_ANSWER: "First answer",
    StepKind.ARRIVAL: "Arrival",
    StepKind.DESTINATIONS: "Destinations",
    StepKind.GOING_LIVE: "Going live",
}


class StepKeys(NamedTuple):
    """Keys as shown to the user."""

    do: str
    other: str
    copy: str


def evidence_text(step: Step) -> str:
    """The evidence of the finding that decides the step's state, for its line."""
    return step.deciding.evidence if step.deciding else ""


def progress_title(checklist: Checklist) -> str:
    """Such as `3 of 7 done`."""
    done = sum(step.state is StepState.DONE for step in checklist.steps)
    return f"{done} of {len(checklist.steps)} done"


def step_sentences(step: Step, environment: str, keys: StepKeys) -> Iterator[Sentence]:
    """What was found for the step, and what to do next."""
    for finding in step.findings:
        yield _finding_sentence(finding)
    actions = step.actions
    if not actions:
        return
    first, *others = actions
    yield Sentence("")
    yield Sentence(f"{keys.do}  {action_text(first)}", HEADING)
    for line in guide_lines(first, environment):
        yield Sentence(line, "", 2)
    if command := command_line(first, environment, step.delivery):
        yield Sentence(f"in a shell: {command}  ({keys.copy} copies it)", "muted", 2)
    if others:
        yield Sentence(f"{keys.other}  other ways: {'; '.join(map(action_text, others))}", "muted")


def _finding_sentence(finding: Finding) -> Sentence:
    source = f"  ({one_line(finding.source, limit=80)})" if finding.source else ""
    text = f"{STATE_MARKS[finding.state]} {one_line(finding.evidence, limit=MAX_TEXT_CHARS)}{source}"
    return Sentence(text, STATE_STYLES[finding.state])
