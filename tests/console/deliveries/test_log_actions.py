"""Replay, withdraw and export from the pane, and their effect on the journal and the disk."""

import asyncio
import json
from array import array
from collections import Counter

from support.clocks import InstantTiming
from textual.widgets import Input

from sprig_tui.console.deliveries import replay
from sprig_tui.console.deliveries.forget import _read_persons, forget_explanation
from sprig_tui.console.deliveries.log import DeliveryLog
from sprig_tui.console.widgets.dialogs import Confirm, ConfirmName, Prompt
from sprig_tui.console.widgets.line_picker import LinePicker
from sprig_tui.delivery import withdraw
from sprig_tui.delivery.forget import FoundContent
from sprig_tui.delivery.retention import RetentionWorker
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import State
from sprig_tui.journal.retention import RetentionPolicy


async def states(journal):
    counts = await journal.counts()
    return {(name, state.value): n for name, by in counts.by_environment.items() for state, n in by.items() if n}


async def state_of(journal, delivery_id):
    return (await journal.get(delivery_id)).delivery.state


async def test_failed_delivery_is_replayed_without_a_question_and_a_delivered_one_with_one(
    opened, log, mixed, journal, heard, screen_text, until
):
    seen = []
    async with opened(seen=seen) as pilot:
        await pilot.press("N")
        await until(pilot, lambda: log.lines.selected == mixed["failed"])
        await pilot.press("r")
        await until(pilot, lambda: heard(seen, DeliveryLog.Queued))
        assert await state_of(journal, mixed["failed"]) is State.QUEUED
        seen.clear()
        await pilot.press("g", "r")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        assert "Segment will ignore this until tomorrow 14:13" in screen_text(pilot.app)
        await pilot.press("enter")
        assert await state_of(journal, mixed["delivered"]) is State.DELIVERED
        await pilot.press("r")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: not isinstance(pilot.app.screen, Confirm))
        await until(pilot, lambda: heard(seen, DeliveryLog.Queued))
        assert await state_of(journal, mixed["delivered"]) is State.QUEUED


async def test_send_as_new_to_a_protected_environment_asks_for_its_name(
    opened, log, mixed, journal, screen_text, until
):
    async with opened() as pilot:
        await pilot.press("g", "j", "w")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmName))
        assert "count twice" in screen_text(pilot.app)
        await pilot.press(*"Production", "enter")
        assert isinstance(pilot.app.screen, ConfirmName), "names are as they are written"
        pilot.app.screen.query_one(Input).value = "production"
        await pilot.press("enter")
        await until(pilot, lambda: log.lines.count == 6)
        new = (await journal.get(6)).delivery
        assert (new.origin_id, new.state) == (mixed["failed"], State.QUEUED)


async def test_marked_deliveries_are_replayed_and_unmarked(opened, log, mixed, journal, screen_text, until):
    log.replays.protected = frozenset()
    async with opened() as pilot:
        await pilot.press("g", "space", "space", "space", "r")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        text = screen_text(pilot.app)
        assert "Replay 2 deliveries?" in text
        assert "production 2" in text
        assert "1 more is left as before" in text
        await pilot.press("y")
        await until(pilot, lambda: not log.lines.marks)
        assert await state_of(journal, mixed["failed"]) is State.QUEUED
        assert await state_of(journal, mixed["anonymous"]) is State.WITHHELD


async def test_replay_of_a_filter_is_a_job_with_pause_and_cancel(
    opened, log, journal, entry, settle, screen_text, until
):
    await journal.add([entry() for _ in range(30)])
    await settle(State.FAILED, status=400)
    async with opened() as pilot:
        log.filter = parse_filter("status:failed", now_ms=0)
        await until(pilot, lambda: log.lines.count == 30)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmName))
        assert "Replay 30 deliveries?" in screen_text(pilot.app)
        assert "everything that matches status:failed" in screen_text(pilot.app)
        await pilot.press(*"production", "enter")
        await until(pilot, lambda: log.job_line.job is not None)
        assert "0 of 30 queued" in screen_text(pilot.app)
        await journal.step_replay(1, 10)
        log.job_line.wake()
        await until(pilot, lambda: "10 of 30 queued" in screen_text(pilot.app))
        await pilot.press("P")
        await until(pilot, lambda: log.job_line.job.state == "paused")
        assert (await journal.step_replay(1, 10)).queued == 10
        await pilot.press("P")
        await until(pilot, lambda: log.job_line.job.state == "running")
        await pilot.press("x")
        await until(pilot, lambda: log.job_line.job is None)
        assert not log.job_line.display
        (job,) = await journal.replays()
        assert (job.state, job.queued) == ("cancelled", 10)
        assert await states(journal) == {("production", "queued"): 10, ("production", "failed"): 20}


async def test_replay_of_a_filter_counts_all_without_content(log, journal, entry, settle, clock, monkeypatch):
    monkeypatch.setattr(replay, "MAX_SCAN_ROWS", 1)
    await journal.add([entry() for _ in range(3)])
    await settle(State.FAILED, status=400)
    clock.advance(86_400)
    policy = RetentionPolicy(content_ms=3_600_000)
    assert await RetentionWorker(journal, policy, timing=InstantTiming()).apply_if_due()
    await journal.add([entry()])
    actions = replay.ReplayActions(log, clock, on_progress=print, on_queued=print)
    request = await actions._count_matching(journal, Query(), as_new=False)
    assert (request.total, request.left, request.dropped) == (0, 4, 3)


async def test_replay_of_a_filter_counts_what_will_be_queued(log, mixed, journal, clock):
    actions = replay.ReplayActions(log, clock, on_progress=print, on_queued=print)
    request = await actions._count_matching(journal, Query(), as_new=False)
    job = await journal.start_replay(Query(), as_new=False)
    done = await journal.step_replay(job.id, 100)
    assert (request.total, request.left) == (done.queued, done.skipped)
    assert request.left


async def test_replay_job_needs_matches_and_the_name_of_a_protected_environment_alone(
    opened, log, mixed, journal, until
):
    async with opened() as pilot:
        await pilot.press("R")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmName))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, ConfirmName))
        assert await journal.replays() == [], "without its name"
        log.filter = parse_filter("user:nobody", now_ms=0)
        await until(pilot, lambda: log.lines.count == 0)
        await pilot.press("R")
        await pilot.pause(0.05)
        assert await journal.replays() == [], "without a match"
        log.filter = parse_filter("env:development", now_ms=0)
        await until(pilot, lambda: log.lines.count == 1)
        await pilot.press("W")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: log.job_line.job is not None)
        assert (await journal.replays())[0].as_new


async def test_read_only_log_refuses_replays_and_forgets_nobody(opened, log, mixed, journal, until):
    async with opened(read_only=True) as pilot:
        before = await states(journal)
        await pilot.press("N")
        for key in ("r", "R", "w", "W", "P"):
            await pilot.press(key)
            await pilot.pause(0.05)
            assert await states(journal) == before, key
            assert await journal.replays() == [], key
            assert not isinstance(pilot.app.screen, (Confirm, ConfirmName)), key
        await pilot.press("g", "D")
        await until(pilot, lambda: log.refusal("forget"))
        assert "read-only" in log.refusal("forget")
        assert not isinstance(pilot.app.screen, Confirm)
        assert await journal.forgotten() == ()


async def test_replay_job_without_an_engine_is_reported(opened, log, mixed, journal, screen_text, until, monkeypatch):
    from sprig_tui.console.deliveries import export

    monkeypatch.setattr(export, "STALLED_AFTER_POLLS", 1)
    async with opened(engine=False) as pilot:
        await journal.start_replay(parse_filter("status:failed", now_ms=0))

        def stalled():
            log.job_line.wake()
            return "no engine is running" in screen_text(pilot.app)

        await until(pilot, stalled)


UNUSABLE_PATHS = {
    "": "type the name",
    "x.xlsx": "cannot tell the format",
    "/nowhere/x.csv": "there is no folder /nowhere",
}


async def test_export_asks_for_a_usable_path_and_before_replacing_a_file(
    opened, log, mixed, tmp_path, screen_text, until
):
    path = tmp_path / "out.jsonl"
    path.write_text("mine")
    async with opened() as pilot:
        log.filter = parse_filter("status:withheld", now_ms=0)
        await until(pilot, lambda: log.lines.count == 1)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, Prompt))
        assert pilot.app.screen.query_one(Input).value == "deliveries-2026-09-21.jsonl"
        for typed, fault in UNUSABLE_PATHS.items():
            pilot.app.screen.query_one(Input).value = typed
            await pilot.press("enter")
            await pilot.pause()
            assert fault in screen_text(pilot.app)
        pilot.app.screen.query_one(Input).value = str(path)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(pilot.app.screen, Confirm))
        assert path.read_text() == "mine"
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, Prompt))
        pilot.app.screen.query_one(Input).value = str(path)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: path.read_text() != "mine")
        (line,) = path.read_text().splitlines()
        assert json.loads(line)["reason"] == "anonymous"


async def test_queued_delivery_is_withdrawn_after_confirmation(opened, log, mixed, journal, screen_text, until):
    async with opened() as pilot:
        await until(pilot, lambda: log.lines.selected == mixed["queued"])
        await pilot.press("b")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        assert "Withdraw this delivery?" in screen_text(pilot.app)
        await pilot.press("enter")
        assert await state_of(journal, mixed["queued"]) is State.QUEUED
        await pilot.press("b")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: not isinstance(pilot.app.screen, Confirm))
        await until(pilot, lambda: "withdrawn" in screen_text(pilot.app))
        assert (await journal.get(mixed["queued"])).delivery.reason == "withdrawn"
        # what is not queued cannot be withdrawn
        await pilot.press("g", "b")
        await until(pilot, lambda: any("none of them is queued" in one.message for one in pilot.app._notifications))
        assert not isinstance(pilot.app.screen, Confirm)


async def test_withdrawal_of_a_filter_counts_first(opened, log, mixed, journal, entry, screen_text, until):
    await journal.add([entry(user_id="acct_4") for _ in range(3)])
    async with opened() as pilot:
        log.filter = parse_filter("user:acct_4", now_ms=0)
        await until(pilot, lambda: log.lines.count == 3)
        await pilot.press("B")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        assert "Withdraw 3 queued deliveries?" in screen_text(pilot.app)
        assert "user:acct_4" in screen_text(pilot.app)
        await pilot.press("y")
        undo = "3 withdrawn\nto undo: filter reason:withdrawn, then R"
        await until(pilot, lambda: any(one.message == undo for one in pilot.app._notifications))
    counts = (await journal.counts()).by_environment["production"]
    assert (counts[State.QUEUED], counts[State.WITHHELD]) == (1, 4)


async def test_withdrawal_goes_on_while_the_log_is_used_until_x_stops_it(
    opened, log, journal, entry, screen_text, until, monkeypatch
):
    monkeypatch.setattr(withdraw, "WITHDRAW_STEP_ROWS", 1)
    await journal.add([entry() for _ in range(4)])
    real, may_go_on = journal.withdraw, asyncio.Event()

    async def wait_after_first(ids):
        if await journal.count(parse_filter("reason:withdrawn", now_ms=0)):
            await may_go_on.wait()
        return await real(ids)

    monkeypatch.setattr(journal, "withdraw", wait_after_first)
    async with opened() as pilot:
        await until(pilot, lambda: log.lines.count == 4)
        await pilot.press("B")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: "withdrawing: 1 of 4  x stops" in screen_text(pilot.app))
        await pilot.press("g")
        await until(pilot, lambda: log.lines.selected == 1)
        await pilot.press("B")
        await until(pilot, lambda: any("is running already" in one.message for one in pilot.app._notifications))
        await pilot.press("r", "x")
        may_go_on.set()
        await until(pilot, lambda: any("stopped: 2 stay queued" in one.message for one in pilot.app._notifications))
        await until(pilot, lambda: "withdrawing" not in screen_text(pilot.app))
    counts = (await journal.counts()).by_environment["production"]
    assert (counts[State.QUEUED], counts[State.WITHHELD]) == (3, 1), "the first one was queued again meanwhile"


async def test_person_of_a_delivery_is_forgotten_after_confirmation(opened, log, mixed, journal, screen_text, until):
    user = (await journal.get(mixed["delivered"])).delivery.user_id
    async with opened() as pilot:
        await until(pilot, lambda: log.lines.selected == mixed["queued"])
        await pilot.press("g", "D")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        assert "Forget the person of this delivery?" in screen_text(pilot.app)
        assert f"user    {user}" in screen_text(pilot.app)
        await pilot.press("enter")
        assert (await journal.get(mixed["delivered"])).delivery.user_id == user
        await pilot.press("D")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: any("forgotten: 1 identifier, " in one.message for one in pilot.app._notifications))
        shown = (await journal.get(mixed["delivered"])).delivery
        assert (shown.state, shown.reason, shown.user_id) == (State.DELIVERED, "forgotten", "")
        await pilot.press("D")
        await until(pilot, lambda: any("name nobody any more" in one.message for one in pilot.app._notifications))


async def test_person_is_forgotten_by_the_user_id_alone_where_there_is_one(journal, entry):
    """Two people share a device and an address: to forget one of them leaves the other's answers alone."""
    shared = {"visitorId": "7f1c4be2-7f0d-4b0e-9a35-2f9b6f0a9c11", "email": "family@example.com"}
    content = [json.dumps({"userId": user, **shared}).encode() for user in ("acct_1", "acct_2", None)]
    users = ("acct_1", "acct_2", "")
    added = await journal.add([entry(raw=raw, user_id=user) for raw, user in zip(content, users, strict=True)])
    by_user = await _read_persons(journal, [added[0].id])
    assert [(one.kind, one.value) for one in by_user.sent_as] == [("user", "acct_1")]
    assert by_user.named == ()
    assert {one.kind for one in by_user.shared} == {"visitor", "email"}
    text = forget_explanation(by_user.sent_as, FoundContent(array("q"), Counter()), by_user.shared)
    assert "which other people may share" in text
    by_device = await _read_persons(journal, [added[2].id])
    assert {one.kind for one in by_device.named} == {"visitor", "email"}, "there is nothing else to forget them by"
    assert (by_device.sent_as, by_device.shared) == ((), ())


async def test_a_record_that_names_two_user_ids_asks_whom_to_forget(opened, log, journal, entry, screen_text, until):
    raw = b'{"userId": "acct_1", "externalUserId": "crm_77", "response": 4}'
    added = await journal.add([entry(raw=raw, user_id="acct_1"), entry(raw=b'{"userId": "crm_77"}', user_id="crm_77")])

    async with opened() as pilot:
        await until(pilot, lambda: log.lines.count == 2)
        for answers, left in ((("escape",), ["acct_1", "crm_77"]), (("enter", "y"), ["", "crm_77"])):
            await pilot.press("g", "D")
            await until(pilot, lambda: isinstance(pilot.app.screen, LinePicker))
            assert "acct_1, the User ID that was sent" in screen_text(pilot.app)
            assert "acct_1 and crm_77, which the record names too" in screen_text(pilot.app)
            await pilot.press(answers[0])
            if answers[1:]:
                await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
                assert "Forget the person of this delivery?" in screen_text(pilot.app)
                assert "not by these" in screen_text(pilot.app)
                await pilot.press(*answers[1:])
                await until(pilot, lambda: any("forgotten: 1" in one.message for one in pilot.app._notifications))
            assert [(await journal.get(one.id)).delivery.user_id for one in added] == left


async def test_both_user_ids_of_a_record_are_forgotten_where_a_person_chooses_so(
    opened, log, journal, entry, screen_text, until
):
    raw = b'{"userId": "acct_1", "externalUserId": "crm_77", "response": 4}'
    added = await journal.add([entry(raw=raw, user_id="acct_1"), entry(raw=b'{"userId": "crm_77"}', user_id="crm_77")])
    async with opened() as pilot:
        await until(pilot, lambda: log.lines.count == 2)
        await pilot.press("g", "D")
        await until(pilot, lambda: isinstance(pilot.app.screen, LinePicker))
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        assert "Forget the person of this delivery, by 2 User IDs?" in screen_text(pilot.app)
        await pilot.press("y")
        await until(pilot, lambda: any("forgotten: 2" in one.message for one in pilot.app._notifications))
    assert [(await journal.get(one.id)).delivery.user_id for one in added] == ["", ""]
