"""The checklist of the facts. Pure.

Nothing is claimed beyond what was observed: what cannot be known is a finding of that state, and says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

from msgspec.structs import replace as changed

from sprig_tui.config.oauth import describe_oauth
from sprig_tui.config.secret_lint import WRITE_KEY_RULES, lint_secret
from sprig_tui.journal.pause_reasons import PauseReason
from sprig_tui.reasons import Reason, reason_label
from sprig_tui.reconcile.model import Obstacle
from sprig_tui.segment.public_api_models import Source
from sprig_tui.setup.arrival import PASSING_OBSTACLES, arrival
from sprig_tui.setup.evidence import (
    API,
    CONFIG,
    JOURNAL,
    JOURNAL_CLOSED,
    MAX_CAUSE_CHARS,
    name_text,
    time_text,
    ways_to_a_secret,
    ways_to_a_token,
    without_token,
    workspace_obstacle,
)
from sprig_tui.setup.facts import Facts
from sprig_tui.setup.going_live import going_live
from sprig_tui.setup.journal_facts import ANSWER, PULLED, WEBHOOK, JournalFacts
from sprig_tui.setup.key_owner import kind_doubt
from sprig_tui.setup.model import ActionKind, Checklist, Finding, FindingCode, Step, StepKind, StepState
from sprig_tui.text import one_line

MAX_ANONYMOUS_SHARE = 0.5
"""Share of answers without a User ID from which most answers are lost."""

_DONE, _TODO, _DOUBTFUL, _UNKNOWN = StepState.DONE, StepState.TODO, StepState.DOUBTFUL, StepState.UNKNOWN
_NOT_SEARCHED = "among the deliveries that were looked at; there are older ones"


def checklist(facts: Facts) -> Checklist:
    """The seven steps."""
    findings = {
        StepKind.SOURCE: _source(facts),
        StepKind.WRITE_KEY: _write_key(facts),
        StepKind.SPRIG: _sprig(facts),
        StepKind.FIRST_ANSWER: _first_answer(facts),
        StepKind.ARRIVAL: arrival(facts),
        StepKind.DESTINATIONS: _destinations(facts),
        StepKind.GOING_LIVE: going_live(facts),
    }
    accepted = frozenset(facts.environment.setup_accepted)
    steps = tuple(Step(kind=kind, findings=_with_accepted(found, accepted)) for kind, found in findings.items())
    return Checklist(environment=facts.environment.name, steps=steps, asked_at=facts.at)


def _with_accepted(findings: Iterable[Finding], accepted: frozenset[str]) -> tuple[Finding, ...]:
    """With what a user accepted as done, and that as an action for what may be accepted."""
    found: list[Finding] = []
    for one in findings:
        if not one.is_acceptable:
            found.append(one)
        elif one.code in accepted:
            evidence = f"accepted in the config: {one.evidence}"
            found.append(changed(one, state=_DONE, evidence=evidence, is_accepted=True, actions=(ActionKind.REOPEN,)))
        else:
            found.append(changed(one, actions=(*one.actions, ActionKind.ACCEPT)))
    return tuple(found)


def _source(facts: Facts) -> Iterator[Finding]:
    key, workspace = facts.environment.write_key, facts.workspace
    code, choose = FindingCode.SOURCE, _ways_to_a_source(facts)
    if key is None and facts.key_problem is not None:
        evidence = "its source is known once its Write Key can be read"
        yield Finding(code=code, state=_UNKNOWN, evidence=evidence, source=CONFIG, is_temporary=True)
    elif key is None:
        evidence = f"no source is chosen: {_how_to_a_source(facts)}"
        yield Finding(code=code, state=_TODO, evidence=evidence, source=CONFIG, actions=choose)
    elif not facts.has_token:
        evidence = f"its source cannot be known {without_token(facts)}"
        yield Finding(code=code, state=_UNKNOWN, evidence=evidence, source=CONFIG, actions=choose)
    elif workspace is None:
        evidence = "Segment was not asked yet"
        yield Finding(code=code, state=_UNKNOWN, evidence=evidence, source=API, is_temporary=True)
    elif workspace.source is None:
        yield Finding(
            code=code,
            state=_DOUBTFUL if workspace.obstacle is Obstacle.NOT_IN_WORKSPACE else _UNKNOWN,
            evidence=workspace_obstacle(workspace),
            source=API,
            actions=choose,
            is_temporary=workspace.obstacle in PASSING_OBSTACLES,
        )
    else:
        yield from _chosen_source(workspace.source, workspace.mismatches, choose)


def _chosen_source(source: Source, mismatches: Sequence[str], choose: tuple[ActionKind, ...]) -> Iterator[Finding]:
    about = ", ".join(filter(None, (source.kind, *source.labels)))
    evidence = f"{name_text(source.name)}{f' ({name_text(about)})' if about else ''}"
    code = FindingCode.SOURCE
    if mismatches:
        evidence += f": {'; '.join(name_text(one) for one in mismatches)}"
        yield Finding(code=code, state=_DOUBTFUL, evidence=evidence, source=API, actions=choose)
    else:
        yield Finding(code=code, state=_DONE, evidence=evidence, source=API)
    if doubt := kind_doubt(source.kind):
        code = FindingCode.SOURCE_KIND
        yield Finding(code=code, state=_DOUBTFUL, evidence=one_line(doubt), source=API, actions=choose)


def _ways_to_a_source(facts: Facts) -> tuple[ActionKind, ...]:
    """What leads to a source, the best first."""
    workspace = facts.workspace
    if not facts.has_token:
        return (*ways_to_a_token(facts), ActionKind.PASTE_KEY)
    if workspace is not None and (workspace.obstacle is Obstacle.PERMISSION or workspace.hides_keys):
        # with this token nothing can be chosen or made
        return (ActionKind.REPLACE_TOKEN, ActionKind.PASTE_KEY)
    if workspace is not None and not workspace.fitting and not workspace.detail:
        return (ActionKind.CREATE_SOURCE, ActionKind.CHOOSE_SOURCE, ActionKind.PASTE_KEY)
    return (ActionKind.CHOOSE_SOURCE, ActionKind.CREATE_SOURCE, ActionKind.PASTE_KEY)


def _how_to_a_source(facts: Facts) -> str:
    workspace = facts.workspace
    if not facts.has_token:
        problem = f" ({one_line(facts.token_problem.text)})" if facts.token_problem is not None else ""
        return f"make one in Segment and paste its key, or store a token and make it from here{problem}"
    if workspace is not None and workspace.hides_keys:
        return "the token sees no Write Keys, so paste one, or use another token"
    if workspace is not None and workspace.obstacle not in (Obstacle.NONE, Obstacle.NO_KEY):
        return f"they cannot be listed, {workspace_obstacle(workspace)}"
    return "choose one of the workspace, or make one"


def _write_key(facts: Facts) -> Iterator[Finding]:
    key = facts.environment.write_key
    code = FindingCode.KEY
    if key is None and facts.key_problem is not None:
        evidence = one_line(facts.key_problem.text)
        actions = ways_to_a_secret(facts.key_problem, ActionKind.PASTE_KEY)
        yield Finding(code=code, state=_TODO, evidence=evidence, source=CONFIG, actions=actions)
        return
    if key is None:
        first = ActionKind.CHOOSE_SOURCE if facts.has_token else ActionKind.PASTE_KEY
        ways = tuple(dict.fromkeys((first, ActionKind.PASTE_KEY)))
        yield Finding(code=code, state=_TODO, evidence="there is no Write Key", source=CONFIG, actions=ways)
        return
    where = "in the config" if key.read_from == "config" else f"from {name_text(key.read_from)}"
    replace = (ActionKind.REPLACE_KEY,)
    yield Finding(code=code, state=_DONE, evidence=f"{key.masked()}, {where}", source=CONFIG)
    yield from _oauth(facts)
    for text in facts.reuse:
        yield Finding(
            code=FindingCode.KEY_REUSED, state=_DOUBTFUL, evidence=name_text(text), source=CONFIG, actions=replace
        )
    if key.is_read:
        for fault in lint_secret(key.reveal(), WRITE_KEY_RULES).warnings:
            evidence = f"it looks odd: {fault.message}"
            yield Finding(code=FindingCode.KEY_FORM, state=_DOUBTFUL, evidence=evidence, source=CONFIG, actions=replace)


_OAUTH_PAUSES = (
    PauseReason.OAUTH_KEY_UNUSABLE,
    PauseReason.OAUTH_CLIENT_REFUSED,
    PauseReason.OAUTH_TOKEN_REFUSED,
)


def _oauth(facts: Facts) -> Iterator[Finding]:
    """OAuth of the environment, and what Segment said about it or about its absence at the last send."""
    code, set_oauth = FindingCode.OAUTH, (ActionKind.SET_OAUTH,)
    lane = facts.journal.lane if facts.journal is not None else None
    oauth = facts.environment.oauth_credentials
    if oauth is None:
        if lane is not None and lane.state == "paused" and lane.reason is PauseReason.KEY_REFUSED:
            evidence = (
                f"Segment refuses the key ({lane.detail.status or lane.last_status}): it does that where the source"
                " requires OAuth, and the environment has none"
            )
            actions = (ActionKind.SET_OAUTH, ActionKind.REPLACE_KEY)
            yield Finding(code=code, state=_TODO, evidence=evidence, source=JOURNAL, actions=actions)
        return
    if facts.oauth_problem:
        yield Finding(code=code, state=_TODO, evidence=facts.oauth_problem, source=CONFIG, actions=set_oauth)
    elif lane is not None and lane.state == "paused" and lane.reason in _OAUTH_PAUSES:
        evidence = one_line(lane.cause, limit=MAX_CAUSE_CHARS)
        yield Finding(code=code, state=_TODO, evidence=evidence, source=JOURNAL, actions=set_oauth)
    else:
        evidence = f"{describe_oauth(facts.environment)}; its private key can sign"
        yield Finding(code=code, state=_DONE, evidence=evidence, source=CONFIG)


def _sprig(facts: Facts) -> Iterator[Finding]:
    environment, journal = facts.environment, facts.journal
    ways = (
        ActionKind.OPEN_RECORDS,
        ActionKind.MAKE_WEBHOOK_TOKEN,
        ActionKind.START_LISTENING,
        ActionKind.STORE_SPRIG_KEY,
    )
    if journal is None:
        yield Finding(
            code=FindingCode.INPUT, state=_UNKNOWN, evidence=JOURNAL_CLOSED, source=JOURNAL, is_temporary=True
        )
        return
    yield from _came(journal, facts.at)
    if facts.webhook_token_problem is not None:
        actions = ways_to_a_secret(facts.webhook_token_problem, ActionKind.MAKE_WEBHOOK_TOKEN)
        evidence = f"no webhook is accepted: {one_line(facts.webhook_token_problem.text)}"
        code = FindingCode.WEBHOOK_TOKEN
        yield Finding(code=code, state=_TODO, evidence=evidence, source=CONFIG, actions=actions)
    if facts.sprig_key_problem is not None:
        actions = ways_to_a_secret(facts.sprig_key_problem, ActionKind.STORE_SPRIG_KEY)
        evidence = f"nothing can be pulled: {one_line(facts.sprig_key_problem.text)}"
        yield Finding(code=FindingCode.INPUT, state=_TODO, evidence=evidence, source=CONFIG, actions=actions)
    came = bool(journal.webhook or journal.pulled or journal.file)
    if environment.webhook_token is not None and not journal.webhook:
        listens = any(worker.role == "listen" for worker in journal.workers)
        waits = "listen runs and waits for the first webhook" if listens else "no listen runs on this journal"
        if journal.may_have(WEBHOOK):
            waits = f"no webhook is {_NOT_SEARCHED}"
        first = ActionKind.TEST_WEBHOOK if listens else ActionKind.START_LISTENING
        actions = (first, *(one for one in ways if one is not ActionKind.START_LISTENING))
        yield Finding(
            code=FindingCode.WEBHOOK_TOKEN,
            state=_UNKNOWN if came else _TODO,
            evidence=f"there is a webhook token; {waits}",
            source=CONFIG,
            actions=actions,
        )
    elif environment.sprig_api_key is not None and not journal.pulled:
        pulled_text = f"that was pulled is {_NOT_SEARCHED}" if journal.may_have(PULLED) else "was pulled yet"
        yield Finding(
            code=FindingCode.INPUT,
            state=_UNKNOWN if came else _TODO,
            evidence=f"there is a key of Sprig's API; nothing {pulled_text}",
            source=CONFIG,
            actions=(ActionKind.PULL, *ways),
        )
    elif not came and journal.more:
        evidence = f"no answer is {_NOT_SEARCHED}"
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


def _came(journal: JournalFacts, now: int) -> Iterator[Finding]:
    """What came, by each way."""
    if webhook := journal.webhook:
        is_test = webhook.reason == Reason.TEST_WEBHOOK
        name = "Test Webhook" if is_test else name_text(webhook.survey_name or "without a survey")
        evidence = f"a webhook arrived: {time_text(webhook.added_at, now)}, {name}"
        yield Finding(code=FindingCode.WEBHOOK, state=_DONE, evidence=evidence, source=JOURNAL)
    if pulled := journal.pulled:
        evidence = f"answers were pulled from Sprig's API: the newest {time_text(pulled.added_at, now)}"
        yield Finding(code=FindingCode.INPUT, state=_DONE, evidence=evidence, source=JOURNAL)
    if file := journal.file:
        name = name_text(PurePath(file.source).name)
        evidence = f"answers were read from a file: {name}, {time_text(file.added_at, now)}"
        yield Finding(code=FindingCode.INPUT, state=_DONE, evidence=evidence, source=JOURNAL)


def _environment_id(facts: Facts, journal: JournalFacts) -> Iterator[Finding]:
    learnt, known = journal.environment_id, facts.environment.sprig_environment_id
    save, code = (ActionKind.SAVE_ENVIRONMENT_ID,), FindingCode.ENVIRONMENT_ID
    if learnt and not known:
        evidence = f"the webhook carried the environment id {name_text(learnt)}, which is not saved"
        yield Finding(code=code, state=_DOUBTFUL, evidence=evidence, source=JOURNAL, actions=save)
    elif learnt and known and learnt != known:
        evidence = f"the webhook carried the environment id {name_text(learnt)}; the config has {name_text(known)}"
        yield Finding(code=code, state=_DOUBTFUL, evidence=evidence, source=JOURNAL, actions=save)
    elif known:
        yield Finding(code=code, state=_DONE, evidence=f"environment id {name_text(known)}", source=CONFIG)


def _first_answer(facts: Facts) -> Iterator[Finding]:
    journal = facts.journal
    look = (ActionKind.OPEN_RECORDS, ActionKind.SEND_ANSWER)
    if journal is None:
        yield Finding(
            code=FindingCode.ANSWER, state=_UNKNOWN, evidence=JOURNAL_CLOSED, source=JOURNAL, is_temporary=True
        )
        return
    if journal.answer is not None:
        survey = name_text(journal.answer.survey_name or "a survey without a name")
        evidence = f"an answer of {name_text(journal.answer.user_id)} to {survey}"
        yield Finding(code=FindingCode.ANSWER, state=_DONE, evidence=evidence, source=JOURNAL)
    elif journal.anonymous:
        every = f"each of the last {journal.seen:,} answers" if journal.more else "every answer so far"
        evidence = f"{every} lacks a User ID, and is withheld: Segment needs one"
        yield Finding(
            code=FindingCode.ANSWER,
            state=_TODO,
            evidence=evidence,
            source=JOURNAL,
            actions=(ActionKind.IDENTIFY_USERS, ActionKind.EXPLAIN, *look),
            delivery=journal.withheld.id if journal.withheld is not None else 0,
        )
        return
    elif journal.withheld is not None and not journal.may_have(ANSWER):
        why = name_text(journal.withheld.detail or reason_label(journal.withheld.reason))
        evidence = (
            f"no answer so far can be sent; the newest is withheld, {reason_label(journal.withheld.reason)}: {why}"
        )
        yield Finding(
            code=FindingCode.ANSWER,
            state=_TODO,
            evidence=evidence,
            source=JOURNAL,
            actions=(ActionKind.EXPLAIN, *look),
            delivery=journal.withheld.id,
        )
        return
    elif journal.may_have(ANSWER):
        evidence = f"no answer is {_NOT_SEARCHED}"
        yield Finding(code=FindingCode.ANSWER, state=_UNKNOWN, evidence=evidence, source=JOURNAL, actions=look)
        return
    else:
        evidence = "no answer was read yet"
        yield Finding(code=FindingCode.ANSWER, state=_TODO, evidence=evidence, source=JOURNAL, actions=look)
        return
    if not journal.anonymous:
        if journal.seen:
            several = f"none of the last {journal.seen:,} answers lacks a User ID"
            evidence = "the last answer has a User ID" if journal.seen == 1 else several
            yield Finding(code=FindingCode.USER_IDS, state=_DONE, evidence=evidence, source=JOURNAL)
        return
    share = journal.anonymous / max(1, journal.seen)
    evidence = f"{journal.anonymous:,} of the last {journal.seen:,} lack a User ID ({share:.0%}) and are withheld"
    state = _DOUBTFUL if share >= MAX_ANONYMOUS_SHARE else _DONE
    identify = (ActionKind.IDENTIFY_USERS,)
    yield Finding(code=FindingCode.USER_IDS, state=state, evidence=evidence, source=JOURNAL, actions=identify)


def _destinations(facts: Facts) -> Iterator[Finding]:
    code, connect = FindingCode.DESTINATIONS, (ActionKind.CONNECT_DESTINATION,)
    workspace = facts.workspace
    yield from _excluded(facts)
    if not facts.has_token:
        evidence = f"they cannot be known {without_token(facts)}"
        ways = (*ways_to_a_token(facts), *connect)
        yield Finding(code=code, state=_UNKNOWN, evidence=evidence, source=CONFIG, actions=ways)
    elif workspace is None or workspace.destinations is None:
        evidence = workspace_obstacle(workspace) if workspace else "Segment was not asked yet"
        has_key = workspace is None or workspace.obstacle is not Obstacle.NO_KEY
        if not has_key:
            evidence = "which are connected is known once there is a Write Key"
        is_temporary = workspace is None or not has_key or workspace.obstacle in PASSING_OBSTACLES
        # what is missing comes first: nobody can tell yet whether a destination is
        missing = _ways_to_a_source(facts)[:1] if workspace is not None and has_key and not is_temporary else ()
        actions = (*missing, *connect)
        yield Finding(
            code=code, state=_UNKNOWN, evidence=evidence, source=API, actions=actions, is_temporary=is_temporary
        )
    elif not workspace.destinations:
        evidence = "no destination is connected: what arrives goes nowhere else"
        yield Finding(code=code, state=_TODO, evidence=evidence, source=API, actions=connect)
    else:
        on = [one for one in workspace.destinations if one.enabled is not False]
        names = ", ".join(
            name_text(one.name if one.enabled is not False else f"{one.name} (disabled)")
            for one in workspace.destinations
        )
        yield Finding(code=code, state=_DONE if on else _TODO, evidence=names, source=API, actions=connect)


def _excluded(facts: Facts) -> Iterator[Finding]:
    """Rules of `integrations` that keep answers from a destination; doubtful unless it is known not to be connected."""
    connected = facts.workspace.destinations if facts.workspace is not None else None
    names = None if connected is None else [_forms(one.name) | _forms(one.kind) for one in connected]
    for name in facts.excluded:
        applies = names is None or any(_forms(name) & both for both in names)
        evidence = f"integrations in the config switches {name_text(name)} off" + ("" if applies else ": not connected")
        state = _DOUBTFUL if applies else _DONE
        yield Finding(code=FindingCode.EXCLUDED, state=state, evidence=evidence, source=CONFIG)
    if facts.excludes_all:
        admitted = set().union(*(_forms(name) for name in facts.admitted))
        applies = names is None or any(not both & admitted for both in names)
        but = f" but {', '.join(name_text(name) for name in facts.admitted)}" if facts.admitted else ""
        evidence = f"integrations in the config switches every destination off{but}"
        state = _DOUBTFUL if applies else _DONE
        yield Finding(code=FindingCode.EXCLUDED, state=state, evidence=evidence, source=CONFIG)


def _forms(name: str) -> set[str]:
    """The spellings of a destination that Segment takes for one."""
    return {name.casefold(), name.casefold().removesuffix(" (actions)")} - {""}
