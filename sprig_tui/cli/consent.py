"""Consent before answers go to a protected environment in bulk."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING

from sprig_tui.cli import asking
from sprig_tui.errors import ConfigError, SprigTuiError

if TYPE_CHECKING:
    from sprig_tui.config.environment import Environment
    from sprig_tui.intake import Intake
    from sprig_tui.sprig.records import Record


class DeclinedError(SprigTuiError):
    """The person said no."""


class Gate:
    """Lets records through to environments that are not protected, or that were consented to.

    Naming a protected environment with `-e` is consent where nobody can be asked (a script); at a terminal its name
    is asked for, unless `--yes` was given. A single record is not bulk.
    """

    def __init__(
        self, intake: Intake, environments: dict[str, Environment], *, declared: str | None, yes: bool
    ) -> None:
        self._intake = intake
        self._declared = declared
        self._closed = set() if yes else {name for name, found in environments.items() if found.protected}

    def check(self, records: Iterator[Record]) -> Iterator[Record]:
        """The records; raises before the first one that would go where it may not.

        The first two are looked at right away, so that a refusal comes before anything is stored.
        """
        head = list(islice(records, 2))
        if len(head) == 2:
            for record in head:
                self._ask(record)
            if self._declared in self._closed:
                self._ask_for(self._declared)
            records = self._checked(records) if self._closed else records
        return chain(head, records)

    def _checked(self, records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            self._ask(record)
            yield record

    def _ask(self, record: Record) -> None:
        name = self._intake.route(record).environment
        if name in self._closed:
            self._ask_for(name)

    def _ask_for(self, name: str) -> None:
        if not asking.can_ask():
            if self._declared != name:
                raise ConfigError(
                    f"{name} is protected, and nobody is there to ask", hint=f"name it with -e {name}, or add --yes"
                )
        elif not asking.confirm_name(f"{name} is protected: answers will be sent there", name):
            raise DeclinedError(f"not sent: {name} was not confirmed", hint="what was stored before stays queued")
        self._closed.discard(name)
