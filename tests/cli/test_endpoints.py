"""`--endpoint`: what a run sends to another address is known to that address alone, and said as such."""

from __future__ import annotations

import socket


def test_trial_delivery_is_unknown_to_its_environment_and_replayable(configured, sink, cli, write, answer):
    """`send --endpoint` into the person's own journal, then the real `send`, then replays each way."""
    trial = type(sink)()
    try:
        file = write(*[answer(number) for number in range(3)])
        tried = cli("send", file, "-e", "development", "--endpoint", trial.url, "--json")
        assert (tried.json["delivered"], len(trial.sink.events)) == (3, 3)
        assert cli("send", file, "-e", "development", "--endpoint", trial.url, "--json").json["delivered"] == 0
        assert {row["endpoint"] for row in cli("log", "--json").rows} == {trial.url}
        assert sink.sink.events == ()
        real = cli("send", file, "-e", "development", "--json")
        assert (real.code, real.json["delivered"], len(sink.sink.events)) == (0, 3, 3)
        assert {one["messageId"] for one in sink.sink.events} == {one["messageId"] for one in trial.sink.events}
        assert cli("send", file, "-e", "development", "--json").json["delivered"] == 0
        [attempt] = cli("log", "--detail", 1, "--json").json["history"]
        assert attempt["endpoint"] == trial.url
        assert f"to {trial.url}" in cli("log", "--detail", 1).out
        assert f"was sent to   {trial.url}" in cli("log", "--detail", 1).out

        counted = cli("replay", "--id", 1, "--dry-run", "--json")
        assert f"1 went to {trial.url}; a replay goes to {sink.url}" in counted.err
        assert counted.json["redirected"] == [{"went_to": trial.url, "goes_to": sink.url, "deliveries": 1}]
        back = cli("replay", "--id", 4, "--endpoint", trial.url, "--yes", "--json")
        assert (back.code, back.json["delivered"]) == (0, 1)
        assert f"1 went to {sink.url}; a replay goes to {trial.url}" in back.err
        assert [row["state"] for row in cli("log", "id:4", "--json").rows] == ["delivered"]
        bulk = cli("replay", "--all", "--endpoint", trial.url, "--yes", "--json")
        assert (bulk.code, bulk.json["delivered"], bulk.json["requeued"]) == (0, 7, 7)
        assert cli("send", file, "-e", "development", "--json").json["delivered"] == 0
    finally:
        trial.close()


def test_queued_trial_waits_for_its_endpoint_alone(configured, sink, cli, write, answer):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    nobody = f"http://127.0.0.1:{port}"
    file = write(*[answer(number) for number in range(3)])
    tried = cli("send", file, "-e", "development", "--endpoint", nobody, "--give-up-after", "0s")
    assert tried.code == 3
    assert cli("status", "--json").json["environments"]["development"]["lane"] == "open", "the real lane goes on"
    assert cli("send", write(answer(9), name="other.jsonl"), "-e", "development", "--json").json["delivered"] == 1
    assert len(sink.sink.events) == 1
    assert cli("send", file, "-e", "development", "--json").json["delivered"] == 3
    assert [row["reason"] for row in cli("log", "--json", f"endpoint:{nobody}").rows] == ["withdrawn"] * 3


def test_run_with_endpoint_delivers_the_queue_and_warns(configured, sink, start, cli, write, answer):
    trial = type(sink)()
    try:
        file = write(answer(1), answer(2))
        cli("send", file, "-e", "development", "--no-wait")
        left = write(answer(3), name="left.jsonl")
        stored = cli("send", left, "-e", "development", "--no-wait", "--endpoint", "http://127.0.0.1:9")
        assert "sprig-tui run --endpoint http://127.0.0.1:9 delivers what is queued" in stored.err
        running = start("run", "--endpoint", trial.url, "--status-every", "0")
        assert f"goes to {trial.url}," in running.until("does not count as delivered")
        trial.wait_until(lambda stats: stats.accepted == 2)
        assert running.stop() == 0
        status = cli("status")
        assert "development: 1 of the queued go only to the address of a run with --endpoint" in status.out
        assert cli("status", "--json").json["environments"]["development"]["queued_elsewhere"] == 1
        assert cli("send", file, left, "-e", "development", "--json").json["delivered"] == 3
        assert len(sink.sink.events) == 3
    finally:
        trial.close()


def test_endpoint_set_in_the_config_later_resends_nothing(configured, sink, cli, write, answer):
    trial = type(sink)()
    try:
        file = write(answer(1), answer(2))
        assert cli("send", file, "-e", "development", "--endpoint", trial.url, "--json").json["delivered"] == 2
        config = configured / "config.toml"
        config.write_text(config.read_text().replace(sink.url, trial.url))
        again = cli("send", file, "-e", "development", "--json").json
        assert (again["known"], again["new"]) == (2, 0)
        assert trial.sink.stats.accepted == 2
    finally:
        trial.close()
