"""Where an environment's Write Key comes from: a variable of its own, a named variable, or the config."""

from __future__ import annotations

from collections.abc import Mapping

from sprig_tui.config.environment import WriteKey
from sprig_tui.config.keylint import lint_key

PREFIX = "SPRIG_TUI_WRITE_KEY_"


def variable_of(environment: str) -> str:
    """The variable that overrides the config, such as SPRIG_TUI_WRITE_KEY_STAGING_EU for `staging-eu`."""
    return PREFIX + environment.upper().replace("-", "_")


def find_key(
    environment: str, stored: str | None, named: str | None, environ: Mapping[str, str]
) -> tuple[WriteKey | None, list[str]]:
    """The key to use, and what is off with it in words.

    The first source that is not blank counts, also when its key cannot be used: falling back to another key
    without a word would send answers to a source nobody meant.
    """
    notes: list[str] = []
    for variable in (variable_of(environment), named):
        if variable and environ.get(variable, "").strip():
            return _checked(environ[variable], variable, notes)
    if named:
        notes.append(f"write_key_env names {named[:80]!r}, which is not set")
    if stored is not None and stored.strip():
        return _checked(stored, "config", notes)
    return None, notes


def _checked(text: str, source: str, notes: list[str]) -> tuple[WriteKey | None, list[str]]:
    place = "in the config" if source == "config" else f"in {source}"
    lint = lint_key(text)
    notes.extend(f"the write key {place} cannot be used: {fault.message}" for fault in lint.errors)
    notes.extend(f"the write key {place}: {fault.message}" for fault in lint.faults if fault.level == "stripped")
    return (WriteKey(lint.key, source) if lint.key else None), notes
