"""The console's log: no key in it, nothing that steers a terminal, bounded, owner only."""

from __future__ import annotations

import base64
import logging
import stat

import pytest

from sprig_tui.console import log_file
from sprig_tui.console.log_file import start_log_file, stop_log_file

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
logger = logging.getLogger("sprig_tui.console.test")


@pytest.fixture
def log(tmp_path):
    file = tmp_path / "state" / "sprig-tui.log"
    handler = start_log_file(file, lambda: [KEY])
    yield file
    stop_log_file(handler)


def test_secrets_are_redacted_in_the_log_file(log):
    coded = base64.b64encode(f"{KEY}:".encode()).decode()
    logger.warning("sent with %s and Basic %s", KEY, coded)
    try:
        int(KEY)
    except ValueError:
        logger.exception("fault")
    text = log.read_text()
    assert "[redacted]" in text
    assert KEY not in text
    assert coded.rstrip("=") not in text
    assert "Traceback" in text


def test_log_file_lines_hold_no_control_characters(log):
    logger.warning("a server said \x1b[2J\u202e%s", "x" * 10_000)
    text = log.read_text()
    assert "\x1b" not in text
    assert len(text) < 3_000


def test_log_file_has_mode_0600(log):
    logger.warning("hello")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_large_log_file_is_rotated(log, monkeypatch):
    monkeypatch.setattr(log_file, "MAX_LOG_BYTES", 200)
    for number in range(20):
        logger.warning("line %d", number)
    old = log.with_suffix(".log.1")
    assert old.exists()
    assert "line 19" in log.read_text()
    assert log.stat().st_size < 400


def test_unwritable_log_file_is_ignored(tmp_path):
    (tmp_path / "file").write_text("in the way")
    handler = start_log_file(tmp_path / "file" / "sprig-tui.log", list)
    logger.warning("hello")
    stop_log_file(handler)
