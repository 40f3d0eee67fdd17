"""Checklist of the set-up: seven steps of one environment, what was found for each, and what to do next."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class StepKind(StrEnum):
    """The steps from nothing to going live, in order."""

    SOURCE = "source"
    WRITE_KEY = "write-key"
    SPRIG = "sprig"
    FIRST_ANSWER = "first-answer"
    ARRIVAL = "arrival"
    DESTINATIONS = "destinations"
    GOING_LIVE = "going-live"


class StepState(StrEnum):
    """State of a step and of a finding."""

    DONE = "done"
    TODO = "to-do"
    DOUBTFUL = "doubtful"
    UNKNOWN = "unknown"
    """It cannot be known, such as without a token."""


class ActionKind(StrEnum):
    """What a person, or a face of the set-up for them, can do next."""

    STORE_TOKEN = "store-token"  # noqa: S105 - an action
    CHOOSE_SOURCE = "choose-source"
    CREATE_SOURCE = "create-source"
    PASTE_KEY = "paste-key"
    REPLACE_KEY = "replace-key"
    MAKE_WEBHOOK_TOKEN = "make-webhook-token"  # noqa: S105 - an action
    START_LISTENING = "start-listening"
    STORE_SPRIG_KEY = "store-sprig-key"
    PULL = "pull"
    SAVE_ENVIRONMENT_ID = "save-environment-id"
    OPEN_RECORDS = "open-records"
    SEND_TEST_EVENT = "send-test-event"
    SEND_ANSWER = "send-answer"
    COMPARE = "compare"
    CONNECT_DESTINATION = "connect-destination"
    PROTECT = "protect"
    SET_RETENTION = "set-retention"
    PRINT_UNIT = "print-unit"


class FindingCode(StrEnum):
    """What a finding is about; for programs."""

    SOURCE = "source"
    KEY = "key"
    KEY_REUSED = "key-reused"
    KEY_FORM = "key-form"
    INPUT = "input"
    WEBHOOK = "webhook"
    WEBHOOK_TOKEN = "webhook-token"  # noqa: S105 - a code
    ENVIRONMENT_ID = "environment-id"
    ANSWER = "answer"
    USER_IDS = "user-ids"
    SENT = "sent"
    COUNTED = "counted"
    DESTINATIONS = "destinations"
    EXCLUDED = "excluded"
    PROTECTED = "protected"
    SERVICE = "service"
    RETENTION = "retention"
    ALERTS = "alerts"


class Finding(Struct, frozen=True, kw_only=True):
    """One observed thing."""

    code: FindingCode
    state: StepState
    evidence: str
    """A sentence made from data; texts of others in it are on one line and printable."""
    source: str = ""
    """Where that was seen: config, journal, Segment's Public API."""
    actions: tuple[ActionKind, ...] = ()
    """What can be done about it, the best first."""


_WORST_FIRST = (StepState.TODO, StepState.DOUBTFUL, StepState.UNKNOWN, StepState.DONE)


class Step(Struct, frozen=True, kw_only=True):
    """A step and its findings."""

    kind: StepKind
    findings: tuple[Finding, ...]

    @property
    def state(self) -> StepState:
        """The worst of its findings: to do before doubtful, before unknown, before done."""
        states = {finding.state for finding in self.findings}
        return next((state for state in _WORST_FIRST if state in states), StepState.UNKNOWN)

    @property
    def deciding(self) -> Finding | None:
        """The first finding that has the state of the step."""
        return next((finding for finding in self.findings if finding.state is self.state), None)

    @property
    def actions(self) -> tuple[ActionKind, ...]:
        """Everything that can be done, first for the deciding finding, then for the others in their order."""
        ordered = sorted(self.findings, key=lambda finding: finding is not self.deciding)
        return tuple(dict.fromkeys(action for finding in ordered for action in finding.actions))

    @property
    def action(self) -> ActionKind | None:
        """What to do next."""
        return next(iter(self.actions), None)


class Checklist(Struct, frozen=True, kw_only=True):
    """All steps of one environment, in order."""

    environment: str
    steps: tuple[Step, ...]
    asked_at: int
    """Time of the facts, epoch milliseconds."""

    @property
    def complete(self) -> bool:
        """Whether nothing is to do or doubtful; what cannot be known does not count against it."""
        return not any(step.state in (StepState.TODO, StepState.DOUBTFUL) for step in self.steps)

    @property
    def next_step(self) -> Step | None:
        """The first step to do, else the first doubtful one."""
        for state in (StepState.TODO, StepState.DOUBTFUL):
            for step in self.steps:
                if step.state is state:
                    return step
        return None
