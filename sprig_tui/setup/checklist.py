"""The checklist of the facts. Pure.

Nothing is claimed beyond what was observed: what cannot be known is a finding of that state, and says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from sprig_tui.config.secret_lint import WRITE_KEY_RULES, lint_secret
from sprig_tui.formatting import local_time
from sprig_tui.journal.records import Delivery, State
from sprig_tui.reasons import Reason
from sprig_tui.reconcile.model import Obstacle, obstacle_text
from sprig_tui.segment.source_checks import stage_of
from sprig_tui.setup.facts import Facts, JournalFacts, WorkspaceFacts
from sprig_tui.setup.model import ActionKind, Checklist, Finding, FindingCode, Step, StepKind, StepState
from sprig_tui.text import one_line

COUNTS_LAG_MS = 7 * 60_000
"""How long a missing count says nothing: Segment's counts are minutes late."""
MAX_ANONYMOUS_SHARE = 0.5
"""Share of answers without a User ID from which most answers are lost."""
MAX_NAME_CHARS = 80

CONFIG, JOURNAL, API = "config", "journal", "Segment's Public API"
_DONE, _TODO, _DOUBTFUL, _UNKNOWN = StepState.DONE, StepState.TODO, StepState.DOUBTFUL, StepState.UNKNOWN
_AMONG_NEWEST = "among the newest deliveries; older ones were not looked at"
_JOURNAL_CLOSED = "the journal is not open, so it cannot be looked at"


def checklist(facts: Facts) -> Checklist:
    """The seven steps."""
    findings = {
        StepKind.SOURCE: _source(facts),
        StepKind.WRITE_KEY: _write_key(facts),
        StepKind.SPRIG: _sprig(facts),
        StepKind.FIRST_ANSWER: _first_answer(facts),
        StepKind.ARRIVAL: _arrival(facts),
        StepKind.DESTINATIONS: _destinations(facts),
        StepKind.GOING_LIVE: _going_live(facts),
    }
    steps = tuple(Step(kind=kind, findings=tuple(found)) for kind, found in findings.items())
    return Checklist(environment=facts.environment.name, steps=steps, asked_at=facts.at)


def _source(facts: Facts) -> Iterator[Finding]:
    key, workspace = facts.environment.write_key, facts.workspace
    code = FindingCode.SOURCE
    if not facts.has_token:
        actions = (ActionKind.STORE_TOKEN, ActionKind.PASTE_KEY)
        if key is None:
            evidence = (
                "no source is chosen: make one in Segment and paste its key, or store a token and make it from here"
            )
            yield Finding(code=code, state=_TODO, evidence=evidence, source=CONFIG, actions=actions)
        else:
            evidence = "its source cannot be known without a token of Segment's Public API"
            yield Finding(code=code, state=_UNKNOWN, evidence=evidence, source=CONFIG, actions=actions)
        return
    choose: tuple[ActionKind, ...] = (ActionKind.CHOOSE_SOURCE, ActionKind.CREATE_SOURCE, ActionKind.PASTE_KEY)
    if workspace is not None and not workspace.fitting and not workspace.detail:
        choose = (ActionKind.CREATE_SOURCE, ActionKind.CHOOSE_SOURCE, ActionKind.PASTE_KEY)
    if key is None:
        evidence = "no source is chosen yet: choose one of the workspace, or make one"
        yield Finding(code=code, state=_TODO, evidence=evidence, source=CONFIG, actions=choose)
        return
    if workspace is None:
        yield Finding(code=code, state=_UNKNOWN, evidence="Segment was not asked yet", source=API)
        return
    if workspace.source is None:
        state = _DOUBTFUL if workspace.obstacle is Obstacle.NOT_IN_WORKSPACE else _UNKNOWN
        if workspace.obstacle is Obstacle.PERMISSION:
            # with this token nothing can be chosen or made
            choose = (ActionKind.STORE_TOKEN, ActionKind.PASTE_KEY)
        yield Finding(code=code, state=state, evidence=_obstacle(workspace), source=API, actions=choose)
        return
    source = workspace.source
    about = ", ".join(filter(None, (source.kind, *source.labels)))
    evidence = f"{_name(source.name)}{f' ({_name(about)})' if about else ''}"
    if workspace.mismatches:
        evidence += f": {'; '.join(_name(one) for one in workspace.mismatches)}"
        yield Finding(code=code, state=_DOUBTFUL, evidence=evidence, source=API, actions=choose)
    else:
        yield Finding(code=code, state=_DONE, evidence=evidence, source=API)


def _write_key(facts: Facts) -> Iterator[Finding]:
    key = facts.environment.write_key
    code = FindingCode.KEY
    if key is None:
        first = ActionKind.CHOOSE_SOURCE if facts.has_token else ActionKind.PASTE_KEY
        actions = tuple(dict.fromkeys((first, ActionKind.PASTE_KEY)))
        yield Finding(code=code, state=_TODO, evidence="there is no Write Key", source=CONFIG, actions=actions)
        return
    where = "in the config" if key.read_from == "config" else f"from {_name(key.read_from)}"
    replace = (ActionKind.REPLACE_KEY,)
    yield Finding(code=code, state=_DONE, evidence=f"{key.masked()}, {where}", source=CONFIG)
    for text in facts.reuse:
        yield Finding(
            code=FindingCode.KEY_REUSED, state=_DOUBTFUL, evidence=_name(text), source=CONFIG, actions=replace
        )
    if key.is_read:
        for fault in lint_secret(key.reveal(), WRITE_KEY_RULES).warnings:
            evidence = f"it looks odd: {fault.message}"
            yield Finding(code=FindingCode.KEY_FORM, state=_DOUBTFUL, evidence=evidence, source=CONFIG, actions=replace)


def _sprig(facts: Facts) -> Iterator[Finding]:
    environment, journal = facts.environment, facts.journal
    ways = (
        ActionKind.OPEN_RECORDS,
        ActionKind.MAKE_WEBHOOK_TOKEN,
        ActionKind.START_LISTENING,
        ActionKind.STORE_SPRIG_KEY,
    )
    if journal is None:
        yield Finding(code=FindingCode.INPUT, state=_UNKNOWN, evidence=_JOURNAL_CLOSED, source=JOURNAL)
        return
    if webhook := journal.webhook:
        is_test = webhook.reason == Reason.TEST_WEBHOOK
        name = "Test Webhook" if is_test else _name(webhook.survey_name or "without a survey")
        evidence = f"a webhook arrived: {_time(webhook.added_at, facts.at)}, {name}"
        yield Finding(code=FindingCode.WEBHOOK, state=_DONE, evidence=evidence, source=JOURNAL)
    if pulled := journal.pulled:
        evidence = f"answers were pulled from Sprig's API: the newest {_time(pulled.added_at, facts.at)}"
        yield Finding(code=FindingCode.INPUT, state=_DONE, evidence=evidence, source=JOURNAL)
    if file := journal.file:
        evidence = (
            f"answers were read from a file: {_name(PurePath(file.source).name)}, {_time(file.added_at, facts.at)}"
        )
        yield Finding(code=FindingCode.INPUT, state=_DONE, evidence=evidence, source=JOURNAL)
    came = bool(journal.webhook or journal.pulled or journal.file)
    if environment.webhook_token is not None and not journal.webhook:
        listens = any(worker.role == "listen" for worker in journal.workers)
        waits = "listen runs and waits for the first webhook" if listens else "no listen runs on this journal"
        actions = (ActionKind.START_LISTENING, *(one for one in ways if one is not ActionKind.START_LISTENING))
        yield Finding(
            code=FindingCode.WEBHOOK_TOKEN,
            state=_UNKNOWN if came else _TODO,
            evidence=f"there is a webhook token; {waits}",
            source=CONFIG,
            actions=actions,
        )
    elif environment.sprig_api_key is not None and not journal.pulled:
        yield Finding(
            code=FindingCode.INPUT,
            state=_UNKNOWN if came else _TODO,
            evidence="there is a key of Sprig's API; nothing was pulled yet",
            source=CONFIG,
            actions=(ActionKind.PULL, *ways),
        )
    elif not came and journal.more:
        evidence = f"no answer is {_AMONG_NEWEST}"
        yield Finding(code=FindingCode.INPUT, state=_UNKNOWN, evidence=evidence, source=JOURNAL, actions=ways)
    elif not came:
        evidence = "no answer came yet: choose whether they come from a file, by webhook or by Sprig's API"
        yield Finding(code=FindingCode.INPUT, state=_TODO, evidence=evidence, source=JOURNAL, actions=ways)
    if journal.webhook and environment.webhook_token is None:
        yield Finding(
            code=FindingCode.WEBHOOK_TOKEN,
            state=_DOUBTFUL,
            evidence="webhooks need no token, so any program on this machine can send one",
            source=CONFIG,
            actions=(ActionKind.MAKE_WEBHOOK_TOKEN,),
        )
    yield from _environment_id(facts, journal)


def _environment_id(facts: Facts, journal: JournalFacts) -> Iterator[Finding]:
    learnt, known = journal.environment_id, facts.environment.sprig_environment_id
    save, code = (ActionKind.SAVE_ENVIRONMENT_ID,), FindingCode.ENVIRONMENT_ID
    if learnt and not known:
        evidence = f"the webhook carried the environment id {_name(learnt)}, which is not saved"
        yield Finding(code=code, state=_DOUBTFUL, evidence=evidence, source=JOURNAL, actions=save)
    elif learnt and known and learnt != known:
        evidence = f"the webhook carried the environment id {_name(learnt)}; the config has {_name(known)}"
        yield Finding(code=code, state=_DOUBTFUL, evidence=evidence, source=JOURNAL, actions=save)
    elif known:
        yield Finding(code=code, state=_DONE, evidence=f"environment id {_name(known)}", source=CONFIG)


def _first_answer(facts: Facts) -> Iterator[Finding]:
    journal = facts.journal
    look = (ActionKind.OPEN_RECORDS, ActionKind.SEND_ANSWER)
    if journal is None:
        yield Finding(code=FindingCode.ANSWER, state=_UNKNOWN, evidence=_JOURNAL_CLOSED, source=JOURNAL)
        return
    if journal.answer is not None:
        survey = _name(journal.answer.survey_name or "a survey without a name")
        evidence = f"an answer of {_name(journal.answer.user_id)} to {survey}"
        yield Finding(code=FindingCode.ANSWER, state=_DONE, evidence=evidence, source=JOURNAL)
    elif journal.anonymous:
        every = f"each of the last {journal.seen:,} answers" if journal.more else "every answer so far"
        evidence = f"{every} lacks a User ID, and is withheld: Segment needs one"
        yield Finding(code=FindingCode.USER_IDS, state=_TODO, evidence=evidence, source=JOURNAL, actions=look)
        return
    elif journal.more:
        evidence = f"no answer is {_AMONG_NEWEST}"
        yield Finding(code=FindingCode.ANSWER, state=_UNKNOWN, evidence=evidence, source=JOURNAL, actions=look)
        return
    else:
        evidence = "no answer was read yet"
        yield Finding(code=FindingCode.ANSWER, state=_TODO, evidence=evidence, source=JOURNAL, actions=look)
        return
    share = journal.anonymous / max(1, journal.seen)
    evidence = f"{journal.anonymous:,} of the last {journal.seen:,} lack a User ID ({share:.0%}) and are withheld"
    state = _DOUBTFUL if share >= MAX_ANONYMOUS_SHARE else _DONE
    yield Finding(code=FindingCode.USER_IDS, state=state, evidence=evidence, source=JOURNAL)


def _arrival(facts: Facts) -> Iterator[Finding]:
    journal, workspace = facts.journal, facts.workspace
    if journal is None:
        yield Finding(code=FindingCode.SENT, state=_UNKNOWN, evidence=_JOURNAL_CLOSED, source=JOURNAL)
        return
    send = (ActionKind.SEND_TEST_EVENT, ActionKind.SEND_ANSWER)
    sent = _sent(journal)
    if not sent and journal.more:
        evidence = f"nothing that was sent is {_AMONG_NEWEST}"
        yield Finding(code=FindingCode.SENT, state=_UNKNOWN, evidence=evidence, source=JOURNAL, actions=send)
        return
    if not sent:
        evidence = "nothing was sent yet"
        yield Finding(code=FindingCode.SENT, state=_TODO, evidence=evidence, source=JOURNAL, actions=send)
        return
    if journal.taken_at:
        yield _counted(facts, workspace, journal.taken_at)
    for one in sent:
        state = {State.DELIVERED: _DONE, State.FAILED: _TODO, State.WITHHELD: _TODO}.get(one.state, _TODO)
        evidence = _sent_text(one, facts.at)
        yield Finding(code=FindingCode.SENT, state=state, evidence=evidence, source=JOURNAL, actions=send)


def _sent(journal: JournalFacts) -> list[Delivery]:
    """The answer and the test event to report; a failed test event no more once Segment took a later answer."""
    answer, test = journal.delivered or journal.newest, journal.test_event
    is_overcome = (
        test is not None
        and test.state is not State.DELIVERED
        and journal.delivered is not None
        and journal.delivered.settled_at >= max(test.settled_at, test.added_at)
    )
    return [one for one in (answer, None if is_overcome else test) if one is not None]


def _sent_text(one: Delivery, now: int) -> str:
    what = "the test event" if one.user_id and one.source == "test event" else "an answer"
    match one.state:
        case State.DELIVERED:
            return f"Segment took {what}: {one.status} at {_time(one.settled_at, now)}"
        case State.FAILED:
            return f"Segment rejected {what}: {one.status or ''} {_name(one.error)}".rstrip()
        case State.WITHHELD:
            return f"{what} is withheld: {_name(one.reason)} {_name(one.detail)}".rstrip()
    return f"{what} is on its way"


def _counted(facts: Facts, workspace: WorkspaceFacts | None, taken_at: tuple[int, ...]) -> Finding:
    code = FindingCode.COUNTED
    look = (ActionKind.COMPARE,)
    if not facts.has_token:
        evidence = "whether it arrived cannot be known without a token: look for it in the source's Debugger in Segment"
        return Finding(code=code, state=_UNKNOWN, evidence=evidence, source=CONFIG, actions=(ActionKind.STORE_TOKEN,))
    if workspace is None:
        return Finding(code=code, state=_UNKNOWN, evidence="Segment was not asked for its counts yet", source=API)
    if workspace.counted is None:
        evidence = f"Segment's counts are not known: {_obstacle(workspace)}"
        return Finding(code=code, state=_UNKNOWN, evidence=evidence, source=API, actions=look)
    since = _time(workspace.counted_since, facts.at)
    if workspace.counted:
        evidence = f"counted by Segment: {workspace.counted:,} of our events since {since}"
        return Finding(code=code, state=_DONE, evidence=evidence, source=API, actions=look)
    expected = min((at for at in taken_at if at >= workspace.counted_since), default=facts.at)
    if facts.at - expected < COUNTS_LAG_MS:
        evidence = "not counted by Segment yet: its counts are some minutes late"
        return Finding(code=code, state=_TODO, evidence=evidence, source=API, actions=look)
    evidence = f"Segment counted none of our events since {since}: look for it in the source's Debugger in Segment"
    return Finding(code=code, state=_DOUBTFUL, evidence=evidence, source=API, actions=look)


def _destinations(facts: Facts) -> Iterator[Finding]:
    code, connect = FindingCode.DESTINATIONS, (ActionKind.CONNECT_DESTINATION,)
    workspace = facts.workspace
    yield from _excluded(facts)
    if not facts.has_token:
        evidence = "they cannot be known without a token of Segment's Public API"
        yield Finding(code=code, state=_UNKNOWN, evidence=evidence, source=CONFIG, actions=connect)
    elif workspace is None or workspace.destinations is None:
        evidence = _obstacle(workspace) if workspace else "Segment was not asked yet"
        yield Finding(code=code, state=_UNKNOWN, evidence=evidence, source=API, actions=connect)
    elif not workspace.destinations:
        evidence = "no destination is connected: what arrives goes nowhere else"
        yield Finding(code=code, state=_TODO, evidence=evidence, source=API, actions=connect)
    else:
        on = [one for one in workspace.destinations if one.enabled is not False]
        names = ", ".join(
            _name(one.name if one.enabled is not False else f"{one.name} (disabled)") for one in workspace.destinations
        )
        yield Finding(code=code, state=_DONE if on else _TODO, evidence=names, source=API, actions=connect)


def _excluded(facts: Facts) -> Iterator[Finding]:
    """Rules of `integrations` that keep answers from a destination; doubtful unless it is known not to be connected."""
    connected = facts.workspace.destinations if facts.workspace is not None else None
    names = None if connected is None else [_forms(one.name) | _forms(one.kind) for one in connected]
    for name in facts.excluded:
        applies = names is None or any(_forms(name) & both for both in names)
        evidence = f"integrations in the config switches {_name(name)} off" + ("" if applies else ": not connected")
        state = _DOUBTFUL if applies else _DONE
        yield Finding(code=FindingCode.EXCLUDED, state=state, evidence=evidence, source=CONFIG)
    if facts.excludes_all:
        admitted = set().union(*(_forms(name) for name in facts.admitted))
        applies = names is None or any(not both & admitted for both in names)
        but = f" but {', '.join(_name(name) for name in facts.admitted)}" if facts.admitted else ""
        evidence = f"integrations in the config switches every destination off{but}"
        state = _DOUBTFUL if applies else _DONE
        yield Finding(code=FindingCode.EXCLUDED, state=state, evidence=evidence, source=CONFIG)


def _forms(name: str) -> set[str]:
    """The spellings of a destination that Segment takes for one."""
    return {name.casefold(), name.casefold().removesuffix(" (actions)")} - {""}


def _going_live(facts: Facts) -> Iterator[Finding]:
    environment, journal = facts.environment, facts.journal
    if environment.protected:
        evidence = "protected: sending in bulk asks for its name"
        yield Finding(code=FindingCode.PROTECTED, state=_DONE, evidence=evidence, source=CONFIG)
    elif any(stage_of(part) == "production" for part in environment.name.replace("_", "-").split("-")):
        evidence = "not protected: everything can be sent by one key"
        yield Finding(
            code=FindingCode.PROTECTED, state=_TODO, evidence=evidence, source=CONFIG, actions=(ActionKind.PROTECT,)
        )
    else:
        evidence = f"not protected, as is usual for {environment.name}"
        yield Finding(
            code=FindingCode.PROTECTED, state=_DONE, evidence=evidence, source=CONFIG, actions=(ActionKind.PROTECT,)
        )
    workers = journal.workers if journal else ()
    services = [
        one for one in workers if one.role == "listen" or (one.role == "run" and environment.name in one.environments)
    ]
    if services:
        names = ", ".join(f"{one.role} on {_name(one.host)}" for one in services)
        yield Finding(code=FindingCode.SERVICE, state=_DONE, evidence=f"running: {names}", source=JOURNAL)
    else:
        evidence = "no listen runs; whether one is installed as a service cannot be known from here"
        unit = (ActionKind.PRINT_UNIT,)
        yield Finding(code=FindingCode.SERVICE, state=_UNKNOWN, evidence=evidence, source=JOURNAL, actions=unit)
    evidence = "whether old deliveries are pruned, and the journal backed up, cannot be known from here"
    retention = (ActionKind.SET_RETENTION,)
    yield Finding(code=FindingCode.RETENTION, state=_UNKNOWN, evidence=evidence, actions=retention)
    evidence = "whether /metrics is watched by alerts cannot be known from here"
    yield Finding(code=FindingCode.ALERTS, state=_UNKNOWN, evidence=evidence)


def _obstacle(workspace: WorkspaceFacts) -> str:
    text = obstacle_text(workspace.obstacle) or "Segment did not say"
    return f"{text} ({_name(workspace.detail)})" if workspace.detail else text


def _time(ms: int, now: int) -> str:
    at = local_time(ms)
    return f"{at:%H:%M}" if at.date() == local_time(now).date() else f"{at:%Y-%m-%d %H:%M}"


def _name(text: str) -> str:
    return one_line(text, limit=MAX_NAME_CHARS)
