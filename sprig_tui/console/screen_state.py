"""Screen state: collects what the main screen shows for `remembered`, and restores it at the next start."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from sprig_tui.console.notify import notify, notify_warning
from sprig_tui.console.pane_area import PaneSizes
from sprig_tui.console.preferences import initial_environment
from sprig_tui.console.remembered import MAX_FILES, NOTHING, Remembered, RememberedFile
from sprig_tui.errors import FilterError
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from sprig_tui.console.main_screen import MainScreen
    from sprig_tui.console.session import Session

SAVE_INTERVAL_S = 5.0
"""Seconds between two looks at what is shown: a console that is killed loses no more."""


class ScreenState:
    """`read` before the panes are mounted, `restore` and `start` after it, `save` at the end."""

    def __init__(self, screen: MainScreen, session: Session) -> None:
        self._screen = screen
        self._session = session
        permissions = session.permissions
        # in a browser sits somebody else, who must not see which files are open at the terminal, nor open them
        own = not permissions.browser
        self._file = RememberedFile(
            session.dependencies.paths.state_dir,
            writes=own and permissions.config and not permissions.read_only,
            reads=own,
        )
        self._lock = Lock()
        self._is_complete = False
        """Whether everything was restored: what is shown before must not be written."""
        self.state = NOTHING
        """What was shown last."""

    @property
    def _remembers(self) -> bool:
        return self._screen.console.preferences.configured.remembers

    def read(self) -> None:
        """Read the state; where it is not to be remembered, remove it."""
        if self._remembers:
            self.state = self._file.read()
        else:
            self._file.remove()

    def first_environment(self) -> str:
        """The environment to select at the start."""
        return initial_environment(self.state.environment, self._session.settings.environments)

    def first_pane(self) -> str:
        """The pane to focus: Payload with a file, Environments without a key, else the last one, or Deliveries."""
        if self._screen.console.files:
            return "payload"
        if not any(environment.write_key for environment in self._session.settings.environments.values()):
            return "environments"
        return self.state.pane if self.state.pane in ("environments", "payload") else "deliveries"

    def start(self) -> None:
        """Write what is shown now and then."""
        self._screen.set_interval(SAVE_INTERVAL_S, self._save_in_thread)

    def _save_in_thread(self) -> None:
        if self._is_complete:
            state, remembers = self.collect(), self._remembers
            self._screen.run_worker(lambda: self._write(state, remembers), thread=True, exclusive=True, group="state")

    def save(self) -> None:
        """Write what is shown now: the console ends."""
        if self._is_complete:
            self._write(self.collect(), self._remembers)

    def _write(self, state: Remembered, remembers: bool) -> None:
        with self._lock:
            if remembers:
                self._file.write(state)
            else:
                self._file.remove()

    def collect(self) -> Remembered:
        """What is shown."""
        from sprig_tui.config.secret_shapes import holds_secret

        screen = self._screen
        log, payload = screen.deliveries, screen.payload
        browser = payload.navigator.browser
        sources = browser.file.sources if browser is not None else ()
        # what was pasted or piped is held by this console alone
        files = tuple(str(Path(one).absolute()) for one in sources if isinstance(one, str) and one != "-")
        if len(files) > MAX_FILES or len(files) < len(sources):
            files = ()
        return Remembered(
            journal=self._session.settings.journal_name,
            environment=screen.environments.selected,
            pane=screen.focused_scope() or self.state.pane,
            files=files,
            record=browser.number if browser is not None and files else 0,
            listed=payload.listing.shown and bool(files),
            view=payload.view_name,
            filter="" if holds_secret(log.filter.text) else log.filter.text,
            delivery=0 if log.following else log.lines.selected,
            sizes={name: share for name, share in screen.area.sizes._asdict().items() if share},
        )

    # -- restoring -----------------------------------------------------------------------------------------------------

    def restore(self) -> None:
        """Show what was shown last; what cannot be shown any more is said. Files that were named now come alone."""
        state, screen = self.state, self._screen
        screen.area.sizes = restored_sizes(state.sizes)
        screen.area.fit()
        selected = screen.environments.selected
        if state.environment and selected != state.environment:
            gone = one_line(state.environment, limit=60)
            notify(screen.app, f"{gone}, which was selected last, is no longer in the config: {selected} is selected")
        if screen.console.files:
            self._is_complete = True
            return
        screen.payload.action_view(state.view)
        self._restore_log()
        if state.files:
            screen.run_worker(self._restore_files(), group="restore", exit_on_error=False)
        else:
            self._is_complete = True

    def _restore_log(self) -> None:
        state, log = self.state, self._screen.deliveries
        if state.delivery and state.journal == self._session.settings.journal_name:
            log.open_at(state.delivery)
        elif state.delivery:
            notify(log.app, "this is another journal than last time: its newest deliveries are shown")
        if not state.filter:
            return
        try:
            log.filter = log.bar.parse(state.filter)
        except FilterError as error:
            notify_warning(log.app, f"the filter of last time is not used: {error.message}", by_key=False)

    async def _restore_files(self) -> None:
        state, payload = self.state, self._screen.payload
        try:
            there = [file for file in state.files if await asyncio.to_thread(_can_be_opened, Path(file))]
            gone = [one_line(Path(file).name, limit=80) for file in state.files if file not in there]
            if gone:
                more = f" and {len(gone) - 1:,} more" if len(gone) > 1 else ""
                notify_warning(payload.app, f"{gone[0]}{more}, open last time, is no longer there", by_key=False)
            if there and payload.navigator.browser is None and await payload.navigator.open_now(tuple(there)):
                if state.record and not gone:
                    payload.navigator.go_to(state.record)
                if state.listed:
                    await payload.listing.toggle()
                    # the record that is being read, not the first one, which is still shown
                    payload.listing.records.go_to(payload.navigator.target)
        finally:
            self._is_complete = True


def _can_be_opened(path: Path) -> bool:
    """Whether a file or a folder is there: a pipe of a shell that has ended may be anything now."""
    return path.is_file() or path.is_dir()


def restored_sizes(shares: dict[str, float]) -> PaneSizes:
    """The sizes of a file that may have been written by anybody."""
    known = {name: share for name, share in shares.items() if name in PaneSizes._fields and 0 < share < 1}
    return PaneSizes(**known)
