"""Pulls from the fake Sprig API: pages, windows, high-water marks, and resuming after an interruption."""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
from typing import Any

import pytest
from support import sprig_samples
from support.fake_sprig_api import FakeSprigApi
from support.sprig_samples import response

from sprig_tui.config.environment import Environment
from sprig_tui.config.settings import load_settings
from sprig_tui.config.surveys import read_surveys_file, surveys_file
from sprig_tui.errors import ConfigError, SprigApiError, SprigApiPageError
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.mapping.records import Survey
from sprig_tui.pull.checkpoint import CheckpointStore, fingerprint
from sprig_tui.pull.fetcher import PageFetcher
from sprig_tui.pull.pull import Puller
from sprig_tui.pull.request import PullRequest
from sprig_tui.sprig.records import StudyResponse, Unsendable

from .conftest import Trial

START = 1_772_355_600_000
HOUR = 3_600_000


async def test_pull_reads_every_page_with_snapshots(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n) for n in range(2_345))
    state = await trial.pull()
    assert state.finished
    assert state.pages == 3
    assert set(trial.groups) == {response(n)["responseGroupUid"] for n in range(2_345)}
    assert len(trial.groups) == 2_347, "the last millisecond of a page comes again with the next"
    first = trial.answers[0]
    assert (first.origin.name, first.origin.format, first.origin.path) == ("api", "rest", "data[0]")
    assert first.email == "acct_0@example.com"
    assert bytes(first.attributes) == b'{"plan":"team"}'
    asked = sprig_api.asked()
    assert asked[0].query == {"limit": "1000", "with_snapshots": "true"}
    assert base64.b64decode(asked[1].query["cursor"]).startswith(b"createdAt:")
    assert {one.headers["authorization"] for one in asked} == {"Bearer spk_lookalike_production_0001"}


async def test_next_pull_starts_an_hour_before_the_mark(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n, START + n * HOUR) for n in range(48))
    state = await trial.pull()
    assert state.mark == START + 47 * HOUR
    trial.stored.clear()
    sprig_api.product.responses.append(response(48, START + 48 * HOUR))
    state = await trial.pull()
    assert state.window.since == START + 46 * HOUR
    assert trial.groups == [response(n)["responseGroupUid"] for n in (46, 47, 48)]
    assert state.mark == START + 48 * HOUR


async def test_records_of_one_millisecond_are_all_read(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n, START + n // 700) for n in range(3_000))
    await trial.pull()
    assert len(set(trial.groups)) == 3_000


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_records_tied_at_a_page_edge_are_read_with_exclusive_cursors(
    trial: Trial, sprig_api: FakeSprigApi, order: str
) -> None:
    sprig_api.ties, sprig_api.order = "skip", order
    sprig_api.hold(response(n, START + n // 7) for n in range(4_000))
    state = await trial.pull()
    assert len(set(trial.groups)) == 4_000
    assert state.mark == START + 3_999 // 7
    extra = [one for one in sprig_api.asked() if "end" in one.query]
    assert len(extra) == 3
    assert all(int(one.query["end"]) == int(one.query["start"]) + 1 for one in extra)


async def test_page_edge_survives_an_interruption(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.ties = "skip"
    sprig_api.hold(response(n, START + n // 7) for n in range(2_500))
    trial.fail_after = 1
    with pytest.raises(OSError, match="full"):
        await trial.pull()
    assert (await trial.pull()).resumed
    assert len(set(trial.groups)) == 2_500


async def test_records_newest_first_are_read(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.order = "desc"
    sprig_api.hold(response(n) for n in range(2_500))
    state = await trial.pull()
    assert len(set(trial.groups)) == 2_500
    assert state.mark == START + 2_499_000


async def test_interrupted_pull_resumes_at_its_page(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n) for n in range(5_500))
    trial.fail_after = 2
    with pytest.raises(OSError, match="full"):
        await trial.pull()
    assert len(trial.stored) == 2_000
    asked = len(sprig_api.asked())
    state = await trial.pull()
    assert state.resumed
    assert state.pages == 6
    assert sprig_api.asked()[asked].query["cursor"] == sprig_api.asked()[2].query["cursor"]
    assert len(sprig_api.asked()) - asked == 4
    assert len(set(trial.groups)) == 5_500
    assert not (await trial.pull()).resumed


async def test_mark_moves_only_after_the_whole_window(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.order = "desc"
    sprig_api.hold(response(n) for n in range(2_500))
    trial.fail_after = 1
    with pytest.raises(OSError, match="full"):
        await trial.pull()
    assert (await trial.pull(restart=True)).window.since is None


async def test_resume_point_survives_another_request(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n) for n in range(3_500))
    trial.fail_after = 1
    with pytest.raises(OSError, match="full"):
        await trial.pull()
    other = await trial.pull(survey=5121)
    assert not other.resumed
    assert {record.survey_id for record in trial.answers[1_000:]} == {5121}
    assert (await trial.pull()).resumed


async def test_old_resume_point_is_ignored(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n) for n in range(2_500))
    trial.fail_after = 1
    with pytest.raises(OSError, match="full"):
        await trial.pull()
    trial.clock.ms += 8 * 24 * HOUR
    assert not (await trial.pull()).resumed


async def test_rejected_cursor_restarts_the_window_once(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n) for n in range(2_500))
    trial.fail_after = 1
    with pytest.raises(OSError, match="full"):
        await trial.pull()
    sprig_api.trouble(status=400, body=b'{"error":"invalid cursor"}', where=lambda asked: "cursor" in asked.query)
    state = await trial.pull()
    assert state.finished
    assert "no longer accepts" in state.warnings[0]
    assert len(set(trial.groups)) == 2_500


async def test_since_and_until_move_the_mark_only_without_a_gap(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n, START + n * HOUR) for n in range(100))
    state = await trial.pull(since=START + 10 * HOUR, until=START + 19 * HOUR, words="a")
    assert sprig_api.asked()[-1].query["start"] == str(START + 10 * HOUR)
    assert sprig_api.asked()[-1].query["end"] == str(START + 19 * HOUR)
    assert len(trial.groups) == 10
    assert state.mark == START + 19 * HOUR, "the first one"
    assert (await trial.pull(since=START + 50 * HOUR, words="b")).mark == START + 19 * HOUR, "it would leave a gap"
    assert (await trial.pull(since=START + 19 * HOUR, words="c")).mark == START + 99 * HOUR
    assert (await trial.pull(until=START + 5 * HOUR, words="d")).warnings
    assert (await trial.pull(since=START, until=START + 5 * HOUR, words="e")).mark == START + 99 * HOUR


async def test_pull_of_one_survey_has_its_own_mark(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n, START + n * HOUR) for n in range(30))
    state = await trial.pull(survey=5121)
    assert state.mark == START + 28 * HOUR
    assert {record.survey_id for record in trial.answers} == {5121}
    assert (await trial.pull()).window.since is None, "the others were not read"
    assert (await trial.pull(survey=5121)).window.since == START + 28 * HOUR


async def test_future_record_does_not_move_the_mark(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold([response(1), response(2, START + 5_000 * 24 * HOUR)])
    assert (await trial.pull()).mark == trial.clock.ms


async def test_deleted_answers_are_read_on_request(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold([response(1), response(2, deletedAt="2026-03-02T09:00:00.000Z")])
    await trial.pull()
    assert len(trial.stored) == 1
    await trial.pull(deleted=True)
    assert [record.deleted_at for record in trial.answers[1:]] == [None, "2026-03-02T09:00:00.000Z"]


async def test_pull_without_snapshots_does_not_request_them(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold([response(1)])
    await trial.pull(snapshots=False)
    assert "with_snapshots" not in sprig_api.asked()[0].query
    assert trial.answers[0].email is None


async def test_save_state_off_writes_nothing(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n) for n in range(1_500))
    await trial.pull(keep=False)
    assert {file.name for file in trial.paths.state_dir.rglob("*")} == {"journal.db", "pull", ".production.json.lock"}
    async with SQLiteJournal(trial.paths.state_dir / "journal.db") as journal:
        assert await journal.positions("pull") == {}


# -- surveys ----------------------------------------------------------------------------------------------------------


async def test_surveys_are_stored_as_catalogue(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold([], [sprig_samples.survey(n, f"Study {n}") for n in range(2_100)])
    state = await trial.pull()
    assert state.surveys == 2_100
    assert len(sprig_api.asked("/v1/surveys")) == 3
    found = load_settings(trial.paths, {}).rules.surveys["7"]
    assert found == Survey(name="Study 7", created_at=sprig_samples.survey(7)["createdAt"])


async def test_unlisted_survey_stays_in_the_catalogue(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold([], [sprig_samples.survey(1), sprig_samples.survey(2)])
    await trial.pull()
    sprig_api.hold([], [sprig_samples.survey(2, "Renamed")])
    await trial.pull()
    surveys = read_surveys_file(surveys_file(trial.paths, "production")).surveys
    assert (surveys["1"].name, surveys["2"].name) == ("Study 1", "Renamed")


@pytest.mark.parametrize(
    ("trouble", "warning"),
    [
        ({"status": 404}, "answers 404"),
        ({"body": b"<html>", "times": 3}, "HTML"),
        ({"body": b'{"data": [{"id": 1}, {"name": "no id"}, 7]}'}, "2 entries"),
        ({"body": b'{"data": [], "cursor": 5}', "times": 3}, "cursor: expected text"),
    ],
)
async def test_invalid_survey_list_is_a_warning(
    trial: Trial, sprig_api: FakeSprigApi, trouble: dict[str, Any], warning: str
) -> None:
    sprig_api.hold([response(1)])
    sprig_api.trouble(**trouble, where=lambda asked: asked.path == "/v1/surveys")
    state = await trial.pull()
    assert warning in state.warnings[0]
    assert len(trial.answers) == 1


async def test_new_key_of_the_same_product_resumes(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n) for n in range(10))
    await trial.pull()
    sprig_api.products["spk_rotated_00000001"] = sprig_api.product
    trial.with_key("spk_rotated_00000001")
    state = await trial.pull()
    assert state.window.since is not None
    assert state.warnings == ()


async def test_key_of_another_product_starts_over(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n) for n in range(10))
    await trial.pull()
    other = type(sprig_api.product)([sprig_samples.survey(9_000)], [response(5, START - HOUR, surveyId=9_000)])
    sprig_api.products["spk_another_product_01"] = other
    trial.with_key("spk_another_product_01")
    trial.stored.clear()
    state = await trial.pull()
    assert "another product" in state.warnings[0]
    assert len(trial.answers) == 1
    assert list(read_surveys_file(surveys_file(trial.paths, "production")).surveys) == ["9000"]


async def test_checkpoint_is_per_api_address(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n) for n in range(10))
    await trial.pull()
    trial.url = trial.url.replace("127.0.0.1", "localhost")
    assert (await trial.pull()).window.since is None


async def test_checkpoint_is_per_journal(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n) for n in range(10))
    await trial.pull()
    trial.journal = "other.db"
    assert (await trial.pull()).window.since is None
    trial.journal = "journal.db"
    assert (await trial.pull()).window.since is not None


async def test_new_journal_at_the_same_path_is_filled_from_the_beginning(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n) for n in range(10))
    await trial.pull()
    (trial.paths.state_dir / "journal.db").rename(trial.paths.state_dir / "moved-away.db")
    assert (await trial.pull()).window.since is None
    assert len(trial.stored) == 20


async def test_restored_journal_resumes_at_its_own_checkpoint(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n) for n in range(10))
    file = trial.paths.state_dir / "journal.db"
    before = (await trial.pull()).mark
    backup = file.read_bytes()
    sprig_api.hold(response(n) for n in range(3000, 3010))
    assert (await trial.pull()).mark > before
    file.write_bytes(backup)
    trial.stored.clear()
    await trial.pull()
    assert len({one.response_group_id for one in trial.answers}) >= 10


def older(trial: Trial, places: dict[str, Any]) -> Any:
    """A journal and a position as they were left by a version that kept positions in a file."""
    file = trial.paths.state_dir / "pull" / "production.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"version": 1, "places": places}))
    return file


async def test_legacy_checkpoint_file_moves_into_its_journal(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n) for n in range(10))
    place = {"key": fingerprint(trial.environment.sprig_api_key.reveal()), "marks": {"": START}}
    file = older(trial, {f"{trial.url} {fingerprint('journal.db')}": place})
    assert (await trial.pull()).window.since is None, "a journal that was made since"
    (trial.paths.state_dir / "journal.db").unlink()
    async with SQLiteJournal(trial.paths.state_dir / "journal.db"):
        pass
    with contextlib.closing(sqlite3.connect(trial.paths.state_dir / "journal.db")) as connection:
        connection.execute("UPDATE identity SET since = 2")
        connection.commit()
    assert (await trial.pull()).window.since is not None
    file.unlink()
    assert (await trial.pull()).window.since is not None, "it stands in the journal by now"


# -- trouble ----------------------------------------------------------------------------------------------------------


async def test_rejected_key_fails_immediately(trial: Trial, sprig_api: FakeSprigApi) -> None:
    trial.with_key("spk_wrong_0000000001")
    with pytest.raises(SprigApiError) as raised:
        await trial.pull()
    assert raised.value.status == 403
    assert "key refused" in raised.value.message
    assert "spk_wrong" not in raised.value.message + raised.value.hint
    assert len(sprig_api.requests) == 1


async def test_404_list_is_empty_with_a_warning(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold([response(1)])
    sprig_api.trouble(status=404, where=lambda asked: asked.path == "/v1/responses")
    state = await trial.pull()
    assert state.finished
    assert state.records == 0
    assert state.warnings == ("Sprig answers 404, taken as no responses",)
    assert state.mark == 0
    assert (await trial.pull()).records == 1


async def test_404_in_the_middle_raises(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n) for n in range(1_500))
    sprig_api.trouble(status=404, where=lambda asked: "cursor" in asked.query)
    with pytest.raises(SprigApiPageError):
        await trial.pull()
    assert (await trial.pull()).resumed
    assert len(set(trial.groups)) == 1_500


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"<!doctype html><title>Sign in</title>", "HTML"),
        (b"", "ends too early"),
        (b"[]", "expected an object, got a list"),
        (b'"text"', "expected an object, got text"),
        (b'{"cursor": null}', "no data"),
        (b'{"cursor": null, "data": {}}', "data: expected a list, got an object"),
        (b'{"cursor": null, "data": null}', "data: expected a list, got null"),
        (b'{"cursor": {}, "data": []}', "cursor: expected text or null, got an object"),
        (b'{"cursor": "' + b"x" * 5_000 + b'", "data": []}', "cursor: 5,000 characters"),
        (b'{"data": [' + b"[" * 50_000 + b"]" * 50_000 + b"]}", "nested deeper"),
        (b"\xff\xfe{}", "not valid UTF-8"),
    ],
)
async def test_invalid_page_is_withheld_and_requested_again(
    trial: Trial, sprig_api: FakeSprigApi, body: bytes, detail: str
) -> None:
    sprig_api.hold([response(1)])
    sprig_api.trouble(body=body, times=3, where=lambda asked: asked.path == "/v1/responses")
    with pytest.raises(SprigApiPageError) as raised:
        await trial.pull()
    assert detail in raised.value.message
    (bad,) = trial.stored
    assert isinstance(bad, Unsendable)
    assert bad.reason == "invalid"
    assert detail in bad.detail
    trial.stored.clear()
    assert (await trial.pull()).finished, "the next one reads it"
    assert len(trial.answers) == 1


async def test_invalid_page_is_retried(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold([response(1)])
    sprig_api.trouble(body=b"<html>", times=2, where=lambda asked: asked.path == "/v1/responses")
    state = await trial.pull()
    assert len(trial.stored) == 1
    assert state.finished
    assert any("HTML" in one.waiting for one in trial.states)
    assert state.waiting == ""


async def test_whole_answers_of_a_truncated_page_are_stored(trial: Trial, sprig_api: FakeSprigApi) -> None:
    whole = json.dumps({"cursor": None, "data": [response(n) for n in range(5)]}).encode()
    sprig_api.trouble(body=whole[: whole.index(b"acct_3")], times=3, where=lambda asked: asked.path == "/v1/responses")
    with pytest.raises(SprigApiPageError):
        await trial.pull()
    assert trial.groups == [response(n)["responseGroupUid"] for n in range(3)]
    assert isinstance(trial.stored[-1], Unsendable)


async def test_invalid_records_of_a_page_are_withheld_with_their_path(trial: Trial, sprig_api: FakeSprigApi) -> None:
    no_answer = response(2)
    del no_answer["response"]
    records = [response(1), no_answer, 7, response(3, responseGroupUid=""), response(4, questionType=5), response(5)]
    body = json.dumps({"data": records, "cursor": None}).encode()
    sprig_api.trouble(body=body, where=lambda asked: asked.path == "/v1/responses")
    state = await trial.pull()
    assert state.finished
    assert [type(record) for record in trial.stored] == [StudyResponse, *[Unsendable] * 4, StudyResponse]
    assert [record.path or record.origin.path for record in trial.stored[1:5]] == [
        "data[1].response",
        "data[2]",
        "data[3].responseGroupUid",
        "data[4].questionType",
    ]


@pytest.mark.parametrize("cursor", ["", None])
async def test_empty_cursor_ends_the_pull(trial: Trial, sprig_api: FakeSprigApi, cursor: str | None) -> None:
    page = {"data": [response(1)], **({} if cursor is None else {"cursor": cursor})}
    sprig_api.trouble(body=json.dumps(page).encode(), where=lambda asked: asked.path == "/v1/responses")
    assert (await trial.pull()).pages == 1


async def test_repeated_cursor_raises(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n, START) for n in range(1_500))
    with pytest.raises(SprigApiPageError, match="leads back"):
        await trial.pull()


async def test_number_of_empty_pages_is_limited(
    trial: Trial, sprig_api: FakeSprigApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sprig_tui.pull.pull.MAX_EMPTY_PAGES", 5)
    for number in range(9):
        page = json.dumps({"data": [], "cursor": f"c{number}"}).encode()
        sprig_api.trouble(body=page, where=lambda asked: asked.path == "/v1/responses")
    with pytest.raises(SprigApiPageError, match="5 pages in a row are empty"):
        await trial.pull()


async def test_too_large_page_is_requested_in_halves(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n) for n in range(1_000))
    trial.max_body = 200_000
    state = await trial.pull()
    limits = [int(one.query["limit"]) for one in sprig_api.asked()]
    assert limits[:2] == [1_000, 500]
    assert state.finished
    assert len(set(trial.groups)) == 1_000


async def test_too_large_record_raises(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold([response(1, response="x" * 500_000)])
    trial.max_body = 200_000
    with pytest.raises(SprigApiPageError, match="too large"):
        await trial.pull()


# -- the state folder -------------------------------------------------------------------------------------------------


async def test_checkpoint_holds_no_key(trial: Trial, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold([response(1)])
    await trial.pull()
    async with SQLiteJournal(trial.paths.state_dir / "journal.db") as journal:
        (kept,) = (await journal.positions("pull")).values()
    assert b"spk_" not in kept


@pytest.mark.parametrize("content", [b"", b"{", b'{"place": 5}', b'{"version": 2}', b"\xff"])
async def test_invalid_checkpoint_raises(trial: Trial, sprig_api: FakeSprigApi, content: bytes) -> None:
    sprig_api.hold([response(1)])
    async with SQLiteJournal(trial.paths.state_dir / "journal.db") as journal:
        await journal.save_positions("pull", {f"production {trial.url}": content})
    with pytest.raises(ConfigError, match="the pull position in the journal"):
        await trial.pull()
    assert sprig_api.requests == []


@pytest.mark.parametrize("content", [b"", b"{", b'{"places": 5}', b'{"version": 2}', b"\xff"])
async def test_invalid_legacy_checkpoint_raises(trial: Trial, sprig_api: FakeSprigApi, content: bytes) -> None:
    sprig_api.hold([response(1)])
    file = older(trial, {})
    file.write_bytes(content)
    async with SQLiteJournal(trial.paths.state_dir / "journal.db"):
        pass
    with contextlib.closing(sqlite3.connect(trial.paths.state_dir / "journal.db")) as connection:
        connection.execute("UPDATE identity SET since = 2")
        connection.commit()
    with pytest.raises(ConfigError) as raised:
        await trial.pull()
    assert str(file) in raised.value.message
    assert file.read_bytes() == content
    assert sprig_api.requests == []


async def test_second_pull_of_an_environment_is_locked_out(trial: Trial, sprig_api: FakeSprigApi) -> None:
    with CheckpointStore(trial.paths, "production", trial.url, None).lock():
        with pytest.raises(ConfigError, match="another pull for production is running"):
            await trial.pull()
        with CheckpointStore(trial.paths, "development", trial.url, None).lock():
            pass


async def test_environment_without_api_key_raises_with_a_hint(trial: Trial) -> None:
    with pytest.raises(ConfigError) as raised:
        Puller(
            Environment(name="production"),
            CheckpointStore(trial.paths, "production", "", None),
            PullRequest(),
            PageFetcher(None),
        )  # type: ignore[arg-type]  # it asks nothing
    assert raised.value.hint == "set one with sprig-tui keys sprig production"
