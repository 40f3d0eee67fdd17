"""Interview of `setup` at a terminal: asks step by step until a first answer is counted.

No state is kept beside config and journal: what the checklist calls done is said and passed over, so that a second run
goes on where the first was left. Nothing is written or sent without being said, and every question can be skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sprig_tui.cli import diagnostics, prompts
from sprig_tui.cli.commands.keys.new_environment import resolve_name
from sprig_tui.cli.commands.setup import (
    answer_questions,
    dialogue,
    live_questions,
    source_questions,
    sprig_questions,
)
from sprig_tui.cli.commands.setup.observation import Observation, observe, observe_settings
from sprig_tui.errors import ConfigError
from sprig_tui.setup.model import StepKind, StepState
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings

FIRST_CHOICE = "development"
"""The environment that enter chooses: a mistake does the least harm there."""


def interview(environment: str | None) -> Observation | None:
    """Ask about one environment, or first which one; returns what is known at the end, None where none was chosen."""
    from sprig_tui.config.paths import find_paths

    with diagnostics.wrapped_messages():
        settings = observe_settings()
        dialogue.say(
            "Set-up: from nothing to a first answer that Segment counted, in seven steps.",
            "Enter skips a question. Ctrl-C leaves: what was stored stays, and sprig-tui setup goes on from there.",
            f"Config: {find_paths().config_file}",
        )
        name = _choose_environment(settings, environment)
        if name is None:
            return None
        try:
            return _ask_steps(name)
        except KeyboardInterrupt:
            diagnostics.info("")
            diagnostics.info(f"Left. What was stored stays; sprig-tui setup -e {name} goes on from there.")
            raise


def _choose_environment(settings: Settings, given: str | None) -> str | None:
    """The environment; a new one is stored, so that there is something to look at."""
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_environment

    if given is not None and given in settings.environments:
        return given
    if given is None:
        given = _ask_environment(settings)
    while True:
        try:
            name = resolve_name(settings, given, new=False)
        except ConfigError as error:
            diagnostics.warning(error.message, error.hint)
            name = None
        if name is None or name in settings.environments:
            return name
        if not prompts.confirm(f"store {name} as a new environment in the config?"):
            diagnostics.info("nothing was stored")
            return None
        save_environment(find_paths(), name, {"protected": False})
        diagnostics.success(f"stored: [environments.{name}] in {find_paths().config_file}")
        return name


def _ask_environment(settings: Settings) -> str:
    names = list(settings.environments)
    usual = FIRST_CHOICE if FIRST_CHOICE in names else names[0]
    diagnostics.info("")
    dialogue.say(
        "Which environment? Sprig and Segment keep production and development apart, and so does this program."
    )
    width = max(len(name) for name in names)
    for number, name in enumerate(names, 1):
        found = settings.environments[name]
        about = [
            "has a Write Key" if found.write_key is not None else "no Write Key yet",
            *(["protected: sending asks for its name"] if found.protected else []),
        ]
        diagnostics.info(f"  {number}  {name:<{width}}  {', '.join(about)}")
    answer = dialogue.ask(f"number or name, or enter for {usual}:", settings)
    if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(names):
        return names[int(answer) - 1]
    return answer or usual


def _ask_steps(name: str) -> Observation:
    """All steps in order; each begins with a look at what is known."""
    _source_and_key(name)
    path = _input(name)
    sample = _first_answer(name, path)
    _arrival(name, sample)
    seen = observe(name)
    dialogue.heading("6 of 7: destinations")
    live_questions.show_destinations(seen)
    dialogue.heading("7 of 7: going live")
    live_questions.ask_protection(seen)
    live_questions.ask_going_live(observe(name))
    return observe(name)


def _source_and_key(name: str) -> None:
    dialogue.heading("1 of 7: the source in Segment")
    dialogue.say(f"A source takes the answers of {name}; its Write Key tells Segment where they belong.")
    seen = observe(name)
    if seen.environment.write_key is None and not source_questions.has_endpoint(seen.settings, name):
        source_questions.ask_region(seen.settings, name)
        seen = observe(name)
    if seen.settings.workspace.token is None:
        source_questions.ask_token(seen.settings, name)
        seen = observe(name)
    if seen.facts.key_problem is not None:
        diagnostics.warning(one_line(seen.facts.key_problem.text), seen.facts.key_problem.hint)
        if prompts.confirm("store another key?"):
            source_questions.ask_key(seen.settings, name)
            seen = observe(name)
    elif seen.environment.write_key is None:
        source_questions.ask_key(seen.settings, name)
        seen = observe(name)
    else:
        _say_findings(seen, StepKind.SOURCE)
    dialogue.heading("2 of 7: the Write Key")
    _say_findings(seen, StepKind.WRITE_KEY)
    if StepState.DOUBTFUL in (
        seen.step(StepKind.SOURCE).state,
        seen.step(StepKind.WRITE_KEY).state,
    ) and prompts.confirm("choose or paste another key?"):
        source_questions.ask_key(seen.settings, name)


def _input(name: str) -> str:
    """Returns the path of a file of answers, where one was chosen."""
    dialogue.heading("3 of 7: Sprig")
    seen = observe(name)
    path = ""
    if seen.step(StepKind.SPRIG).state is StepState.TODO:
        path = sprig_questions.ask_input(seen)
    else:
        _say_findings(seen, StepKind.SPRIG)
        if prompts.confirm("add another way, or look at a file?"):
            path = sprig_questions.ask_input(seen)
    seen = observe(name)
    if seen.facts.journal is not None:
        sprig_questions.ask_environment_id(seen, seen.facts.journal.environment_id)
    return path


def _first_answer(name: str, path: str) -> answer_questions.Sample | None:
    dialogue.heading("4 of 7: a first answer")
    seen = observe(name)
    if not path and not _has_answers(seen):
        dialogue.say("Nothing came from Sprig yet. A file of answers shows what Segment would get:")
        path = sprig_questions.ask_file(seen.settings)
        if not path:
            return None
    sample = answer_questions.sample_of(seen, path)
    if sample is None:
        return None
    answer_questions.show_sample(sample, name)
    if sample.environment_id and not seen.environment.sprig_environment_id:
        sprig_questions.ask_environment_id(seen, sample.environment_id)
    return sample


def _has_answers(seen: Observation) -> bool:
    return seen.facts.journal is not None and seen.facts.journal.seen > 0


def _arrival(name: str, sample: answer_questions.Sample | None) -> None:
    dialogue.heading("5 of 7: sent, and seen in Segment")
    seen = observe(name)
    if seen.environment.write_key is None:
        diagnostics.info(f"{name} has no Write Key yet, so nothing can be sent; step 2 stores one.")
        return
    if seen.step(StepKind.ARRIVAL).state is StepState.DONE:
        _say_findings(seen, StepKind.ARRIVAL)
        return
    before = answer_questions.sent_before(seen)
    if before is not None:
        _say_findings(seen, StepKind.ARRIVAL)
        if prompts.confirm("look for it in Segment once more?"):
            answer_questions.look_for(seen, before)
            return
    sent = answer_questions.ask_send(seen, sample)
    if sent is not None:
        answer_questions.look_for(seen, sent)


def _say_findings(seen: Observation, kind: StepKind) -> None:
    for finding in seen.step(kind).findings:
        text = one_line(finding.evidence)
        if finding.state is StepState.DONE:
            diagnostics.success(text)
        elif finding.state is StepState.DOUBTFUL:
            diagnostics.warning(text)
        else:
            diagnostics.info(text)
