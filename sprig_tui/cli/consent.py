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


class ProtectionGate:
    """Lets answers through to environments that are not protected, or that were consented to.

    Naming a protected environment with `-e` is consent where nobody can be asked (a script); at a terminal its name
    is asked for, unless `--yes` was given. A single record is asked about in the same places, by yes or no.
    """

    def __init__(
        self, builder: EntryBuilder, environments: dict[str, Environment], *, declared: str | None, yes: bool
    ) -> None:
        self._builder = builder
        self._declared = declared
        self._single_record = False
        self._unconfirmed = set() if yes else {name for name, found in environments.items() if found.protected}

    def check_first(self, head: Iterable[Record]) -> None:
        """Look at the first two records, so that a refusal comes before anything is stored."""
        first = list(islice(head, 2))
        self._single_record = len(first) < 2
        for record in first:
            self._require_consent(self._builder.route(record).environment)
        if not self._single_record and self._declared in self._unconfirmed:
            self._ask_consent(self._declared)

    @property
    def check_entry(self) -> Callable[[NewDelivery], None] | None:
        """What raises at an entry that would go where it may not; None where all may pass."""
        return (lambda entry: self._require_consent(entry.environment)) if self._unconfirmed else None

    def _require_consent(self, name: str) -> None:
        if name in self._unconfirmed:
            self._ask_consent(name)

    def _ask_consent(self, name: str) -> None:
        if not asking.is_interactive():
            if self._declared != name:
                raise ConfigError(
                    f"{name} is protected, and nobody is there to ask", hint=f"name it with -e {name}, or add --yes"
                )
        elif not self._confirmed(name):
            raise DeclinedError(f"not sent: {name} was not confirmed", hint="what was stored before stays queued")
        self._unconfirmed.discard(name)

    def _confirmed(self, name: str) -> bool:
        if self._single_record:
            return asking.confirm(f"{name} is protected: send this answer there?")
        return asking.confirm_name(f"{name} is protected: answers will be sent there", name)
