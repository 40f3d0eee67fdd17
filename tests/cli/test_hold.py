"""`hold` and `resume`: nothing is sent while a queue is held, and a person resumes it."""

from __future__ import annotations

from sprig_tui.cli import prompts


def test_a_hold_made_first_lets_a_person_look_before_anything_is_sent(configured, cli, sink, write, answer):
    held = cli("hold", "development", "--why", "check the survey", "--json")
    assert (held.code, held.json["sending"]) == (0, 0)
    assert held.json["environments"]["development"]["why"] == "check the survey"
    assert ": check the survey\n  nothing waits\n" in held.err
    sent = cli("send", write(answer(1), answer(2)), "-e", "development", "--json")
    assert (sent.code, sent.json["queued"]) == (1, 2)
    [stall] = sent.json["standstills"]
    assert (stall["why"], stall["cause"].endswith(": check the survey")) == ("held", True)
    assert "development: held by " in sent.err
    assert "sprig-tui resume development lets sprig-tui run send it" in sent.err
    assert not sink.sink.events
    checks = cli("doctor", "--offline", "--json").json["checks"]
    assert any("2 held, the oldest for " in check["message"] for check in checks if check["name"] == "lanes")
    assert cli("withdraw", "--id", 1, "--yes", "--json").json["withdrawn"] == 1
    refused = cli("resume", "development")
    assert (refused.code, "still held: there is no terminal" in refused.err) == (2, True)
    assert "1 held, the oldest for " in refused.err
    done = cli("resume", "development", "--yes", "--json")
    assert (done.code, done.json) == (0, {"resumed": ["development"]})
    assert "development is not held or paused\n" in cli("resume", "development").err
    again = cli("replay", "--id", 1, "--yes", "--json")
    assert (again.code, again.json["delivered"]) == (0, 1)
    cli("send", "answers.jsonl", "-e", "development")
    assert len(sink.sink.events) == 2


def test_a_protected_environment_is_resumed_by_its_name(configured, cli, process, write, answer, monkeypatch):
    cli("hold", "production", "development")
    cli("send", write(answer(1)), "-e", "production", "--no-wait", "--yes")
    monkeypatch.setattr(prompts, "is_interactive", lambda: True)
    asked: list[str] = []

    def confirm_name(question: str, name: str) -> bool:
        asked.append(f"{question}|{name}")
        return False

    monkeypatch.setattr(prompts, "confirm_name", confirm_name)
    monkeypatch.setattr(prompts, "confirm_name", lambda *_: process("hold", "production", "--why", "legal").code == 0)
    newer = cli("resume", "production")
    assert (newer.code, newer.err.count("production was not resumed: it is held by ")) == (2, 1)
    monkeypatch.setattr(prompts, "confirm_name", confirm_name)
    kept = cli("resume", "production")
    assert (kept.code, asked) == (2, ["production is protected: 1 go there|production"])
    assert "production is still held" in kept.err
    assert cli("resume", "development").code == 0, "nothing waits there, so nothing is asked"
    assert cli("hold", "nowhere").code == 2
    assert cli("hold").code == 2


def test_a_run_with_hold_sends_nothing_until_it_is_resumed(configured, cli, sink, start, write, answer):
    cli("send", write(answer(1)), "-e", "development", "--no-wait")
    running = start("run", "--hold", "--status-every", "0")
    running.until("development is held by ")
    running.until("delivering for")
    held = cli("status", "--json").json["environments"]
    assert held["production"]["held"]["why"] == "asked for with --hold, to look before the first is sent"
    assert held["development"]["held"]["deliveries"] == 1
    assert not sink.sink.events
    assert cli("resume", "development", "--yes").code == 0
    sink.wait_until(lambda stats: stats.accepted == 1)
    assert start("listen", "--port", "0", "--hold", "--no-engine").until("development is held by ")


def test_a_running_worker_stops_at_the_hold_and_goes_on_at_its_end(configured, cli, sink, start, write, answer):
    start("run", "--status-every", "0").until("delivering for")
    cli("send", write(answer(1)), "-e", "development")
    assert cli("hold", "development").code == 0
    cli("send", write(answer(1), answer(2)), "-e", "development", "--no-wait")
    assert len(sink.sink.events) == 1
    cli("resume", "development", "--yes")
    sink.wait_until(lambda stats: stats.accepted == 2)
