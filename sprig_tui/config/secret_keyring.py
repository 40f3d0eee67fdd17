"""System keyring: secrets of the config that the system keeps, by the library `keyring` (the extra of that name)."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from sprig_tui.config.secret_references import SecretReference
from sprig_tui.errors import SecretReadError
from sprig_tui.extras import KEYRING, missing_extra_error

KEYRING_TIMEOUT_S = 30.0
"""Seconds for one answer; a desktop asks a person to unlock it."""
_LOOK_INTERVAL_S = 0.05
SERVICE = "sprig-tui"
"""Service of the entries that sprig-tui makes."""
_UNLOCK_HINT = "unlock it, or sign in to the desktop; on a server use a command or a variable"

ResultT = TypeVar("ResultT")


def new_entry(config_file: Path, environment: str, key: str, number: int = 1) -> SecretReference:
    """The entry for a secret of this config; another config's secret of the same name has another one.

    `number` counts entries for the same secret, where an earlier one is in use for another.
    """
    mark = _config_mark(config_file) + (f"-{number}" if number > 1 else "")
    return SecretReference(service=SERVICE, user="/".join(filter(None, (environment, key, mark))))


def is_made_for(reference: SecretReference, config_file: Path) -> bool:
    """Whether sprig-tui made the entry for this config."""
    mark = reference.user.rpartition("/")[2].partition("-")[0]
    return reference.service == SERVICE and mark == _config_mark(config_file)


def _config_mark(config_file: Path) -> str:
    return hashlib.sha256(str(config_file).encode("utf-8", "surrogatepass")).hexdigest()[:8]


def read_entry(reference: SecretReference, stopped: threading.Event | None = None) -> str:
    """The secret of the entry. Raises SecretReadError; blocks for at most KEYRING_TIMEOUT_S, or until `stopped`."""
    text = _ask(reference, lambda keyring: keyring.get_password(reference.service, reference.user), stopped)
    if text is None:
        raise SecretReadError(
            f"{reference.label}: there is no such entry", hint="store the secret there, or correct the config"
        )
    return str(text)


def store_entry(reference: SecretReference, secret: str) -> None:
    """Store the secret in the entry, in place of what it has. Raises SecretReadError."""
    _ask(reference, lambda keyring: keyring.set_password(reference.service, reference.user, secret))
    if read_entry(reference) != secret:
        raise SecretReadError(
            f"{reference.label}: the keyring did not keep the secret", hint="check the backend: keyring diagnose"
        )


def remove_entry(reference: SecretReference) -> bool:
    """Remove the entry; whether there was one. Raises SecretReadError."""
    stored = _ask(reference, lambda keyring: keyring.get_password(reference.service, reference.user))
    if stored is None:
        return False
    _ask(reference, lambda keyring: keyring.delete_password(reference.service, reference.user))
    return True


def _ask(
    reference: SecretReference, call: Callable[[ModuleType], ResultT], stopped: threading.Event | None = None
) -> ResultT:
    """The result of a call, made in a thread of its own: a backend may wait for a person, or forever."""
    keyring = _import_keyring()
    results: list[ResultT] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call(keyring))
        except BaseException as error:  # noqa: BLE001 - a backend is another's code, and may raise anything
            errors.append(error)

    thread = threading.Thread(target=run, name="keyring", daemon=True)
    thread.start()
    deadline = time.monotonic() + KEYRING_TIMEOUT_S
    while thread.is_alive() and time.monotonic() < deadline and not (stopped is not None and stopped.is_set()):
        thread.join(_LOOK_INTERVAL_S)
    if errors:
        raise _describe(reference, errors[0]) from None
    if not results:
        raise SecretReadError(
            f"{reference.label}: the keyring did not answer within {KEYRING_TIMEOUT_S:g} s", hint=_UNLOCK_HINT
        )
    return results[0]


def _import_keyring() -> ModuleType:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise missing_extra_error(KEYRING, SecretReadError) from None
    return keyring


def _describe(reference: SecretReference, error: BaseException) -> SecretReadError:
    """The error without the backend's own words, which may hold the secret."""
    from keyring import errors

    if isinstance(error, errors.NoKeyringError):
        return SecretReadError(
            f"{reference.label}: this system has no keyring that can be used",
            hint="install a backend (keyring diagnose shows them); on a server use a command or a variable",
        )
    if isinstance(error, errors.KeyringLocked | errors.InitError):
        return SecretReadError(f"{reference.label}: the keyring is locked", hint=_UNLOCK_HINT)
    if isinstance(error, errors.PasswordSetError):
        return SecretReadError(f"{reference.label}: the keyring does not store it", hint=_UNLOCK_HINT)
    return SecretReadError(
        f"{reference.label}: the keyring failed ({type(error).__name__})", hint="check it: keyring diagnose"
    )
