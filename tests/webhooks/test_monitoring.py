"""Health endpoints and metrics of the webhook receiver, with and without a token."""

from __future__ import annotations

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from sprig_tui.errors import JournalFullError
from sprig_tui.journal.sqlite import SQLiteJournal

TOKEN = "production-token-0123456789"


async def samples(served, **headers) -> dict[tuple[str, ...], float]:
    done = await served.client.get("/metrics", headers=headers)
    assert done.status_code == 200
    assert done.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(done.text)
        for sample in family.samples
    }


async def test_healthz_and_readyz_of_a_running_receiver(serve):
    served = await serve()
    assert (await served.client.get("/healthz")).json() == {"alive": True}
    assert (await served.client.head("/healthz")).status_code == 200
    done = await served.client.get("/readyz")
    assert (done.status_code, done.json()) == (
        200,
        {"ready": True, "stopping": False, "journal": "writable", "lanes": {}, "config": "in use"},
    )


async def test_readyz_lists_lanes_and_stays_ready_while_one_is_paused(serve):
    served = await serve()
    await served.journal.set_lane("production", "paused", "before the release")
    await served.post({}, "/webhooks")
    done = await served.client.get("/readyz")
    assert done.status_code == 200
    assert list(done.json()["lanes"]) == ["production"], "none for what belongs nowhere"
    assert done.json()["lanes"]["production"]["state"] == "paused"
    assert done.json()["lanes"]["production"]["cause"] == "held by hand: before the release"


async def test_closed_journal_is_not_ready_but_alive(serve, answer):
    served = await serve()
    await served.journal.close()
    assert (await served.client.get("/healthz")).status_code == 200
    done = await served.client.get("/readyz")
    assert (done.status_code, done.json()["ready"]) == (503, False)
    assert "closed" in done.json()["journal"]
    assert (await served.post(answer())).status_code == 503
    found = await samples(served)
    assert found["sprig_tui_journal_readable",] == 0


async def test_readyz_reports_stopping(serve):
    served = await serve()
    served.receiver.set_stopping()
    done = await served.client.get("/readyz")
    assert (done.status_code, done.json()["stopping"]) == (503, True)


async def test_metrics_count_requests_and_records(serve, answer):
    served = await serve()
    await served.post(answer())
    await served.post(answer())
    await served.post(answer(2, userId=None))
    await served.post(answer(3, environmentId="Zz00000000"))
    await served.post(answer(4), token="wrong")
    found = await samples(served)
    assert found["sprig_tui_webhook_requests_total", "200"] == 4
    assert found["sprig_tui_webhook_requests_total", "401"] == 1
    assert found["sprig_tui_webhook_records_total", "production", "queued"] == 1
    assert found["sprig_tui_webhook_records_total", "production", "known"] == 1
    assert found["sprig_tui_webhook_records_total", "production", "withheld"] == 1
    assert found["sprig_tui_webhook_records_total", "(unknown)", "withheld"] == 1
    assert found["sprig_tui_webhook_seconds_count",] == 5
    assert found["sprig_tui_webhook_bytes_in_hand",] == 0
    assert found["sprig_tui_deliveries", "production", "queued"] == 1
    assert found["sprig_tui_journal_readable",] == 1


async def test_readyz_hides_details_without_a_token(serve):
    served = await serve(trusting=False)
    assert (await served.client.get("/readyz")).json() == {"ready": True, "stopping": False}
    assert (await served.client.get("/metrics")).status_code == 401
    assert await samples(served, authorization=f"Bearer {TOKEN}")
    known = await served.client.get("/readyz", headers={"authorization": f"Bearer {TOKEN}"})
    assert known.json()["journal"] == "writable"


async def test_readyz_reports_a_failed_write(serve, answer, tmp_path):
    async with SQLiteJournal(tmp_path / "j.db") as journal:
        served = await serve(journal=journal)

        async def full(_, *, deadline):
            raise JournalFullError("no room left for the journal", hint="free disk space")

        journal.add, add = full, journal.add
        assert (await served.post(answer())).status_code == 503
        done = await served.client.get("/readyz")
        assert (done.status_code, done.json()["journal"]) == (503, "no room left for the journal")
        journal.add = add
        assert (await served.post(answer())).status_code == 200
        assert (await served.client.get("/readyz")).status_code == 200


async def test_rejections_are_counted_and_logged(serve, answer, caplog):
    served = await serve()
    await served.post(answer(), "/webhook/production")
    await served.client.get("/webhooks/production")
    await served.post(answer(), "/webhooks/no-such%1b[31m")
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"no HTTP\r\n\r\n")
    await reader.read()
    writer.close()
    found = await samples(served)
    assert found["sprig_tui_webhook_requests_total", "404"] == 2
    for status, number in (("400", 1), ("404", 2), ("405", 1)):
        assert found["sprig_tui_http_refusals_total", status] == number
    lines = [record.getMessage() for record in caplog.records]
    assert [line[18:21] for line in lines] == ["404", "405", "400"], "the second of a kind a minute later"
    assert "\x1b" not in "".join(lines)
