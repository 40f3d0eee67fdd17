"""Observation for the guided set-up: settings and the checklist of one environment, read anew before each step."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct

from sprig_tui.cli import diagnostics
from sprig_tui.cli.context import existing_journal_session, journal_exists, open_settings, read_secrets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sprig_tui.config.environment import Environment
    from sprig_tui.config.settings import Settings
    from sprig_tui.setup.facts import Facts
    from sprig_tui.setup.model import Checklist, Step, StepKind


class Observation(Struct, frozen=True, kw_only=True):
    """What is known of one environment now."""

    settings: Settings
    facts: Facts
    checklist: Checklist

    @property
    def environment(self) -> Environment:
        """With its secrets read."""
        return self.facts.environment

    @property
    def name(self) -> str:
        """Of the environment."""
        return self.facts.environment.name

    @property
    def protected(self) -> bool:
        """Whether sending asks for its name."""
        return self.facts.environment.protected

    def step(self, kind: StepKind) -> Step:
        """One step of the checklist."""
        return next(step for step in self.checklist.steps if step.kind is kind)


def observe_settings(*, quiet: bool = True) -> Settings:
    """The settings as they are stored now, with the secrets that commands and the keyring keep.

    Unless `quiet`, a secret that its command or the keyring does not give is a warning.
    """
    return read_secrets(open_settings(quiet=True), quiet=quiet)


def observe(environment: str) -> Observation:
    """Look at config, journal and, with a token, the workspace. Raises ConfigError and JournalError."""
    settings = observe_settings()
    return asyncio.run(_observe(settings, environment))


def save_accepted(settings: Settings, environment: str, accept: Sequence[str], reopen: Sequence[str]) -> bool:
    """Store which findings are accepted; whether that changed. Raises ConfigError."""
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_environment

    before = settings.environment(environment).setup_accepted
    accepted = [code for code in dict.fromkeys((*before, *accept)) if code not in reopen]
    if tuple(accepted) == before:
        return False
    save_environment(find_paths(), environment, {"setup_accepted": accepted or None})
    return True


async def _observe(settings: Settings, environment: str) -> Observation:
    from msgspec.structs import replace

    from sprig_tui.cli.workspace import public_api
    from sprig_tui.clock import SystemClock
    from sprig_tui.config.paths import find_paths
    from sprig_tui.setup.checklist import checklist
    from sprig_tui.setup.facts import gather_facts
    from sprig_tui.setup.journal_facts import JournalFacts

    clock, paths = SystemClock(), find_paths()
    async with existing_journal_session(settings) as journal:
        with diagnostics.ProgressLine() as progress:
            if settings.workspace.token is None:
                facts = await gather_facts(settings, journal, environment, api=None, clock=clock, paths=paths)
            else:
                async with public_api(settings.workspace) as api:
                    facts = await gather_facts(
                        settings,
                        journal,
                        environment,
                        api=api,
                        clock=clock,
                        paths=paths,
                        on_progress=lambda text: progress.update(f"asking Segment: {text}"),
                    )
    if not journal_exists(settings):
        # there is none yet, which differs from one that cannot be read
        facts = replace(facts, journal=JournalFacts())
    return Observation(settings=settings, facts=facts, checklist=checklist(facts))
