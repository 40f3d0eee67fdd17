"""A receiver put together: the app, the journal behind it, and what is told to monitors."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.types import ASGIApp

from sprig_tui.clock import Clock
from sprig_tui.config.environment import Environment
from sprig_tui.delivery.metrics import DeliveryMetrics
from sprig_tui.journal.contract import Journal
from sprig_tui.mapping.records import Rules
from sprig_tui.receiver.app import Kept, Receiver
from sprig_tui.receiver.limits import Limits
from sprig_tui.receiver.meters import WebhookMeters
from sprig_tui.receiver.reception import Reception
from sprig_tui.serving.guard import Guard
from sprig_tui.serving.health import JournalHealth
from sprig_tui.serving.monitors import PATHS, Monitors
from sprig_tui.serving.refusals import Refusal
from sprig_tui.serving.traffic import Traffic


class Station:
    """Receives for these environments into this journal; serve `app` with `serving.server.listening`.

    `trusting`: bound to loopback, where an environment without a token is open. Raises ConfigError for rules that
    cannot be kept.
    """

    def __init__(
        self,
        journal: Journal,
        rules: Rules,
        environments: Mapping[str, Environment],
        limits: Limits | None = None,
        *,
        trusting: bool,
        keep: Kept | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.metrics = DeliveryMetrics(journal, clock=clock)
        """Its `hear` is for the engine, if there is one."""
        self.meters = WebhookMeters(self.metrics.registry)
        self.wake: Callable[[str], None] = lambda _environment: None
        """Hears for which environment something was queued."""
        self.traffic = Traffic(self.metrics.registry, heard=self._heard)
        """For `serving.server.listening`."""
        self._trusting = trusting
        limits = limits or Limits()
        self._reception = Reception(
            journal,
            rules,
            environments,
            wake=self._stir,
            counted=self.meters.counted,
            clock=clock,
            store_seconds=limits.store_seconds,
        )
        guard = Guard(environments, trusting=trusting)
        health = JournalHealth(journal, self.metrics, trouble=self._reception.inflow.trouble)
        self._monitors = Monitors(health, guard, self.traffic.refused)
        self._receiver = Receiver(
            self._reception,
            guard,
            self._monitors,
            limits,
            keep=keep,
            counted=self.meters.counted_status,
            answered=self.meters.answered,
            refused=self.traffic.refused,
        )
        self.meters.watch(lambda: self._receiver.hand.held)

    @property
    def app(self) -> ASGIApp:
        """What a server serves."""
        return self._receiver.app

    def _heard(self, refusal: Refusal) -> None:
        if refusal.path not in PATHS:
            self.meters.counted_status(refusal.status)

    def _stir(self, environment: str) -> None:
        self.wake(environment)

    def use(self, rules: Rules, environments: Mapping[str, Environment]) -> None:
        """Go on with other rules, environments and tokens; raises ConfigError, and all stays as it was then."""
        self._reception.use(rules, environments)
        self._receiver.guard = self._monitors.guard = Guard(environments, trusting=self._trusting)

    def hold_config(self, why: str) -> None:
        """Say at `/readyz` why the config on disk is not in use; an empty text where it is."""
        self._monitors.config = why

    def stop(self) -> None:
        """Say at `/readyz` that nothing new should come here."""
        self._monitors.stopping = True
