"""Secret reader: reads the secrets that commands and the keyring keep, and remembers them for this process.

Loading the settings runs nothing. Those who need secrets say which (`require`), and read them once (`read`). While the
process runs, its config is loaded again and again; `reread` then runs a command only for a reference that is new, after
`expire` (SIGHUP), after `report_rejected` (the service said that the key is wrong), and to try a failed one again after
MIN_RETRY_S, at most doubled up to MAX_RETRY_S. A command that fails then changes nothing: the secret stays in use, and
`reread` raises ConfigError.

At the start a secret that cannot be read is a warning, and the environment has none: as one in the config that cannot
be used, it never falls back to another, and a webhook token of that kind admits nobody.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from queue import Empty, SimpleQueue

from msgspec import Struct, structs

from sprig_tui.config.environment import Environment, HmacKey, Secret
from sprig_tui.config.rules import with_hmac_key
from sprig_tui.config.secret_references import SecretReference
from sprig_tui.config.secrets import (
    HMAC_KEY,
    PROFILE_TOKEN,
    PUBLIC_API_TOKEN,
    SECRET_KINDS,
    SPRIG_API_KEY,
    WEBHOOK_TOKEN,
    WRITE_KEY,
    SecretKind,
    Workspace,
    child_environ,
    lint_read_secret,
)
from sprig_tui.config.settings import Settings
from sprig_tui.config.warnings import ConfigWarning, WarningCode
from sprig_tui.errors import ConfigError, SecretReadError

MIN_RETRY_S = 60.0
MAX_RETRY_S = 900.0
"""Seconds until a command that failed, or whose key was rejected, runs again."""

ENVIRONMENT_FIELDS = {WRITE_KEY: "write_key", WEBHOOK_TOKEN: "webhook_token", SPRIG_API_KEY: "sprig_api_key"}
WORKSPACE_FIELDS = {PUBLIC_API_TOKEN: "token", PROFILE_TOKEN: "profile_token"}

OnRead = Callable[[str], None]


class _Need(Struct, frozen=True):
    kind: SecretKind
    environment: str | None
    """None for all."""


class _Slot(Struct, frozen=True):
    """A place in the settings with a secret that is kept elsewhere."""

    kind: SecretKind
    environment: str
    """Empty for the workspace and the mapping."""
    secret: Secret
    reference: SecretReference

    @property
    def label(self) -> str:
        return f"{self.environment}: the {self.kind.noun}" if self.environment else f"the {self.kind.noun}"


class _Known(Struct):
    """What is known of one reference."""

    text: str | None = None
    error: ConfigError | None = None
    """Of the last run, where that failed."""
    stale: bool = False
    not_before: float = 0.0
    """Monotonic time of the next run, where one is wanted."""
    wait_s: float = MIN_RETRY_S
    at_start: bool = False
    """Whether the process started without it, and so goes on without it."""


class SecretReader:
    """The secrets of this process. Thread-safe; `read` and `reread` block, so they never run on an event loop."""

    def __init__(self, *, environ: Mapping[str, str] = os.environ, monotonic: Callable[[], float] = time.monotonic):
        self._environ = environ
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._needs: set[_Need] = set()
        self._known: dict[SecretReference, _Known] = {}
        self._revision = 0
        self._requests: SimpleQueue[Secret | None] = SimpleQueue()
        """Secrets to be read again, None for all; a queue, so that those who ask never wait for a command."""
        self._stopped = threading.Event()

    def require(self, kinds: Iterable[SecretKind] = SECRET_KINDS, environments: Iterable[str] | None = None) -> None:
        """Let `read` and `reread` read these kinds of secrets, of these environments or of all."""
        names = None if environments is None else list(environments)
        for kind in kinds:
            of_workspace = names is None or kind in WORKSPACE_FIELDS or kind is HMAC_KEY
            self._needs.update([_Need(kind, None)] if of_workspace else [_Need(kind, name) for name in names or ()])

    def read(self, settings: Settings, *, terminal: bool = False, on_read: OnRead = lambda _: None) -> Settings:
        """The settings with the secrets that are needed; one that cannot be read is a warning.

        `on_read` is told before each. With `terminal` a command may ask a question there.
        """
        with self._lock:
            for slot in self._needed(settings):
                if slot.reference not in self._known:
                    whose = f" of {slot.environment}" if slot.environment else ""
                    on_read(f"asking the {slot.reference.label} for the {slot.kind.noun}{whose}")
                    known = self._run(slot.reference, terminal=terminal)
                    known.at_start = known.text is None
            return self._fill(settings)

    def reread(self, settings: Settings) -> Settings:
        """The same for a config that is loaded again; raises ConfigError where a secret is to stay as it was."""
        with self._lock:
            self._take_requests()
            problems = []
            needed = list(self._needed(settings))
            for slot in needed:
                known = self._known.get(slot.reference)
                if known is None or (self._is_wanted(known) and self._monotonic() >= known.not_before):
                    known = self._run(slot.reference)
                if known.error is not None and not known.at_start:
                    problems.append(_problem(slot, known.error, again=known.text is not None))
            if problems:
                raise problems[0]
            references = {slot.reference for slot in _slots(settings)}
            self._known = {reference: known for reference, known in self._known.items() if reference in references}
            return self._fill(settings)

    def expire(self) -> None:
        """Read all secrets again at the next `reread`: the user asked for it. Never blocks."""
        self._requests.put(None)

    def report_rejected(self, secret: Secret) -> None:
        """Read this one again at a later `reread`: a service said that it is wrong. Never blocks."""
        if secret.reference is not None and secret.is_read:
            self._requests.put(secret)

    def stop(self) -> None:
        """End what is being read, with an error; nothing is read any more. Never blocks."""
        self._stopped.set()

    def forget(self, reference: SecretReference) -> None:
        """Read this one anew: it was just stored or removed."""
        with self._lock:
            if self._known.pop(reference, None) is not None:
                self._revision += 1

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._needs.clear()
            self._known.clear()
            self._stopped.clear()

    def _take_requests(self) -> None:
        while True:
            try:
                secret = self._requests.get_nowait()
            except Empty:
                return
            for reference, known in self._known.items():
                if secret is None:
                    known.stale, known.not_before = True, 0.0
                elif secret.reference == reference and known.text is not None and secret.reveal() in known.text:
                    known.stale = True

    def _needed(self, settings: Settings) -> Iterator[_Slot]:
        for slot in _slots(settings):
            if _Need(slot.kind, None) in self._needs or _Need(slot.kind, slot.environment) in self._needs:
                yield slot

    @staticmethod
    def _is_wanted(known: _Known) -> bool:
        return known.stale or known.error is not None

    def _run(self, reference: SecretReference, *, terminal: bool = False) -> _Known:
        known = self._known.setdefault(reference, _Known())
        try:
            text = read_reference(reference, self._environ, terminal=terminal, stopped=self._stopped)
        except ConfigError as error:
            known.error, changed = error, False
        else:
            changed = text != known.text
            known.text, known.error, known.stale, known.at_start = text, None, False, False
            self._revision += changed
        # the same key again is not what the service wanted, so it is not asked for at once
        known.wait_s = MIN_RETRY_S if changed else min(2 * known.wait_s, MAX_RETRY_S)
        known.not_before = self._monotonic() + (MIN_RETRY_S if changed else known.wait_s / 2)
        return known

    def _fill(self, settings: Settings) -> Settings:
        notes: list[ConfigWarning] = []
        environments = dict(settings.environments)
        workspace, hmac_key = settings.workspace, settings.hmac_key
        for slot in _slots(settings):
            known = self._known.get(slot.reference)
            if known is None:
                continue
            secret, faults = _secret(slot, known)
            notes.extend(faults)
            if slot.kind is HMAC_KEY:
                # an unread one stays, without a text: nothing is mapped then
                hmac_key = secret if isinstance(secret, HmacKey) else settings.hmac_key
            elif slot.environment:
                environments[slot.environment] = _replace_in_environment(environments[slot.environment], slot, secret)
            else:
                workspace = _replace_in_workspace(workspace, slot, secret)
        return structs.replace(
            settings,
            environments=environments,
            workspace=workspace,
            hmac_key=hmac_key,
            rules=with_hmac_key(settings.rules, hmac_key),
            warnings=(*settings.warnings, *notes),
            secrets_revision=self._revision,
        )


def read_reference(
    reference: SecretReference,
    environ: Mapping[str, str],
    *,
    terminal: bool = False,
    stopped: threading.Event | None = None,
) -> str:
    """The secret that a command or the keyring keeps. Raises ConfigError; blocks, at most until `stopped` is set."""
    # imported late: most processes keep no secret elsewhere
    if not reference.command:
        from sprig_tui.config.secret_keyring import read_entry

        return _check_text(reference, read_entry(reference, stopped))
    from sprig_tui.config.secret_commands import run_secret_command

    data = run_secret_command(reference, child_environ(environ), terminal=terminal, stopped=stopped)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise SecretReadError(f"{reference.label} gives bytes that are no text", hint=_ALONE_HINT) from None
    return _check_text(reference, text)


_ALONE_HINT = "it must give the secret and nothing else"


def _check_text(reference: SecretReference, text: str) -> str:
    # programs of Windows put a byte order mark before what they write
    secret = text.removeprefix("\ufeff").removesuffix("\n").removesuffix("\r")
    if not secret.strip():
        raise SecretReadError(f"{reference.label} gives nothing", hint=_ALONE_HINT)
    if "\0" in secret:
        raise SecretReadError(f"{reference.label} gives bytes that are no text", hint=_ALONE_HINT)
    if lines := len(secret.strip().splitlines()) - 1:
        raise SecretReadError(f"{reference.label} gives {lines + 1:,} lines", hint=_ALONE_HINT)
    return secret


def _slots(settings: Settings) -> Iterator[_Slot]:
    for name, environment in settings.environments.items():
        for kind, field in ENVIRONMENT_FIELDS.items():
            secret: Secret | None = getattr(environment, field)
            if secret is not None and secret.reference is not None:
                yield _Slot(kind, name, secret, secret.reference)
    for kind, field in WORKSPACE_FIELDS.items():
        secret = getattr(settings.workspace, field)
        if secret is not None and secret.reference is not None:
            yield _Slot(kind, "", secret, secret.reference)
    if settings.hmac_key is not None and settings.hmac_key.reference is not None:
        yield _Slot(HMAC_KEY, "", settings.hmac_key, settings.hmac_key.reference)


def secrets_read_elsewhere(settings: Settings) -> Iterator[tuple[str, str]]:
    """Each secret that was read from a command or the keyring, such as `production: the write key`, and from which."""
    for slot in _slots(settings):
        if slot.secret.is_read and slot.secret.reveal():
            yield slot.label, slot.reference.label


def _secret(slot: _Slot, known: _Known) -> tuple[Secret | None, list[ConfigWarning]]:
    label = slot.reference.label
    if known.text is not None:
        text, notes = lint_read_secret(slot.kind, slot.environment, known.text, label)
    else:
        said = f"the {slot.kind.noun} cannot be read: {known.error.message if known.error else label}"
        hint = known.error.hint if known.error else ""
        why = f"{said}; {hint}" if hint else said
        notes = [ConfigWarning(WarningCode.SECRET_UNREADABLE, why, slot.environment, secret=slot.kind.key)]
        text = ""
    table = "mapping" if slot.kind is HMAC_KEY else "segment"
    notes = [note if slot.environment else structs.replace(note, table=table) for note in notes]
    if not text and slot.kind is not WEBHOOK_TOKEN:
        return None, notes
    return type(slot.secret)(text, label, slot.reference), notes


def _replace_in_environment(environment: Environment, slot: _Slot, secret: Secret | None) -> Environment:
    return structs.replace(environment, **{ENVIRONMENT_FIELDS[slot.kind]: secret})


def _replace_in_workspace(workspace: Workspace, slot: _Slot, secret: Secret | None) -> Workspace:
    return structs.replace(workspace, **{WORKSPACE_FIELDS[slot.kind]: secret})


def _problem(slot: _Slot, error: ConfigError, *, again: bool) -> SecretReadError:
    return SecretReadError(f"{slot.label} cannot be read{' again' if again else ''}: {error.message}", hint=error.hint)


process_secrets = SecretReader()
"""The reader of this process."""


def read_secrets(settings: Settings) -> Settings:
    """The settings with all secrets that commands and the keyring keep; blocks while these are asked.

    One that cannot be read is a warning of the settings, and missing.
    """
    reader = SecretReader()
    reader.require()
    return reader.read(settings)
