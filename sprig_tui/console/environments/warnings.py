"""What looks wrong with the environments as a whole: one key in two of them, keys that cannot be used, an open file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sprig_tui.config.environment import Environment
from sprig_tui.config.warnings import messages_of

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings


def shared_keys(environments: Mapping[str, Environment]) -> list[str]:
    """One sentence for each key that stands in more than one environment."""
    by_key: dict[str, list[str]] = {}
    for name, environment in environments.items():
        if environment.write_key is not None:
            by_key.setdefault(environment.write_key.reveal(), []).append(name)
    return [
        f"same key in {_joined_names(names)}: answers of one reach the other's source"
        for names in by_key.values()
        if len(names) > 1
    ]


def shared_ids(environments: Mapping[str, Environment]) -> list[str]:
    """One sentence for each Sprig environment id that stands in more than one environment."""
    by_id: dict[str, list[str]] = {}
    for name, environment in environments.items():
        if environment.sprig_environment_id:
            by_id.setdefault(environment.sprig_environment_id, []).append(name)
    return [
        f"same Sprig environment id in {_joined_names(names)}: answers that carry it go to {names[-1]}"
        for names in by_id.values()
        if len(names) > 1
    ]


def config_warnings(settings: Settings) -> tuple[str, ...]:
    """Everything worth a warning, worst first."""
    shared = (*shared_keys(settings.environments), *shared_ids(settings.environments))
    found = [*shared, *messages_of(settings.warnings)]
    if settings.document.is_readable_by_others and settings.stored_keys:
        found.append(f"others on this machine can read the keys: chmod 600 {settings.document.file}")
    return tuple(found)


def environment_mismatch(
    environments: Mapping[str, Environment], selected: str, named: str | None, sprig_id: str | None
) -> str:
    """The warning for a payload that belongs to another environment than the selected one; empty where it fits.

    `named` and `sprig_id` are what the record says of itself (name of an environment, Sprig's environment id).
    """
    own = (named or "").strip().lower()
    identity = (sprig_id or "").strip()
    by_id = next((name for name, one in environments.items() if one.sprig_environment_id == identity), "")
    belongs = own or (by_id if identity else "")
    if belongs and belongs != selected:
        return f"this payload belongs to {belongs}, not to {selected}"
    set_here = environments[selected].sprig_environment_id if selected in environments else None
    if identity and not belongs and set_here and set_here != identity:
        return f"this payload's environment id {identity[:40]} is not that of {selected}"
    return ""


def _joined_names(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
