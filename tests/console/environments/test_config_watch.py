"""Noticing changes of the config: any change once, our own never."""

from __future__ import annotations

import os

from sprig_tui.config.document import digest_of
from sprig_tui.console.environments.config_watch import ConfigWatch


def test_what_is_known_is_no_change(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text("a = 1\n")
    watch = ConfigWatch(file, digest_of(b"a = 1\n"))
    assert [watch.changed() for _ in range(3)] == [False, False, False]


def test_another_content_is_told_once(tmp_path):
    file = tmp_path / "config.toml"
    watch = ConfigWatch(file, digest_of(None))
    assert not watch.changed()
    file.write_text("a = 1\n")
    assert [watch.changed() for _ in range(3)] == [True, False, False]
    file.unlink()
    assert [watch.changed() for _ in range(3)] == [True, False, False]


def test_a_touch_is_no_change(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text("a = 1\n")
    watch = ConfigWatch(file, digest_of(b"a = 1\n"))
    os.utime(file, ns=(1, 1))
    assert not watch.changed()


def test_two_changes_within_one_tick_of_the_clock_are_both_seen(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text("a = 1\n")
    watch = ConfigWatch(file, digest_of(b"a = 1\n"))
    file.write_text("a = 2\n")
    os.utime(file, ns=(5, 5))
    assert watch.changed()
    with file.open("r+") as stream:
        stream.write("a = 3\n")
    os.utime(file, ns=(5, 5))
    assert watch.changed()


def test_what_we_wrote_ourselves_is_known(tmp_path):
    file = tmp_path / "config.toml"
    watch = ConfigWatch(file, digest_of(None))
    file.write_text("a = 1\n")
    watch.know(digest_of(b"a = 1\n"))
    assert not watch.changed()


def test_a_file_that_cannot_be_read_counts_once(tmp_path):
    file = tmp_path / "config.toml"
    watch = ConfigWatch(file, digest_of(None))
    file.mkdir()
    assert [watch.changed() for _ in range(3)] == [True, False, False]
