"""The key table of the topic `console` is that of the commands as they are."""

from __future__ import annotations

from . import readme_screenshots


def test_key_table_is_current():
    topic = readme_screenshots.KEYS_TOPIC.read_text(encoding="utf-8")
    assert readme_screenshots.with_table(topic) == topic, "run: python tests/console/readme_screenshots.py"
