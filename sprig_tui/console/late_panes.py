"""Late panes: Payload and Deliveries, which are loaded and mounted after the first paint."""

from __future__ import annotations

from collections.abc import Mapping

from sprig_tui.config.settings import Settings
from sprig_tui.console.deliveries.log import DeliveryLog
from sprig_tui.console.payload.inspection import plan_check
from sprig_tui.console.payload.inspector import PayloadInspector
from sprig_tui.console.session import Session
from sprig_tui.console.widgets.columns import ChosenColumn
from sprig_tui.webhooks.capture_folders import capture_folders


class LatePanes:
    """Makes both panes, and gives them settings and columns."""

    def __init__(self, session: Session) -> None:
        self._paths = session.dependencies.paths
        state_dir = self._paths.state_dir
        self.payload = PayloadInspector(state_dir=state_dir, clock=session.clock, id="payload")
        self.deliveries = DeliveryLog(clock=session.clock, id="deliveries")
        self.deliveries.forgets.state_dir = state_dir
        self.deliveries.forgets.capture_folders = lambda: capture_folders(state_dir)
        self.payload.add_class("pane")
        self.deliveries.add_class("pane")

    def use_settings(self, settings: Settings) -> None:
        """Use changed settings."""
        payload, deliveries = self.payload, self.deliveries
        # before the panes map again
        payload.check_plan = plan_check(settings, self._paths)
        payload.environments = settings.environments
        payload.rules = settings.rules
        environments = settings.environments
        deliveries.replays.protected = frozenset(name for name, one in environments.items() if one.protected)
        deliveries.replays.endpoints = {name: one.base_url for name, one in environments.items()}
        deliveries.environment_names = tuple(environments)
        deliveries.saved_filters = payload.records.saved_filters = settings.filters

    def use_columns(self, columns: Mapping[str, tuple[ChosenColumn, ...]]) -> None:
        """Show the columns of the user in both lists."""
        self.deliveries.choose_columns(columns.get("columns", ()))
        self.payload.records.lines.choose_columns(columns.get("record_columns", ()))

    def hint_at_file(self) -> None:
        """Let the log say what sends the open file, while it has no deliveries."""
        browser = self.payload.navigator.browser
        if browser is not None and not self.payload.refusal("send_file"):
            total = f"{browser.file.count:,}" if browser.file.complete else f"of {browser.file.name}"
            self.deliveries.file_hint = f"S sends all {total}"
