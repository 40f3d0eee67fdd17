"""Messages of Python's SQLite driver that `errors` recognizes by their text: a new version may reword them."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from sprig_tui.journal.sqlite.errors import is_bad_text, is_damage


def test_driver_message_for_text_that_is_not_utf_8_is_recognized():
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        with pytest.raises(sqlite3.OperationalError) as raised:
            connection.execute("SELECT CAST(x'ff' AS TEXT)").fetchone()
        assert is_bad_text(raised.value)
        assert not is_damage(raised.value)
        with pytest.raises(sqlite3.OperationalError) as raised:
            connection.execute("SELECT 1 FROM missing")
        assert not is_bad_text(raised.value)
