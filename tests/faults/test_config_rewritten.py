"""The config is truncated, cut, replaced and deleted while answers flow: no e-mail ever leaves in the clear.

`listen`, `run` and `send --watch` work on one config that hashes and omits, against a real sink.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from support.plain_http import PLAIN
from support.programs import SPRIG_ENVIRONMENT, TOKEN, Program, Programs

from sprig_tui.segment.sink import Sink

KEY_VARIABLE = "SPRIG_TUI_WRITE_KEY_PRODUCTION"
HELD = "going on with the config as it was"


def config(endpoint: str) -> str:
    return (
        f'[environments.production]\nendpoint = "{endpoint}"\nwebhook_token = "{TOKEN}"\nprotected = false\n'
        f'sprig_environment_id = "{SPRIG_ENVIRONMENT}"\n'
        '[mapping]\nhash = ["properties.email"]\nomit = ["properties.attributes.plan"]\n'
        "[delivery]\nmax_retries = 40\n"
    )


def truncates_and_rewrites(file: Path, whole: str) -> Iterator[str]:
    with file.open("w") as stream:
        stream.flush()
        yield HELD
        stream.write(whole[: len(whole) // 2])
        stream.flush()
        yield HELD
        stream.write(whole[len(whole) // 2 :])
    yield "in use again"


def stops_behind_a_table(file: Path, whole: str) -> Iterator[str]:
    changed = whole.replace("max_retries = 40", "max_retries = 41")
    with file.open("w") as stream:
        stream.write("# by hand\n" + changed.partition("[mapping]")[0])
        stream.flush()
        yield HELD
        stream.write("[mapping]" + changed.partition("[mapping]")[2])
    yield "the config changed, and is taken up"


def renames_and_writes_anew(file: Path, whole: str) -> Iterator[str]:
    """As vi does with a backup."""
    old = file.with_suffix(".toml~")
    file.replace(old)
    yield HELD
    file.write_text(whole)
    old.unlink()
    yield "the config changed, and is taken up"


def replaces(file: Path, whole: str) -> Iterator[str]:
    new = file.with_suffix(".new")
    new.write_text(whole.replace("max_retries = 40", "max_retries = 42"))
    new.replace(file)
    yield "the config changed, and is taken up"


def deletes_and_recreates(file: Path, whole: str) -> Iterator[str]:
    file.unlink()
    yield HELD
    file.touch()
    yield HELD
    file.write_text(whole.replace("max_retries = 40", "max_retries = 42"))
    yield "in use again"


EDITORS = (truncates_and_rewrites, stops_behind_a_table, renames_and_writes_anew, replaces, deletes_and_recreates)


def answer(number: int) -> dict[str, object]:
    return {
        "environmentId": SPRIG_ENVIRONMENT,
        "eventType": "ANSWER_SUBMITTED",
        "createdAt": "2026-10-04T16:21:09.114Z",
        "surveyId": 5120,
        "surveyName": "Checkout effort",
        "responseGroupUid": str(uuid.UUID(int=number, version=4)),
        "question": "What slowed you down?",
        "questionType": "OPEN",
        "response": f"answer {number}",
        "userId": f"acct_{number}",
        "email": f"person{number}@mail.example",
        "attributes": {"plan": "secret-plan", "seats": 3},
    }


class Flow:
    """Answers that come one after the other, as webhooks and as files."""

    def __init__(self, url: str, folder: Path) -> None:
        self.sent = 0
        self.over = False
        self.statuses: set[int] = set()
        self._url = url
        self._folder = folder

    async def webhooks(self) -> None:
        async with httpx.AsyncClient(
            trust_env=False, verify=PLAIN, headers={"authorization": f"Bearer {TOKEN}"}
        ) as client:
            while not self.over:
                self.sent += 1
                answered = await client.post(f"{self._url}/webhooks", json=answer(self.sent))
                self.statuses.add(answered.status_code)
                await asyncio.sleep(0.04)

    def file(self) -> None:
        self.sent += 1
        (self._folder / f"{self.sent}.json").write_text(json.dumps(answer(self.sent)))


async def goes_through(
    editor: Callable[[Path, str], Iterator[str]], file: Path, whole: str, programs: tuple[Program, ...], flow: Flow
) -> None:
    """Let an editor write, and wait at each step until all processes have said what they made of it."""
    spoken = [len(program.lines) for program in programs]
    for said in editor(file, whole):
        for place, program in enumerate(programs):
            await program.says(said, after=spoken[place])
            spoken[place] = len(program.lines)
        if said == HELD:
            flow.file()


async def test_no_mail_in_the_clear(tmp_path, rounds, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "F" * 32)
    folder = tmp_path / "folder"
    folder.mkdir()
    async with Sink(keep=1_000_000) as sink, Programs(tmp_path / "home") as programs:
        programs.home.mkdir()
        file, whole = programs.home / "config.toml", config(sink.url)
        file.write_text(whole)
        receiver, port = await programs.listen(0, "--no-engine")
        worker = await programs.start("run", "--metrics", "0", ready="delivering for production")
        monitor = (await worker.says("monitors ask ")).split("monitors ask ")[1].partition("/healthz")[0]
        watcher = await programs.start("send", "--watch", str(folder), ready="watching")
        everyone = (receiver, worker, watcher)
        flow = Flow(f"http://127.0.0.1:{port}", folder)
        flowing = asyncio.create_task(flow.webhooks())
        for _ in range(max(1, rounds // 6)):
            for editor in EDITORS:
                await goes_through(editor, file, whole, everyone, flow)
        spoken = [len(program.lines) for program in everyone]
        file.unlink()
        for place, program in enumerate(everyone):
            await program.says("is not there", after=spoken[place])
        async with httpx.AsyncClient(trust_env=False, verify=PLAIN) as client:
            for url in (f"http://127.0.0.1:{port}", monitor):
                told = await client.get(f"{url}/readyz")
                assert (told.status_code, told.json()["ready"]) == (200, True)
                assert told.json()["config"].startswith("the previous one is in use")
        looked = await programs.command("status", "--json")
        assert {one["pid"] for one in json.loads(looked.out)["config_held"]} == {one.process.pid for one in everyone}
        doctor = await programs.command("doctor", "--offline")
        assert doctor.out.count("goes on with the one from before") == 3
        assert "is not there, and was on" in doctor.out
        flow.over = True
        await flowing
        await sink.wait_until(lambda stats: stats.accepted >= flow.sent, 150)
        assert [await program.stop() for program in everyone] == [0, 0, 0]
        assert flow.statuses == {200}, "with the token, and never 404 for the environment"
        events = [json.dumps(event) for event in sink.events]
    assert len(events) == flow.sent
    assert [event for event in events if "@" in event or "secret-plan" in event] == []
    assert all('"email"' in event for event in events), "it is sent, hashed"
