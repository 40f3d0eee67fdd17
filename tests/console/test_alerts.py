"""Alerts: what is written to the terminal, how often, and for what."""

from __future__ import annotations

import re

import pytest

from sprig_tui.console import alerts
from sprig_tui.console.alerts import BELL, TerminalAlerts, alert_sequence, choose_alerts
from sprig_tui.console.environments.status import EnvironmentStatus, EnvironmentView
from sprig_tui.console.notify import NoticeHistory, notify_end

HOSTILE = "done\x1b]0;title\a\x9c; rm\n\x1b\\ 2\u202e"


@pytest.mark.parametrize("method", ["osc9", "osc777"])
@pytest.mark.parametrize("in_tmux", [False, True])
def test_a_text_cannot_end_its_sequence(method, in_tmux):
    written = alert_sequence(method, HOSTILE, in_tmux=in_tmux)
    if in_tmux:
        inner = re.fullmatch(r"\x1bPtmux;(.*)\x1b\\\x07", written, re.DOTALL)
        assert inner is not None
        written = inner[1].replace("\x1b\x1b", "\x1b")
    head = {"osc9": "\x1b]9;sprig-tui: ", "osc777": "\x1b]777;notify;sprig-tui;"}[method]
    assert written.startswith(head)
    text = written[len(head) : -1]
    assert written.endswith(BELL)
    assert "done" in text
    assert not re.search("[\x00-\x1f\x7f-\x9f;\u202e]", text)


def test_off_and_bell():
    assert alert_sequence("off", "x", in_tmux=True) == ""
    assert alert_sequence("bell", HOSTILE, in_tmux=True) == BELL


def test_the_setting():
    assert choose_alerts(None) == ("off", "")
    assert choose_alerts("osc9") == ("osc9", "")
    assert choose_alerts("osc99")[0] == "off"
    assert "did you mean osc9?" in choose_alerts("osc99")[1]
    assert choose_alerts([1])[1].startswith("console.notify: there is no that")


def view(name, level):
    return EnvironmentView(name=name, status=EnvironmentStatus("x", f"{name} halts, long", level, brief="halts"))


def test_a_lane_that_halts_and_a_job_that_ends(monkeypatch, clock):
    written: list[str] = []
    now = 100.0
    monkeypatch.setattr(alerts, "monotonic", lambda: now)
    one = TerminalAlerts(written.append, {})
    one.method = "osc9"
    one.look_at([view("a", "bad"), view("b", "good")])
    one.look_at([view("a", "bad"), view("b", "warning")])
    assert written == [], "a was halted before"
    one.look_at([view("a", "bad"), view("b", "bad")])
    assert written == ["\x1b]9;sprig-tui: b: halts\a"]

    class App:
        notices = NoticeHistory(clock)
        alerts = one

        def notify(self, *_arguments, **_options):
            pass

    notify_end(App(), "3 delivered")
    assert len(written) == 1, "too soon after the one before"
    now += alerts.MIN_INTERVAL_S
    notify_end(App(), "4 delivered")
    assert written[1:] == ["\x1b]9;sprig-tui: 4 delivered\a"]
    one.method = "off"
    now += alerts.MIN_INTERVAL_S
    one.alert("x")
    assert len(written) == 2
