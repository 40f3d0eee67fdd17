"""Terminal alerts: a bell or a notification of the desktop when a lane halts or a bulk job ends; off by default."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Literal, cast, get_args

from sprig_tui.config.toml_file import nearest_key_hint
from sprig_tui.console.environments.status import EnvironmentView
from sprig_tui.text import one_line

AlertMethod = Literal["off", "bell", "osc9", "osc777"]
MIN_INTERVAL_S = 5.0
"""Seconds between two alerts at least; what comes sooner is only shown as a notice."""
MAX_ALERT_CHARS = 160
BELL = "\a"


def choose_alerts(wanted: object) -> tuple[AlertMethod, str]:
    """The method of `console.notify`, and the problem with it; empty where there is none."""
    methods = get_args(AlertMethod)
    if wanted is None or wanted in methods:
        return cast("AlertMethod", wanted or "off"), ""
    shown = repr(wanted[:60]) if isinstance(wanted, str) else "that"
    return "off", f"console.notify: there is no {shown}; {nearest_key_hint(str(wanted)[:60], methods)}"


def alert_sequence(method: AlertMethod, text: str, *, in_tmux: bool) -> str:
    """What is written to the terminal. The text is cleaned of everything that a terminal could obey.

    tmux takes a sequence in its passthrough only with `allow-passthrough on`, and drops it otherwise: a bell goes with
    it, which tmux always shows.
    """
    if method == "off":
        return ""
    if method == "bell":
        return BELL
    said = one_line(text, limit=MAX_ALERT_CHARS).replace(";", ",")
    sequence = f"\x1b]9;sprig-tui: {said}{BELL}" if method == "osc9" else f"\x1b]777;notify;sprig-tui;{said}{BELL}"
    if not in_tmux:
        return sequence
    escaped = sequence.replace("\x1b", "\x1b\x1b")
    return f"\x1bPtmux;{escaped}\x1b\\{BELL}"


class TerminalAlerts:
    """Writes alerts, one in `MIN_INTERVAL_S` at most."""

    def __init__(self, write: Callable[[str], None], environ: Mapping[str, str]) -> None:
        self._write = write
        self._in_tmux = bool(environ.get("TMUX"))
        self.method: AlertMethod = "off"
        self._next_at = 0.0
        self._halted: frozenset[str] | None = None
        """Environments whose lane was halted at the last look."""

    def alert(self, text: str) -> None:
        """Ring, or show the text on the desktop."""
        if self.method == "off" or monotonic() < self._next_at:
            return
        self._next_at = monotonic() + MIN_INTERVAL_S
        self._write(alert_sequence(self.method, text, in_tmux=self._in_tmux))

    def look_at(self, environments: Iterable[EnvironmentView]) -> None:
        """Alert of environments to which nothing is delivered any more; those at the first look were halted before."""
        halted = {view.name: view for view in environments if view.status.level == "bad"}
        before, self._halted = self._halted, frozenset(halted)
        for name in sorted(self._halted - before) if before is not None else ():
            status = halted[name].status
            self.alert(f"{name}: {status.brief or status.text}")
