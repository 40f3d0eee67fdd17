"""The checklist of the set-up as lines and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sprig_tui.cli import output
from sprig_tui.cli.text_wrap import wrap
from sprig_tui.formatting import iso_time
from sprig_tui.setup.guides import action_text, command_line
from sprig_tui.setup.model import ActionKind, Step, StepKind, StepState
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from sprig_tui.setup.model import Checklist, Finding

TITLES = {
    StepKind.SOURCE: "Source in Segment",
    StepKind.WRITE_KEY: "Write Key",
    StepKind.SPRIG: "Sprig",
    StepKind.FIRST_ANSWER: "First answer",
    StepKind.ARRIVAL: "Seen in Segment",
    StepKind.DESTINATIONS: "Destinations",
    StepKind.GOING_LIVE: "Going live",
}
MARKS = {
    StepState.DONE: ("✓", "ok", "good"),
    StepState.TODO: ("·", "-", "name"),
    StepState.DOUBTFUL: ("!", "!", "warning"),
    StepState.UNKNOWN: ("?", "?", "dim"),
}
STATE_TEXTS = {StepState.TODO: "to do", StepState.UNKNOWN: "cannot be known"}
MAX_COLUMNS = 100


def checklist_lines(found: Checklist) -> Iterator[str]:
    """All steps with what was found, and what to do next; wrapped on a terminal."""
    columns = output.terminal_columns()
    room = min(columns, MAX_COLUMNS) - 1 if columns else 0
    yield f"{found.environment}: {_summary(found)}"
    for number, step in enumerate(found.steps, 1):
        symbol, plain, style = MARKS[step.state]
        state = STATE_TEXTS.get(step.state, step.state.value)
        mark = output.paint(output.mark(symbol, plain), style)
        yield f"{mark} {number} {output.paint(TITLES[step.kind], 'strong')}  {state}"
        for finding in step.findings:
            yield from _finding_lines(finding, room)
        if step.action is not None and _is_offered(step):
            command = command_line(step.action, found.environment, step.delivery)
            text = f"next: {action_text(step.action)}" + (f": {command}" if command else "")
            yield from _indented(text, "    ", room)
    if codes := acceptable_codes(found):
        yield from _indented(
            "what was done elsewhere, seen by you or is not wanted can be accepted as it is: "
            f"sprig-tui setup -e {found.environment} --accept {','.join(codes)}",
            "",
            room,
        )


def _is_offered(step: Step) -> bool:
    """Whether the next action is to be shown: not where there is nothing but to wait, or to accept."""
    waits = step.deciding is not None and step.deciding.is_temporary
    return step.state is not StepState.DONE and not waits and step.action is not ActionKind.ACCEPT


def _summary(found: Checklist) -> str:
    """What is left, what cannot be known, and that everything is done only where it is."""
    if found.complete:
        return "everything is done"
    left, unknown, total = len(found.left), len(found.unknown), len(found.steps)
    are = "is" if left == 1 else "are"
    parts = [f"{left} of {total} steps {are} left" if left else "nothing is to do that can be known from here"]
    if unknown:
        now = " now" if found.waits else ""
        steps = "step" if unknown == 1 else "steps"
        parts.append(f"{unknown} {steps} cannot be known{now}")
    return ", ".join(parts)


def acceptable_codes(found: Checklist) -> list[str]:
    """What may be accepted, in the order of the steps."""
    return list(dict.fromkeys(code.value for step in found.steps for code in step.acceptable))


def _finding_lines(finding: Finding, room: int) -> Iterator[str]:
    symbol, plain, _ = MARKS[finding.state]
    yield from _indented(f"{output.mark(symbol, plain)} {one_line(finding.evidence)}", "    ", room)


def _indented(text: str, indent: str, room: int) -> Iterator[str]:
    """The text after the indent; what does not fit goes on two columns farther in."""
    if not room:
        yield f"{indent}{text}"
        return
    for number, line in enumerate(wrap(text, room - len(indent) - 2)):
        yield f"{indent}{'  ' if number else ''}{line}"


def checklist_json(found: Checklist) -> dict[str, Any]:
    """The checklist for programs; never a secret."""
    return {
        "environment": found.environment,
        "complete": found.complete,
        "asked_at": iso_time(found.asked_at),
        "steps": [_step_json(step, found.environment) for step in found.steps],
    }


def _step_json(step: Step, environment: str) -> dict[str, Any]:
    action = step.action
    return {
        "step": step.kind.value,
        "state": step.state.value,
        "action": action.value if action is not None else None,
        "command": (command_line(action, environment, step.delivery) or None) if action is not None else None,
        "findings": [
            {
                "code": finding.code.value,
                "state": finding.state.value,
                "evidence": finding.evidence,
                "source": finding.source or None,
                "temporary": finding.is_temporary,
                "acceptable": finding.is_acceptable,
                "accepted": finding.is_accepted,
                "actions": [one.value for one in finding.actions],
            }
            for finding in step.findings
        ],
    }
