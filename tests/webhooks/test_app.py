"""Webhook receiver: every documented event on both paths, for the environment it belongs to."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from sprig_tui.config.environment import Environment, WebhookToken
from sprig_tui.journal.records import State

SAMPLES = Path(__file__).parents[2] / "sample_payloads"
OTHER = "development-token-0123456789"


@pytest.mark.parametrize("path", ["/webhooks/production", "/webhooks/production/", "/webhooks", "/webhooks/"])
async def test_answer_is_queued_before_the_response(serve, answer, path):
    served = await serve()
    done = await served.post(answer(), path)
    assert (done.status_code, done.json()) == (200, {"queued": 1, "known": 0, "withheld": 0})
    [delivery] = await served.log()
    assert (delivery.environment, delivery.state, delivery.source) == ("production", State.QUEUED, "webhook")
    assert delivery.user_id == "acct_1"


async def test_absolute_target_is_routed_by_its_path(serve, answer):
    served = await serve()
    request = served.client.build_request(
        "POST",
        "/",
        json=answer(),
        headers={"authorization": "Bearer production-token-0123456789"},
        extensions={"target": b"http://hooks.example/webhooks/production/"},
    )
    assert (await served.client.send(request)).json() == {"queued": 1, "known": 0, "withheld": 0}


async def test_byte_order_mark_before_the_body_is_ignored(serve, answer):
    served = await serve()
    done = await served.post(b"\xef\xbb\xbf" + json.dumps(answer()).encode())
    assert (done.status_code, done.json()) == (200, {"queued": 1, "known": 0, "withheld": 0})


async def test_repeated_body_is_one_delivery(serve, answer):
    served = await serve()
    await served.post(answer())
    again = await served.post(answer(), "/webhooks")
    assert again.json() == {"queued": 0, "known": 1, "withheld": 0}
    assert len(await served.log()) == 1


async def test_concurrent_repeated_bodies_are_stored_once(serve, answer):
    served = await serve()
    bodies = [answer(number) for number in range(60)] * 2
    done = await asyncio.gather(*(served.post(body, "/webhooks") for body in bodies))
    assert {response.status_code for response in done} == {200}
    assert sum(response.json()["queued"] for response in done) == 60
    assert sum(response.json()["known"] for response in done) == 60
    assert len(await served.log()) == 60


async def test_on_queued_is_called_with_the_environment(serve, answer):
    woken: list[str] = []
    served = await serve(on_queued=woken.append)
    await served.post(answer())
    await served.post(answer(2, userId=None))
    assert woken == ["production"]


async def test_other_events_and_test_webhooks_are_withheld(serve):
    served = await serve(environments={"production": Environment(name="production")})
    lines = (SAMPLES / "webhooks-other-events.jsonl").read_bytes().splitlines()
    for raw in [*lines, (SAMPLES / "webhook-test.json").read_bytes()]:
        done = await served.post(raw, token="")
        assert (done.status_code, done.json()["queued"]) == (200, 0), raw
        assert done.json()["withheld"] + done.json()["known"] == 1
    reasons = {delivery.reason for delivery in await served.log()}
    assert reasons == {"not-an-answer", "test-webhook"}


async def test_incomplete_bodies_are_withheld(serve, answer):
    served = await serve()
    lacking = answer()
    del lacking["response"]
    for body, reason in (
        (answer(2, userId=None), "anonymous"),
        (lacking, "invalid"),
        ({}, "invalid"),
        ([1], "invalid"),
    ):
        done = await served.post(body)
        assert (done.status_code, done.json()["withheld"]) == (200, 1)
        assert (await served.log())[-1].reason == reason


async def test_list_bodies_are_split_into_records(serve, answer):
    served = await serve()
    done = await served.post([answer(1), answer(2, userId=None), answer(1)], "/webhooks")
    assert done.json() == {"queued": 1, "known": 1, "withheld": 1}


# -- whose they are --------------------------------------------------------------------------------------------------


async def test_shared_path_routes_by_environment_id(serve, answer):
    served = await serve()
    await served.post(answer(environmentId="Rn3pWq81Zb"), "/webhooks", OTHER)
    [delivery] = await served.log()
    assert (delivery.environment, delivery.state) == ("development", State.QUEUED)


@pytest.mark.parametrize("path", ["/webhooks", "/webhooks/production"])
async def test_unknown_environment_id_is_withheld(serve, answer, path):
    served = await serve()
    done = await served.post(answer(environmentId="Zz00000000"), path)
    assert (done.status_code, done.json()["withheld"]) == (200, 1)
    [delivery] = await served.log()
    assert (delivery.environment, delivery.reason) == ("", "environment-unknown")
    assert "Zz00000000" in delivery.detail


async def test_shared_path_without_environment_id_is_withheld(serve, answer):
    served = await serve()
    body = answer()
    del body["environmentId"]
    await served.post(body, "/webhooks")
    assert (await served.log())[0].reason == "environment-unknown"
    await served.post({**body, "responseGroupUid": "another"}, "/webhooks/production")
    assert (await served.log())[1].state is State.QUEUED


@pytest.mark.parametrize("path", ["/webhooks", "/webhooks/production"])
async def test_token_is_valid_for_its_own_environment_only(serve, answer, path):
    served = await serve()
    done = await served.post(answer(environmentId="Rn3pWq81Zb"), path)
    assert (done.status_code, done.json()) == (200, {"queued": 0, "known": 0, "withheld": 1})
    [delivery] = await served.log()
    assert (delivery.environment, delivery.reason) == ("", "environment-unknown")
    assert "development" in delivery.detail
    detail = await served.journal.get(delivery.id)
    assert json.loads(detail.raw)["userId"] == "acct_1"


async def test_token_shared_by_two_environments_is_valid_for_both(serve, answer):
    environments = {
        name: Environment(name=name, sprig_environment_id=sprig_id, webhook_token=WebhookToken(OTHER))
        for name, sprig_id in (("production", "QmK7x2dTfa"), ("development", "Rn3pWq81Zb"))
    }
    served = await serve(environments=environments)
    await served.post([answer(1), answer(2, environmentId="Rn3pWq81Zb")], "/webhooks", OTHER)
    assert [delivery.environment for delivery in await served.log()] == ["production", "development"]


async def test_reconfigure_replaces_environments_and_tokens(serve, answer):
    served = await serve()
    new = "a-new-production-token-01"
    served.receiver.reconfigure(
        served.receiver._handler._shared_builder.mapper.rules,
        {"production": Environment(name="production", webhook_token=WebhookToken(new))},
    )
    assert (await served.post(answer())).status_code == 401
    assert (await served.post(answer(), token=new)).status_code == 200
    assert (await served.post(answer(), "/webhooks/development", new)).status_code == 404
