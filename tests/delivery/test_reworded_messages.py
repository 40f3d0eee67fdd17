"""Every message reworded: decisions stay the same. Each test runs with our texts and with others."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import Any

import pytest
from msgspec import Raw
from support.engine_bench import Bench
from support.rsa_keys import write_private_key

from sprig_tui.cli.commands.doctor.local import config_checks
from sprig_tui.cli.commands.keys.check import _check_key
from sprig_tui.config import secrets, surveys
from sprig_tui.config import settings as config_settings
from sprig_tui.config.paths import find_paths
from sprig_tui.config.settings import load_settings
from sprig_tui.config.surveys import surveys_file
from sprig_tui.config.warnings import ConfigWarning, WarningCode
from sprig_tui.console.environments.status import StatusInputs, status_of
from sprig_tui.delivery.engine import Engine
from sprig_tui.delivery.wait import wait_until_settled
from sprig_tui.errors import SprigTuiError
from sprig_tui.ingest.id_ranges import IdRanges
from sprig_tui.journal import pause_reasons
from sprig_tui.journal.pause_reasons import PauseDetail, PauseReason
from sprig_tui.journal.records import Lane
from sprig_tui.mapping.mapper import map_response
from sprig_tui.mapping.records import Rules
from sprig_tui.segment import client
from sprig_tui.segment.sink import FaultRule, Sink
from sprig_tui.sprig import records
from sprig_tui.sprig.records import Note, Origin, StudyResponse

OTHER_KEY = "n" * 32
NOW = 1_790_000_000_000


def other_words(text: str) -> str:
    """Nothing that anybody could look for is left in it."""
    return "ж" * len(text)


@pytest.fixture(params=["as it is", "reworded"])
def worded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The wording: ours, or every sentence that we make replaced by another."""
    if request.param == "reworded":
        sentences = {
            reason: lambda detail, told=told: other_words(told(detail))
            for reason, told in pause_reasons.SENTENCES.items()
        }
        monkeypatch.setattr(pause_reasons, "SENTENCES", MappingProxyType(sentences))
        texts = {note: other_words(text) for note, text in records.NOTE_TEXTS.items()}
        monkeypatch.setattr(records, "NOTE_TEXTS", MappingProxyType(texts))

        def warning(code: WarningCode, text: str, *place: str, **named: str) -> ConfigWarning:
            return ConfigWarning(code, other_words(text), *place, **named)

        for module in (secrets, config_settings, surveys):
            monkeypatch.setattr(module, "ConfigWarning", warning)
        monkeypatch.setattr(client, "describe_error", lambda *_, **__: other_words("connection refused"))
        monkeypatch.setattr(client, "plain_error", lambda status: other_words(str(status)))

        def error(self: SprigTuiError, message: str, *, hint: str = "") -> None:
            Exception.__init__(self, other_words(message))
            self.message, self.hint = other_words(message), other_words(hint)

        monkeypatch.setattr(SprigTuiError, "__init__", error)
    return request.param


async def paused(bench: Bench, engine: Engine, pauses: int) -> None:
    await bench.until(
        lambda: (lane := engine.snapshot().environments["production"].lane).state == "paused" and lane.pauses == pauses
    )


@pytest.mark.parametrize("status", [401, 404])
async def test_lane_resumes_with_another_key_or_endpoint(bench: Bench, worded: str, status: int) -> None:
    await bench.queue(range(20))
    async with (
        Sink(clock=bench.time, faults=[f"{status}"]) as wrong,
        Sink(clock=bench.time) as right,
        bench.engine(bench.environment(wrong.url)) as engine,
    ):
        engine.wake()
        await paused(bench, engine, 1)
        reason = PauseReason.KEY_REFUSED if status == 401 else PauseReason.WRONG_ENDPOINT
        assert (await bench.lane()).reason is reason
        await engine.reload({"production": bench.environment(wrong.url)})
        assert (await bench.lane()).state == "paused", "the same key and endpoint"
        bench.time.advance(60)
        engine.wake()
        await paused(bench, engine, 2)
        assert wrong.requests[-1].body_bytes < 400, "one delivery probes"
        if status == 401:
            wrong.set_faults([])
            await engine.reload({"production": bench.environment(wrong.url, key=OTHER_KEY)})
        else:
            await engine.reload({"production": bench.environment(right.url)})
        await bench.settled(engine)
        assert wrong.stats.accepted + right.stats.accepted == 20


@pytest.mark.parametrize("changed", [True, False])
async def test_lane_resumes_at_start_after_a_config_change(bench: Bench, worded: str, changed: bool) -> None:
    await bench.queue([1])
    faults = [FaultRule(do="status", status=401, last=1)]
    async with Sink(clock=bench.time, faults=faults) as sink:
        async with bench.engine(bench.environment(sink.url)) as engine:
            engine.wake()
            await paused(bench, engine, 1)
        key = {"key": OTHER_KEY} if changed else {}
        async with bench.engine(bench.environment(sink.url, **key)) as engine:
            engine.wake()
            if changed:
                await bench.settled(engine)
            else:
                await bench.until(engine.idle.is_set)
        assert sink.stats.accepted == changed


async def test_manual_pause_survives_config_changes(bench: Bench, worded: str) -> None:
    await bench.queue([1])
    await bench.journal.set_lane("production", "paused", "write key none refused (401)")
    async with Sink(clock=bench.time) as sink, bench.engine(bench.environment(sink.url)) as engine:
        await engine.reload({"production": bench.environment(sink.url, key=OTHER_KEY)})
        bench.time.advance(7200)
        await bench.until(engine.idle.is_set)
        assert sink.stats.requests == 0


@pytest.mark.parametrize(
    ("fault", "ends", "least_seconds"),
    [
        (FaultRule(do="status", status=429, retry_after="290", last=1), [], 290),
        (FaultRule(do="status", status=429, retry_after="7"), ["unreachable"], 60),
        (FaultRule(do="status", status=503), ["unreachable"], 60),
        (FaultRule(do="status", status=401), ["paused"], 0),
    ],
)
async def test_wait_ends_for_the_same_stalls(
    bench: Bench, worded: str, fault: FaultRule, ends: list[str], least_seconds: float
) -> None:
    ids = IdRanges(await bench.queue(range(5)))
    async with Sink(clock=bench.time, faults=[fault]) as sink, bench.engine(bench.environment(sink.url)) as engine:
        engine.wake()
        waiting = wait_until_settled(bench.journal, ids, ["production"], engine=engine, timing=bench.time, timeout_s=60)
        task = asyncio.ensure_future(waiting)
        await bench.until(task.done, engine)
        assert [one.kind for one in (await task).stalls] == ends
        assert bench.time.seconds >= least_seconds


@pytest.mark.parametrize(
    ("state", "reason", "detail", "looks"),
    [
        ("paused", PauseReason.KEY_REFUSED, PauseDetail(key="Zq8T…e1Rk", status=401), ("‖", "bad")),
        ("paused", PauseReason.WRONG_ENDPOINT, PauseDetail(endpoint="https://x", status=404), ("‖", "bad")),
        ("paused", PauseReason.MANUAL, PauseDetail(), ("‖", "warning")),
        ("paused", PauseReason.OTHER, PauseDetail(text="write key Zq8T…e1Rk refused (401)"), ("‖", "warning")),
        ("paused", PauseReason.OAUTH_KEY_UNUSABLE, PauseDetail(error="the private key x is not there"), ("‖", "bad")),
        ("paused", PauseReason.OAUTH_CLIENT_REFUSED, PauseDetail(client="2Xapp", status=401), ("‖", "bad")),
        ("paused", PauseReason.OAUTH_TOKEN_REFUSED, PauseDetail(client="2Xapp", status=401), ("‖", "bad")),
        ("waiting", PauseReason.TOKEN_SERVER_FAILED, PauseDetail(status=429, asked_ms=7_000), ("◷", "warning")),
        ("waiting", PauseReason.RETRY_AFTER, PauseDetail(status=429, asked_ms=7_000), ("◷", "warning")),
        ("waiting", PauseReason.HTTP_ERROR, PauseDetail(status=503), ("◷", "warning")),
        ("waiting", PauseReason.NETWORK_ERROR, PauseDetail(error="503 or so"), ("◷", "bad")),
        ("waiting", PauseReason.NOT_SEGMENT, PauseDetail(status=302, error="302"), ("◷", "bad")),
    ],
)
def test_environment_status_is_the_same(worded: str, state: Any, reason: PauseReason, detail: Any, looks: Any) -> None:
    lane = Lane(environment="p", state=state, until=NOW + 9_000, reason=reason, detail=detail, failures=1)
    standing = status_of(StatusInputs(lane=lane, has_key=True, queued=1, in_flight=0, rate=0, engine=True), NOW)
    assert (standing.mark, standing.level) == looks
    assert standing.brief.split()[0] in ("paused", "waiting", "failing", "unreachable")


def test_notes_belong_to_the_same_fields(worded: str) -> None:
    response = StudyResponse(
        origin=Origin("x", "webhook", 1),
        raw=b"{}",
        paths={},
        response=Raw(b"4"),
        response_group_id="g",
        question="q",
        question_type="LIKERT",
        notes=tuple(Note),
    )
    mapping = map_response(response, Rules(), environment="production", now_ms=NOW)
    told = {field.path: field.note for field in mapping.fields if field.path in ("type", *_NOTED)}
    expected = {path: "; ".join(map(records.note_text, found)) for path, found in _NOTED.items()}
    assert told == expected


_NOTED = {
    "type": (Note.UNKNOWN_EVENT, Note.BYTE_ORDER_MARK, Note.RECORD_SEPARATOR),
    "properties.questionType": (Note.TYPE_INFERRED, Note.TYPE_NOT_NAMED),
    "properties.visitorId": (Note.ODD_VISITOR,),
}


@pytest.fixture
def settings(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, worded: str) -> config_settings.Settings:
    """A config with a fault of each kind."""
    monkeypatch.setenv("SPRIG_TUI_HOME", str(tmp_path))
    paths = find_paths()
    paths.config_file.parent.mkdir(parents=True, exist_ok=True)
    paths.config_file.write_text(
        """
        [environments.production]
        write_key_env = "NOT_SET"
        endpoint = "http://127.0.0.1:8080/v1/"
        [environments.production.oauth]
        client_id = "2Xapp"
        key_id = "2Xkey"
        private_key_file = "missing.pem"
        [environments.shared.oauth]
        client_id = "2Xapp"
        key_id = "2Xkey"
        private_key_file = "shared.pem"
        [environments.segment]
        write_key = "two words"
        [segment]
        public_api_token = "two words"
        [sprig]
        api_url = "http://127.0.0.1:8080/v1/"
        [journal]
        keep = "12h"
        """
    )
    write_private_key(tmp_path, "shared.pem").chmod(0o644)
    bad = surveys_file(paths, "production")
    bad.parent.mkdir(parents=True, exist_ok=True)
    bad.write_bytes(b"{")
    return load_settings(paths, {})


def test_warnings_keep_their_code_environment_and_hint(settings: config_settings.Settings) -> None:
    assert [(one.code, one.environment, bool(one.hint)) for one in settings.warnings] == [
        ("endpoint_changed", "production", False),
        ("variable_not_set", "production", True),
        ("private_key_unusable", "production", False),
        ("private_key_readable", "shared", False),
        ("secret_unusable", "segment", False),
        ("secret_unusable", "", False),
        ("api_url_changed", "", False),
        ("keep_short", "", False),
        ("catalogue_unusable", "", False),
    ]
    messages = {one.message for one in settings.warnings}
    hints = {check.hint for check in config_checks(settings, {}) if check.message in messages}
    assert hints == {"set that variable where sprig-tui runs", ""}
    found = {name: _check_key(settings, one)["faults"] for name, one in settings.environments.items()}
    assert {name: len(faults) for name, faults in found.items()} == {
        "production": 3,
        "development": 1,
        "shared": 1,
        "segment": 1,
    }


def test_every_warning_code_has_a_scenario() -> None:
    assert {one.value for one in WarningCode} - {"secret_trimmed", "secret_unreadable"} == {
        *("endpoint_changed", "variable_not_set", "secret_unusable", "api_url_changed", "catalogue_unusable"),
        *("private_key_unusable", "private_key_readable", "keep_short"),
    }
    assert set(records.NOTE_TEXTS) == set(Note) == {note for found in _NOTED.values() for note in found}
