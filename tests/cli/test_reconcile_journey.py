"""The example of the topic `reconcile`: three answers are lost behind a 200, found, and sent again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.pages_of_documentation import PAGES
from support.records import make_flat_record

Run = Callable[..., Any]


def test_three_answers_lost_behind_a_200_are_found_and_sent_again(
    start: Run, process: Run, write: Run, home: Path
) -> None:
    commands = re.findall(
        r"^    sprig-tui (.*?)(?:  +#.*)?$",
        PAGES["reconcile"].partition("The fake one loses three answers")[2].partition("\n## ")[0],
        re.MULTILINE,
    )
    sink_command, keys_workspace, keys_set, send, reconcile, replay, again = commands
    sink = start(*sink_command.split(), "--port", "0")
    url = sink.until("listening on ").split("listening on ")[1].split(";")[0]
    token = sink.until("token ").split("token ")[1].strip()

    def run(command: str, *more: str, stdin: bytes = b"") -> Any:
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command)]
        return process(*(url if word == "http://127.0.0.1:8080" else word for word in words), *more, stdin=stdin)

    assert run(keys_workspace, stdin=token.encode()).code == 0
    assert run(keys_set).code == 0
    answers = write(*(make_flat_record(number) for number in range(500)))
    done = run(send.replace("sample_payloads/export.csv", str(answers)))
    assert (done.code, "500 delivered" in done.err) == (0, True), done.err

    short = run(reconcile)
    assert short.code == 1, short.err
    assert "short by 3 of 500 delivered" in short.out
    assert re.search(r"500 +500 +497  short by 3$", short.out, re.MULTILINE)
    replayed = run(replay, "--yes")
    assert replayed.code == 0, replayed.err
    assert "500 queued again; now: 500 delivered" in replayed.err
    agrees = run(again, "--json")
    assert agrees.code == 0, agrees.err
    (development,) = json.loads(agrees.out)["environments"]
    assert (development["verdict"], development["short"]) == ("agrees", 0)
    assert sum(bucket["received"] for bucket in development["buckets"]) == 500
    assert sink.stop() == 0
