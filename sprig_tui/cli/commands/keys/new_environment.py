"""Names of new environments, checked for misspelling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, prompts
from sprig_tui.config.environment import nearest_environment
from sprig_tui.errors import ConfigError

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings

new_option = click.option("--new", is_flag=True, help="ENV is a new environment, however like another its name is.")


def resolve_name(settings: Settings, name: str, *, new: bool) -> str | None:
    """The intended environment; None, with a message on stderr, where the user declines. Raises ConfigError.

    A name near a known one asks at a terminal, and wants `--new` in a script; any other new name is taken, and said.
    """
    from sprig_tui.config.settings import check_environment_name

    if name in settings.environments:
        return name
    near = nearest_environment(name, settings.environments)
    if near and not new:
        if not prompts.is_interactive():
            raise ConfigError(
                f"there is no environment {name[:60]!r}; did you mean {near}?",
                hint="for a new environment of that name add --new"
                if _is_name(name)
                else f"name it as {near} is spelt",
            )
        check_environment_name(near)
        if prompts.confirm(f"there is no environment {name[:60]}. did you mean {near}?"):
            return near
        if not _is_name(name) or not prompts.confirm(f"make a new environment called {name}?"):
            diagnostics.info("nothing was stored")
            return None
    check_environment_name(name)
    diagnostics.info(f"{name} is a new environment")
    return name


def report_unprotected(settings: Settings, name: str) -> None:
    """Report that a new environment is not protected."""
    found = settings.environments.get(name)
    if found is not None and not found.protected:
        diagnostics.info(
            f"{name} is not protected: sending to it in bulk asks nobody; "
            f"protected = true in [environments.{name}] of the config changes that"
        )


def _is_name(name: str) -> bool:
    from sprig_tui.config.settings import check_environment_name

    try:
        check_environment_name(name)
    except ConfigError:
        return False
    return True
