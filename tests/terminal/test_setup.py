"""Guided set-up at a real terminal: from a fresh home to a counted answer by its questions alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
from support.records import make_flat_record
from support.workspace_lookalike import TOKEN

from .conftest import KEY, SAMPLES
from .terminal import ENTER, NARROW, ctrl

COUNTS_AT_ONCE = "import sprig_tui.setup.key_rotation as counts; counts.VOLUME_LAG_MS = -60_000"
"""The fake Segment's counts have no lag to wait for."""


def post(url: str, token: str, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    assert httpx.post(url, content=body, headers=headers, timeout=30, trust_env=False).status_code == 200


def test_with_a_token_from_nothing_to_a_counted_answer(home, workspace, terminal):
    one = terminal("setup", prepare=COUNTS_AT_ONCE)
    one.shows("number or name, or enter for development:")
    one.write(ENTER)
    one.shows("us, eu or an address, or enter for us:")
    one.write(f"{workspace.url}{ENTER}")
    one.shows("paste the token (not shown)")
    one.write(f"{TOKEN}{ENTER}")
    one.shows("number, name, new or paste")
    one.write(f"new{ENTER}")
    one.shows("sprig-development", "make this source? [y/N]")
    one.write(f"y{ENTER}")
    one.shows("named Sprig (Development)", "How do answers come from Sprig?", "number, or enter to skip:")
    one.write(f"1{ENTER}")
    one.shows("/webhooks/development", "enter to go on without waiting:")
    one.write(f"1{ENTER}")
    one.shows("port, or enter for 8722:")
    one.write(f"0{ENTER}")
    one.shows("waiting for the first webhook")
    environment = home.config()["environments"]["development"]
    assert environment["endpoint"] == workspace.url
    found = re.search(r"receiving here, at (http://127\.0\.0\.1:\d+/webhooks)", one.text)
    assert found
    url, token = f"{found[1]}/development", environment["webhook_token"]
    assert token in one.text
    post(url, token, (SAMPLES / "webhook-test.json").read_bytes())
    one.shows(", Test Webhook", "the way from Sprig works")
    post(url, token, (SAMPLES / "webhooks.jsonl").read_bytes().splitlines()[0])
    one.shows("Checkout effort, of acct_88213", "save QmK7x2dTfa as the id of development? [y/N]")
    one.write(f"y{ENTER}")
    one.shows("User ID   acct_88213", "What shall be sent to development first?", "number, or enter to skip:")
    assert workspace.sink.events == ()
    one.write(f"1{ENTER}")
    one.shows("send the queued answer to Segment? [y/N]")
    one.write(f"y{ENTER}")
    one.shows("counted by Segment: the source Sprig (Development) got", "protect development")
    one.write(ENTER)
    assert one.leave() == 1, "no destination is connected yet"
    assert "no destination is connected" in one.text
    assert [event["userId"] for event in workspace.sink.events] == ["acct_88213"]
    environment = home.config()["environments"]["development"]
    assert environment["write_key"] == workspace.sources[-1]["writeKeys"][0]
    assert environment["sprig_environment_id"] == "QmK7x2dTfa"
    assert TOKEN.encode() not in one.written
    assert environment["write_key"].encode() not in one.written


def test_without_a_token_by_pasting_and_going_on_after_ctrl_c(home, segment, terminal):
    file = home.file("answers.jsonl", "".join(f"{json.dumps(make_flat_record(n))}\n" for n in range(1, 4)))
    one = terminal("setup", "-e", "development", size=NARROW)
    one.shows("us, eu or an address, or enter for us:")
    one.write(f"{segment.url}{ENTER}")
    one.shows("paste the token (not shown)")
    one.write(ENTER)
    one.shows("5. ", "paste the Write Key of development (not shown)")
    one.write(f"{KEY}{ENTER}")
    one.shows("development: the key is stored", "How do answers come from Sprig?", "number, or enter to skip:")
    one.write(ctrl("c"))
    assert one.leave() == 130
    one.shows("Left. What was stored stays")
    assert KEY.encode() not in one.written

    two = terminal("setup", "-e", "development", size=NARROW)
    two.shows("paste the token (not shown)")
    two.write(ENTER)
    two.shows("Zq8T…E1Rk, in the config", "number, or enter to skip:")
    two.write(f"3{ENTER}")
    two.shows("path of the file, or enter to skip:")
    two.write(f"{Path(file).name}{ENTER}")
    two.shows("each of the 3 answers looked at has a User ID", "What shall be sent", "number, or enter to skip:")
    two.write(f"1{ENTER}")
    two.shows("send this answer to Segment? [y/N]")
    two.write(f"y{ENTER}")
    two.shows("Debugger", "is it there? [y/N]")
    two.write(f"y{ENTER}")
    two.shows("protect development")
    two.write(f"y{ENTER}")
    assert two.leave() == 0, two.framed()
    assert len(segment.events) == 1
    assert home.config()["environments"]["development"]["protected"] is True
