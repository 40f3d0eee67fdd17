"""Origin checks: without a token only loopback hosts and their own pages are answered."""

from __future__ import annotations

import pytest

from sprig_tui.config.environment import Environment

TOKEN = "production-token-0123456789"
OPEN = {"production": Environment(name="production", sprig_environment_id="QmK7x2dTfa")}


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8722", "localhost:8722", "LOCALHOST", "a.localhost:1", "[::1]:8722", "localhost."],
)
async def test_loopback_hosts_need_no_token(serve, answer, host):
    served = await serve(environments=OPEN)
    assert (await served.post(answer(), token="", host=host)).status_code == 200
    assert (await served.post(answer(), token="", host=host, origin=f"http://{host}")).status_code == 200


@pytest.mark.parametrize(
    "host", ["rebound.example:8722", "example.org", "", "127.0.0.1.example.org", "localhost@evil", "[::1", "0x7f.1"]
)
async def test_other_hosts_without_a_token_are_rejected(serve, answer, host):
    served = await serve(environments=OPEN)
    done = await served.post(answer(), token="", host=host)
    assert (done.status_code, "token" in done.json()["error"]) == (421, True)
    assert await served.log() == []
    metrics = await served.client.get("/metrics", headers={"host": host})
    assert metrics.status_code == 421
    ready = await served.client.get("/readyz", headers={"host": host})
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "stopping": False})


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "file://"])
async def test_other_origins_without_a_token_are_rejected(serve, answer, origin):
    served = await serve(environments=OPEN)
    assert (await served.post(answer(), token="", origin=origin)).status_code == 403
    assert (await served.client.get("/metrics", headers={"origin": origin})).status_code == 403
    assert await served.log() == []


async def test_host_of_an_absolute_target_is_checked(serve, answer):
    served = await serve(environments=OPEN)
    path = f"http://rebound.example:{served.port}/webhooks/production"
    request = served.client.build_request("POST", "/", json=answer(), extensions={"target": path.encode()})
    assert (await served.client.send(request)).status_code == 421


async def test_token_allows_any_host_and_origin(serve, answer):
    served = await serve()
    done = await served.post(answer(), host="webhooks.example.com", origin="https://app.example.com")
    assert done.status_code == 200
    headers = {"host": "x.example", "authorization": f"Bearer {TOKEN}"}
    assert (await served.client.get("/metrics", headers=headers)).status_code == 200
