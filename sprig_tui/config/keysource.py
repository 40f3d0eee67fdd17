"""Where an environment's secrets come from: a variable of its own, a named variable, or the config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from sprig_tui.config.apikeylint import lint_api_key
from sprig_tui.config.environment import SprigApiKey, WebhookToken, WriteKey
from sprig_tui.config.keylint import KeyLint, lint_key
from sprig_tui.config.publicapilint import lint_public_api_token
from sprig_tui.config.tokenlint import lint_token
from sprig_tui.config.warnings import ConfigWarning, WarningCode


class SecretKind(NamedTuple):
    """One kind of secret that an environment may have."""

    noun: str
    key: str
    """Its key in `[environments.NAME]`; with `_env` behind it the key that names a variable."""
    prefix: str
    """Of the variable that overrides the config."""
    lint: Callable[[str], KeyLint]

    def variable_of(self, environment: str) -> str:
        """The variable of an environment, such as SPRIG_TUI_WRITE_KEY_STAGING_EU for `staging-eu`."""
        return self.prefix + environment.upper().replace("-", "_")


WRITE_KEY = SecretKind("write key", "write_key", "SPRIG_TUI_WRITE_KEY_", lint_key)
WEBHOOK_TOKEN = SecretKind("webhook token", "webhook_token", "SPRIG_TUI_WEBHOOK_TOKEN_", lint_token)
SPRIG_API_KEY = SecretKind("sprig api key", "sprig_api_key", "SPRIG_TUI_SPRIG_API_KEY_", lint_api_key)
PUBLIC_API_TOKEN = SecretKind("public api token", "public_api_token", "SPRIG_TUI_SEGMENT_TOKEN", lint_public_api_token)
"""One for all environments: its variable is the prefix by itself."""
KINDS = (WRITE_KEY, WEBHOOK_TOKEN, SPRIG_API_KEY, PUBLIC_API_TOKEN)
PREFIX = WRITE_KEY.prefix
variable_of = WRITE_KEY.variable_of
_named: set[str] = set()


def named_variables() -> frozenset[str]:
    """The variables that configs read so far have named for a secret (`write_key_env` and its like)."""
    return frozenset(_named)


def find_key(
    environment: str, stored: str | None, named: str | None, environ: Mapping[str, str]
) -> tuple[WriteKey | None, list[ConfigWarning]]:
    """The Write Key to use, and what is off with it."""
    found, notes = find_secret(WRITE_KEY, environment, stored, named, environ)
    return (WriteKey(*found) if found else None), notes


def find_token(
    environment: str, stored: str | None, named: str | None, environ: Mapping[str, str]
) -> tuple[WebhookToken | None, list[ConfigWarning]]:
    """The webhook token to ask for, and what is off with it.

    One that was meant but cannot be used is empty, which no webhook matches: its lack must not open the door.
    """
    found, notes = find_secret(WEBHOOK_TOKEN, environment, stored, named, environ)
    if found:
        return WebhookToken(*found), notes
    return (WebhookToken("", "config") if notes else None), notes


def find_api_key(
    environment: str, stored: str | None, named: str | None, environ: Mapping[str, str]
) -> tuple[SprigApiKey | None, list[ConfigWarning]]:
    """The key of Sprig's REST API to use, and what is off with it."""
    found, notes = find_secret(SPRIG_API_KEY, environment, stored, named, environ)
    return (SprigApiKey(*found) if found else None), notes


def find_secret(
    kind: SecretKind, environment: str, stored: str | None, named: str | None, environ: Mapping[str, str]
) -> tuple[tuple[str, str] | None, list[ConfigWarning]]:
    """The secret to use and its source (`config` or a variable), and what is off with it.

    The first source that is not blank counts, also when what it holds cannot be used: falling back to another without
    a word would use a key that nobody meant.
    """
    notes: list[ConfigWarning] = []
    if named:
        _named.add(named)
    for variable in (kind.variable_of(environment), named):
        if variable and environ.get(variable, "").strip():
            return _checked(kind, environment, environ[variable], variable)
    if named:
        text = f"{kind.key}_env names {named[:80]!r}, which is not set"
        notes.append(ConfigWarning(WarningCode.VARIABLE_NOT_SET, text, environment))
    if stored is not None and stored.strip():
        found, faults = _checked(kind, environment, stored, "config")
        return found, [*notes, *faults]
    return None, notes


def _checked(
    kind: SecretKind, environment: str, text: str, source: str
) -> tuple[tuple[str, str] | None, list[ConfigWarning]]:
    place = "in the config" if source == "config" else f"in {source}"
    lint = kind.lint(text)
    unusable = [f"the {kind.noun} {place} cannot be used: {fault.message}" for fault in lint.errors]
    trimmed = [f"the {kind.noun} {place}: {fault.message}" for fault in lint.faults if fault.level == "stripped"]
    notes = [ConfigWarning(WarningCode.SECRET_UNUSABLE, said, environment) for said in unusable]
    notes += [ConfigWarning(WarningCode.SECRET_TRIMMED, said, environment) for said in trimmed]
    return ((lint.key, source) if lint.key else None), notes
