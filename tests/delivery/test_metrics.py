"""Prometheus metrics: counts of the journal, and requests of this process."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from support.clocks import ManualClock
from support.records import make_worker

from sprig_tui.config.environment import Environment, WriteKey
from sprig_tui.delivery.engine import Engine
from sprig_tui.delivery.metrics import DeliveryMetrics
from sprig_tui.delivery.wait import wait_until_settled
from sprig_tui.ingest import EntryBuilder
from sprig_tui.ingest.ingest import ingest_records
from sprig_tui.journal.records import NewDelivery, WorkerInfo
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.mapping.records import Rules
from sprig_tui.segment.sink import Sink
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.records import Origin

ANSWERS = b"""[
 {"userId":"acct_1","surveyId":1,"question":"q","questionType":"NPS","response":9,"respondedAt":"2026-10-04T16:21:09.114Z","responseGroupId":"a"},
 {"userId":"acct_2","surveyId":1,"question":"q","questionType":"NPS","response":8,"respondedAt":"2026-10-04T16:21:09.114Z","responseGroupId":"b"},
 {"userId":null,"surveyId":1,"question":"q","questionType":"NPS","response":7,"respondedAt":"2026-10-04T16:21:09.114Z","responseGroupId":"c"}]"""


async def samples(metrics: DeliveryMetrics) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families((await metrics.render()).decode())
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


async def test_metrics_of_deliveries_attempts_and_lanes(tmp_path):
    async with Sink(faults=["503@1"]) as sink, SQLiteJournal(tmp_path / "j.db") as journal:
        production = Environment(name="production", write_key=WriteKey("F" * 32), endpoint=sink.url)
        metrics = DeliveryMetrics(journal)
        async with Engine(journal, {"production": production}, on_result=metrics.record) as engine:
            records = parse_document(ANSWERS, Origin("made up"))
            fed = await ingest_records(
                records, EntryBuilder(Rules(), {"production": production}, "production"), journal, engine
            )
            await wait_until_settled(journal, fed.ids, ["production"], engine=engine)
        found = await samples(metrics)
    assert found["sprig_tui_deliveries", "production", "delivered"] == 2
    assert found["sprig_tui_deliveries", "production", "withheld"] == 1
    assert found["sprig_tui_deliveries", "production", "queued"] == 0
    assert found["sprig_tui_attempts_total", "production", "retry", "503"] == 1
    assert found["sprig_tui_attempts_total", "production", "delivered", "200"] >= 1
    assert found["sprig_tui_attempt_seconds_count", "production"] >= 2
    assert found["sprig_tui_lane_state", "production", "open"] == 1
    assert found["sprig_tui_lane_state", "production", "paused"] == 0
    assert found["sprig_tui_queue_age_seconds", "production"] == 0


async def test_metrics_of_queue_age_and_unknown_environment(tmp_path):
    clock = ManualClock()
    async with SQLiteJournal(tmp_path / "j.db", clock=clock) as journal:
        metrics = DeliveryMetrics(journal, clock=clock)
        await journal.add([NewDelivery(environment="production", message_id="m1", body=b"{}")])
        await journal.add([NewDelivery(environment="", message_id="m2", reason="environment-unknown")])
        clock.ms += 90_000
        found = await samples(metrics)
    assert found["sprig_tui_queue_age_seconds", "production"] == 90
    assert found["sprig_tui_deliveries", "(unknown)", "withheld"] == 1


async def test_metrics_of_live_workers_by_role(tmp_path):
    def worker(number: int, role: str, rate: float) -> WorkerInfo:
        return make_worker(id=f"{number:032}", role=role, pid=number, environments=(), rate=rate)

    async with SQLiteJournal(tmp_path / "j.db") as journal:
        metrics = DeliveryMetrics(journal)
        assert (await samples(metrics))["sprig_tui_workers_deliveries_per_second",] == 0
        for one in (worker(1, "run", 200.5), worker(2, "run", 11.5), worker(3, "listen", 0.0)):
            await journal.heartbeat(one)
        found = await samples(metrics)
        assert found["sprig_tui_workers", "run"] == 2
        assert found["sprig_tui_workers", "listen"] == 1
        assert found["sprig_tui_workers_deliveries_per_second",] == 212
        await journal.unregister_worker(worker(3, "listen", 0.0).id)
        assert ("sprig_tui_workers", "listen") not in await samples(metrics)


async def test_metrics_count_attempts_by_status(tmp_path):
    async with SQLiteJournal(tmp_path / "j.db") as journal:
        metrics = DeliveryMetrics(journal)
        metrics.record_attempt("production", "retry", 503, 250.0)
        metrics.record_attempt("production", "retry", 503, 40.0)
        found = await samples(metrics)
    assert found["sprig_tui_attempts_total", "production", "retry", "503"] == 2
    assert abs(found["sprig_tui_attempt_seconds_sum", "production"] - 0.29) < 1e-9
