"""Answers piped into the program: opened as they come, while keys, the shell and an editor have the terminal."""

from __future__ import annotations

import json
import os

from .terminal import ctrl


def test_what_is_piped_in_is_opened_and_the_keys_are_the_terminals(shell, home):
    records = home.sample("flat.jsonl", environment="development").read_text(encoding="utf-8").splitlines()
    editor = home.file("editor.sh", '#!/bin/sh\n[ -t 0 ] && sed -i s/acct_22901/acct_edited/ "$1"\n')
    editor.chmod(0o700)
    home.environ["EDITOR"] = str(editor)
    os.mkfifo(home.folder / "more")
    producer = os.open(home.folder / "more", os.O_RDWR)
    one = shell()
    one.write("cat flat.jsonl more | sprig-tui\r")
    one.shows("standard input  1 of 4+", "no deliveries yet")
    one.press("n")
    one.shows("standard input  2 of 4+", "acct_22901")
    os.write(producer, json.dumps({**json.loads(records[0]), "userId": "acct_later"}).encode() + b"\n")
    one.shows("standard input  2 of 5+")
    one.press("e")
    one.shows("acct_edited")
    one.press(ctrl("z"))
    one.shows("Stopped", "$", gone="Environments")
    one.write("fg\r")
    one.shows("standard input  2 of 5+", "acct_edited", gone="Stopped")
    one.press("f")
    one.shows("[List]", "acct_later")
    os.close(producer)
    one.shows("standard input  2 of 5 ")
    one.press("q")
    one.shows("Leave without sending 1 record?")
    one.press("y")
    one.until(lambda: one.text.rstrip().endswith("$"), "the prompt again")
    one.write("echo code=$?; sprig-tui </dev/null; echo code=$?\r")
    one.shows("code=0", "the console needs a terminal", "code=2")
    assert home.deliveries() == []
    assert not list(home.paths.state_dir.glob("stdin*"))
