"""Screens that the main screen opens: counts, insight and set-up; the panes show what each leads to."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

from sprig_tui.console.commands.environments import SetUp
from sprig_tui.console.commands.payload import SendFile, SendRecord
from sprig_tui.console.notify import notify

if TYPE_CHECKING:
    from sprig_tui.console.insight.screen import InsightView
    from sprig_tui.console.main_screen import MainScreen
    from sprig_tui.console.setup.results import SetupResult
    from sprig_tui.console.setup.screen import SetupScreen


class OpenedScreens:
    """Opens them for the selected environment."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen

    @cached_property
    def _insight_view(self) -> InsightView:
        from sprig_tui.console.insight.screen import InsightView

        return InsightView()

    def insight(self) -> None:
        """Show the journal as bars and plots."""
        from sprig_tui.console.insight.screen import InsightScreen

        screen = self._screen
        screen.app.push_screen(InsightScreen(screen.session, self._insight_view), screen.filter_deliveries)

    def reconcile(self) -> None:
        """Compare with Segment's counts; the comparison made last is there at once."""
        from sprig_tui.console.reconcile.screen import ReconcileScreen
        from sprig_tui.reconcile.last_report import load

        screen = self._screen
        last = load(screen.session.dependencies.paths)
        opened = ReconcileScreen(screen.session, screen.deliveries.replays, screen.environments.selected, last)
        screen.app.push_screen(opened, screen.filter_deliveries)

    def set_up(self) -> None:
        """Show the checklist."""
        from sprig_tui.console.setup.screen import SetupScreen

        screen = self._screen
        opened = SetupScreen(
            screen.session,
            screen.deliveries.replays,
            screen.environments.selected,
            has_record=lambda: screen.payload.inspection is not None,
        )
        screen.app.push_screen(opened, partial(self._after_setup, opened))

    def _after_setup(self, opened: SetupScreen, result: SetupResult | None) -> None:
        """Go on with the environment that was set up, and show what its last action led to."""
        screen = self._screen
        if opened.environment in screen.session.settings.environments:
            screen.environments.selected = opened.environment
        if result is None:
            notify(screen.app, f"{screen.console.shown_key(SetUp)} opens the set-up again")
            return
        screen.filter_deliveries(result.deliveries_filter)
        if result.files:
            screen.payload.show_file(result.files)
        if result.shows_payload:
            screen.focus_pane("payload")
            keys = [screen.console.shown_key(command) for command in (SendRecord, SendFile, SetUp)]
            notify(screen.app, "{} sends this record, {} all of the file; {} goes back to the set-up".format(*keys))
