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
    REPLACE_TOKEN = "replace-token"  # noqa: S105 - an action
    CHOOSE_SOURCE = "choose-source"
    CREATE_SOURCE = "create-source"
    PASTE_KEY = "paste-key"
    REPLACE_KEY = "replace-key"
    READ_SECRET = "read-secret"  # noqa: S105 - an action
    SET_OAUTH = "set-oauth"
    MAKE_WEBHOOK_TOKEN = "make-webhook-token"  # noqa: S105 - an action
    START_LISTENING = "start-listening"
    TEST_WEBHOOK = "test-webhook"
    STORE_SPRIG_KEY = "store-sprig-key"
    PULL = "pull"
    SAVE_ENVIRONMENT_ID = "save-environment-id"
    OPEN_RECORDS = "open-records"
    IDENTIFY_USERS = "identify-users"
    SEND_TEST_EVENT = "send-test-event"
    SEND_ANSWER = "send-answer"
    EXPLAIN = "explain"
    COMPARE = "compare"
    CONNECT_DESTINATION = "connect-destination"
    PROTECT = "protect"
    SET_RETENTION = "set-retention"
    BACK_UP = "back-up"
    PRINT_UNIT = "print-unit"
    WATCH_METRICS = "watch-metrics"
    ACCEPT = "accept"
    REOPEN = "reopen"


class FindingCode(StrEnum):
    """What a finding is about; for programs."""

    SOURCE = "source"
    SOURCE_KIND = "source-kind"
    KEY = "key"
    KEY_REUSED = "key-reused"
    KEY_FORM = "key-form"
    OAUTH = "oauth"
    INPUT = "input"
    WEBHOOK = "webhook"
    WEBHOOK_TOKEN = "webhook-token"  # noqa: S105 - a code
    ENVIRONMENT_ID = "environment-id"
    ANSWER = "answer"
    USER_IDS = "user-ids"
    SENT = "sent"
    COUNTED = "counted"
    COMPARED = "compared"
    DESTINATIONS = "destinations"
    EXCLUDED = "excluded"
    PROTECTED = "protected"
    SERVICE = "service"
    RETENTION = "retention"
    BACKUP = "backup"
    ALERTS = "alerts"


OPTIONAL_CODES = frozenset(
    {
        FindingCode.PROTECTED,
        FindingCode.SERVICE,
        FindingCode.RETENTION,
        FindingCode.BACKUP,
        FindingCode.ALERTS,
        FindingCode.DESTINATIONS,
        FindingCode.EXCLUDED,
        FindingCode.SOURCE_KIND,
        FindingCode.USER_IDS,
    }
)
"""Findings that a user may know better about, or not want, whatever their state; others can be accepted only where they
cannot be known."""


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
    delivery: int = 0
    """The delivery that it is about; 0 for none."""
    is_temporary: bool = False
    """For `unknown`: whether it may be known later without anything being changed, such as when Segment answers."""
    is_accepted: bool = False
    """Whether a user accepted it, in the config; its state is `done` then."""

    @property
    def is_acceptable(self) -> bool:
        """Whether a user may accept it as it is: done elsewhere, seen by themselves, or not wanted."""
        if self.state is StepState.DONE or self.is_temporary:
            return False
        return self.state is StepState.UNKNOWN or self.code in OPTIONAL_CODES


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
        """Everything that can be done, first for the deciding finding, then for the others in their order.

        Accepting something as it is comes last.
        """
        ordered = sorted(self.findings, key=lambda finding: finding is not self.deciding)
        every = dict.fromkeys(action for finding in ordered for action in finding.actions)
        return tuple(sorted(every, key=lambda action: action in (ActionKind.ACCEPT, ActionKind.REOPEN)))

    @property
    def action(self) -> ActionKind | None:
        """What to do next."""
        return next(iter(self.actions), None)

    @property
    def delivery(self) -> int:
        """The delivery to explain; 0 for none."""
        return next((finding.delivery for finding in self.findings if finding.delivery), 0)

    @property
    def acceptable(self) -> tuple[FindingCode, ...]:
        """What a user may accept."""
        return tuple(dict.fromkeys(finding.code for finding in self.findings if finding.is_acceptable))


class Checklist(Struct, frozen=True, kw_only=True):
    """All steps of one environment, in order."""

    environment: str
    steps: tuple[Step, ...]
    asked_at: int
    """Time of the facts, epoch milliseconds."""

    @property
    def complete(self) -> bool:
        """Whether everything is done; what cannot be known is not."""
        return all(step.state is StepState.DONE for step in self.steps)

    @property
    def left(self) -> tuple[Step, ...]:
        """Steps that are to do or doubtful."""
        return tuple(step for step in self.steps if step.state in (StepState.TODO, StepState.DOUBTFUL))

    @property
    def unknown(self) -> tuple[Step, ...]:
        """Steps that are not open otherwise, and of which something cannot be known."""
        return tuple(step for step in self.steps if step.state is StepState.UNKNOWN)

    @property
    def waits(self) -> bool:
        """Whether nothing is left but what cannot be known just now, such as while Segment does not answer."""
        return not self.left and any(finding.is_temporary for step in self.unknown for finding in step.findings)

    @property
    def next_step(self) -> Step | None:
        """The first step to do, else the first doubtful one, else the first that may be accepted."""
        for state in (StepState.TODO, StepState.DOUBTFUL):
            for step in self.steps:
                if step.state is state:
                    return step
        return next((step for step in self.unknown if step.acceptable), None)
