"""Consent before answers go to a protected environment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

from sprig_tui.cli import asking
from sprig_tui.errors import ConfigError, SprigTuiError

if TYPE_CHECKING:
    from sprig_tui.config.environment import Environment
    from sprig_tui.intake import EntryBuilder
    from sprig_tui.journal.records import NewDelivery
    from sprig_tui.sprig.records import Record


class DeclinedError(SprigTuiError):
    """The person said no."""


class Gate:
    """Lets answers through to environments that are not protected, or that were consented to.

    Naming a protected environment with `-e` is consent where nobody can be asked (a script); at a terminal its name
    is asked for, unless `--yes` was given. A single record is asked about in the same places, by yes or no.
    """

    def __init__(
        self, intake: EntryBuilder, environments: dict[str, Environment], *, declared: str | None, yes: bool
    ) -> None:
        self._intake = intake
        self._declared = declared
        self._single = False
        self._closed = set() if yes else {name for name, found in environments.items() if found.protected}

    def begin(self, head: Iterable[Record]) -> None:
        """Look at the first two records, so that a refusal comes before anything is stored."""
        first = list(islice(head, 2))
        self._single = len(first) < 2
        for record in first:
            self._ask(self._intake.route(record).environment)
        if not self._single and self._declared in self._closed:
            self._ask_for(self._declared)

    @property
    def check(self) -> Callable[[NewDelivery], None] | None:
        """What raises at an entry that would go where it may not; None where all may pass."""
        return (lambda entry: self._ask(entry.environment)) if self._closed else None

    def _ask(self, name: str) -> None:
        if name in self._closed:
            self._ask_for(name)

    def _ask_for(self, name: str) -> None:
        if not asking.can_ask():
            if self._declared != name:
                raise ConfigError(
                    f"{name} is protected, and nobody is there to ask", hint=f"name it with -e {name}, or add --yes"
                )
        elif not self._agreed(name):
            raise DeclinedError(f"not sent: {name} was not confirmed", hint="what was stored before stays queued")
        self._closed.discard(name)

    def _agreed(self, name: str) -> bool:
        if self._single:
            return asking.confirm(f"{name} is protected: send this answer there?")
        return asking.confirm_name(f"{name} is protected: answers will be sent there", name)
