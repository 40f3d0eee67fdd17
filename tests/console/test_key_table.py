"""The key table of the topic `console` is that of the commands as they are."""

from __future__ import annotations

import re

from sprig_tui.console.commands.keymap import keys_of
from sprig_tui.console.commands.registry import COMMANDS

from . import readme_screenshots

OTHER_KEYS = {"enter", "y", "J", "K", "plus", "minus", "a", "r"}
"""Keys of the text that no command has: those of lists, of questions and of the dialog for columns."""


def test_key_table_is_current():
    topic = readme_screenshots.KEYS_TOPIC.read_text(encoding="utf-8")
    assert readme_screenshots.with_table(topic) == topic, "run: python tests/console/readme_screenshots.py"


def test_keys_in_the_text_of_the_topic_exist():
    text = readme_screenshots.KEYS_TOPIC.read_text(encoding="utf-8").partition("## Keys\n")[0]
    known = {key for command in COMMANDS for key in keys_of(command.key)} | OTHER_KEYS
    named = re.findall(r"`([^`\s]|\^\S|esc|f\d+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    assert named
    for key in named:
        spelled = {"esc": "escape"}.get(key, f"ctrl+{key[1]}" if len(key) == 2 and key[0] == "^" else key)
        assert set(keys_of(spelled)) <= known, key
