"""Webhooks that a `listen` in another process receives appear in the open console, which delivers them."""

from __future__ import annotations

import asyncio
import os
import sys

import httpx
from support.plain_http import PLAIN

TOKEN = "production-token-0123456789"
ANSWER = {
    "environmentId": "QmK7x2dTfa",
    "eventType": "ANSWER_SUBMITTED",
    "createdAt": "2026-03-04T16:21:09.114Z",
    "surveyId": 5120,
    "surveyName": "Checkout effort",
    "responseGroupUid": "0f4c1c7e-5f0b-4f0e-9a35-8f6f0d2f7b11",
    "question": "How easy was checkout?",
    "questionType": "LIKERT",
    "response": 4,
    "userId": "acct_88213",
}


async def test_webhooks_of_another_process_appear_in_the_log(console, sink):
    console.write(
        f'[environments.production]\nwrite_key = "{"F" * 32}"\nendpoint = "{sink.url}"\nwebhook_token = "{TOKEN}"\n'
    )
    listener = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sprig_tui", "listen", "--port", "0", "--no-engine"),
        env={**os.environ, "SPRIG_TUI_HOME": str(console.paths.config_file.parent)},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        while b"listening on" not in (line := await listener.stderr.readline()):
            assert line
        url = line.decode().split("listening on ")[1].split(",")[0]
        async with console.running():
            assert "acct_88213" not in console.text()
            async with httpx.AsyncClient(trust_env=False, verify=PLAIN) as client:
                done = await client.post(
                    f"{url}/webhooks/production", json=ANSWER, headers={"authorization": f"Bearer {TOKEN}"}
                )
            assert done.json() == {"queued": 1, "known": 0, "withheld": 0}
            await console.until(lambda: "acct_88213" in console.text())
            await console.until(lambda: "delivered 200" in " ".join(console.text().split()))
        assert sink.stats.accepted == 1
    finally:
        if listener.returncode is None:
            listener.terminate()
        await listener.communicate()
