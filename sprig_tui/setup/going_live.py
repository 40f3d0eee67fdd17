"""Findings before going live: protection, a running service, retention, backup and monitoring. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sprig_tui.formatting import time_ago
from sprig_tui.segment.source_checks import stage_of
from sprig_tui.setup.evidence import CONFIG, JOURNAL, JOURNAL_CLOSED, name_text
from sprig_tui.setup.facts import Facts
from sprig_tui.setup.journal_facts import JournalFacts
from sprig_tui.setup.model import ActionKind, Finding, FindingCode, StepState

SERVICE_ROLES = ("listen", "run", "pull")
"""Commands that work until they are stopped, by the role in their heartbeat."""
MAX_BACKUP_AGE_MS = 8 * 24 * 3_600_000
"""A weekly backup, and a day."""
MAX_METRICS_AGE_MS = 3_600_000
"""Monitors read several times a minute; what they read is noted every ten minutes."""
_DONE, _TODO, _DOUBTFUL, _UNKNOWN = StepState.DONE, StepState.TODO, StepState.DOUBTFUL, StepState.UNKNOWN


def going_live(facts: Facts) -> Iterator[Finding]:
    """The findings of the step."""
    yield _protected(facts)
    journal = facts.journal
    if journal is None:
        for code in (FindingCode.SERVICE, FindingCode.BACKUP, FindingCode.ALERTS):
            yield Finding(code=code, state=_UNKNOWN, evidence=JOURNAL_CLOSED, source=JOURNAL, is_temporary=True)
    else:
        yield _service(facts, journal)
        yield _backup(facts, journal)
        yield _alerts(journal, facts.at)
    yield _retention(facts)


def _protected(facts: Facts) -> Finding:
    environment = facts.environment
    code, protect = FindingCode.PROTECTED, (ActionKind.PROTECT,)
    if environment.protected:
        evidence = "protected: sending in bulk asks for its name"
        return Finding(code=code, state=_DONE, evidence=evidence, source=CONFIG)
    if any(stage_of(part) == "production" for part in environment.name.replace("_", "-").split("-")):
        evidence = "not protected: everything can be sent by one key"
        return Finding(code=code, state=_TODO, evidence=evidence, source=CONFIG, actions=protect)
    evidence = f"not protected, as is usual for {environment.name}"
    return Finding(code=code, state=_DONE, evidence=evidence, source=CONFIG, actions=protect)


def _service(facts: Facts, journal: JournalFacts) -> Finding:
    """Whether something receives, fetches or delivers while no console is open."""
    code, unit = FindingCode.SERVICE, (ActionKind.PRINT_UNIT,)
    name = facts.environment.name
    running = [
        one
        for one in journal.workers
        if one.role in SERVICE_ROLES and (one.role == "listen" or name in one.environments)
    ]
    expects_webhooks = journal.webhook is not None or facts.environment.webhook_token is not None
    listens = any(one.role == "listen" for one in running)
    if running and (listens or not expects_webhooks):
        names = ", ".join(f"{one.role} on {name_text(one.host)}" for one in running)
        return Finding(code=code, state=_DONE, evidence=f"running: {names}", source=JOURNAL)
    if expects_webhooks:
        evidence = "no listen runs: a webhook that Sprig sends now is lost, since Sprig does not send it again"
        return Finding(code=code, state=_TODO, evidence=evidence, source=JOURNAL, actions=unit)
    evidence = "no listen, run or pull works on this journal now; whether a timer starts one cannot be known from here"
    return Finding(code=code, state=_UNKNOWN, evidence=evidence, source=JOURNAL, actions=unit)


def _backup(facts: Facts, journal: JournalFacts) -> Finding:
    code, back_up = FindingCode.BACKUP, (ActionKind.BACK_UP,)
    if facts.journal_is_shared:
        evidence = "the journal is on PostgreSQL: whether the server is backed up cannot be known from here"
        return Finding(code=code, state=_UNKNOWN, evidence=evidence, source=CONFIG)
    note = journal.notes.backup
    if note is None:
        evidence = "the journal was never backed up by journal backup"
        return Finding(code=code, state=_TODO, evidence=evidence, source=JOURNAL, actions=back_up)
    is_old = facts.at - note.at > MAX_BACKUP_AGE_MS
    evidence = (
        f"the journal was{' last' if is_old else ''} backed up {time_ago(note.at, facts.at)}: {name_text(note.file)}"
    )
    return Finding(code=code, state=_DOUBTFUL if is_old else _DONE, evidence=evidence, source=JOURNAL, actions=back_up)


def _alerts(journal: JournalFacts, now: int) -> Finding:
    code, watch = FindingCode.ALERTS, (ActionKind.WATCH_METRICS,)
    note = journal.notes.metrics
    if note is None:
        evidence = "nothing has read /metrics of a listen or run on this journal, so nothing alerts"
        return Finding(code=code, state=_TODO, evidence=evidence, source=JOURNAL, actions=watch)
    reader = name_text(note.reader) or "a program without a name"
    when = time_ago(note.at, now)
    if now - note.at > MAX_METRICS_AGE_MS:
        evidence = f"/metrics was last read {when}, by {reader}: nothing reads it now"
        return Finding(code=code, state=_DOUBTFUL, evidence=evidence, source=JOURNAL, actions=watch)
    evidence = f"/metrics was read {when} by {reader}; which alerts there are, only that knows"
    return Finding(code=code, state=_DONE, evidence=evidence, source=JOURNAL, actions=watch)


def _retention(facts: Facts) -> Finding:
    code, keep = FindingCode.RETENTION, (ActionKind.SET_RETENTION,)
    if not facts.retention:
        evidence = "old deliveries stay for ever: the config does not say how long they are kept"
        return Finding(code=code, state=_TODO, evidence=evidence, source=CONFIG, actions=keep)
    evidence = f"kept: {facts.retention}"
    return Finding(code=code, state=_DONE, evidence=evidence, source=CONFIG, actions=keep)
