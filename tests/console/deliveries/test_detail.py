"""Detail screen: facts, attempts, links to other deliveries, and its commands."""

import pytest

from sprig_tui.console.clipboard import CopyRequested
from sprig_tui.console.deliveries.detail import DetailScreen
from sprig_tui.console.deliveries.detail_view import (
    DetailContent,
    delivery_heading,
    derived_text,
    full_time,
    relation_text,
)
from sprig_tui.console.widgets.dialogs import Confirm, ConfirmName
from sprig_tui.journal.records import Attempt, DeliveryDetail, State

NOW = 1_790_000_000_000


def text_of(view):
    return ["".join(span.text for span in view.line(index)) for index in range(len(view))]


def attempt(**fields):
    default = {
        "started_at": NOW,
        "status": 200,
        "outcome": "delivered",
        "latency_ms": 38.0,
        "events": 1,
        "body_bytes": 812,
    }
    return Attempt(**{**default, **fields})


def test_detail_lines_show_every_fact(delivery):
    detail = DeliveryDetail(
        delivery=delivery(attempts=2),
        raw=b'{"response":4}',
        body=b'{"event":"x","properties":{"response":4}}',
        history=(
            attempt(status=503, outcome="retry", error="http 503", excerpt="busy\x1b[2J"),
            attempt(excerpt='{"success":true}', events=25),
        ),
    )
    view = DetailContent(detail, NOW)
    view.resize(76)
    lines = text_of(view)
    text = "\n".join(lines)
    for part in (
        "state         delivered",
        "repeats       Segment will ignore this message id until tomorrow 13:56",
        "survey        Checkout effort  (5120)",
        "came from     answers.jsonl, line 3",
        "size          812 bytes of 32 KB",
        "attempts  2 ─",
        "503  retry",
        "response busy␛[2J",
        "25 deliveries in 812 bytes",
        "the call, as it is sent but for sentAt ─",
        '"event": "x"',
        "as it came in ─",
        '"response": 4',
    ):
        assert part in text, part
    assert all(len(line) <= 76 for line in lines)


@pytest.mark.parametrize(
    ("fields", "because", "note"),
    [
        (
            {"state": State.FAILED, "error": "invalid_json", "detail": "taken as production"},
            "Segment could not read the request as JSON (invalid_json)",
            "taken as production",
        ),
        ({"state": State.FAILED, "error": "http 599: x"}, "http 599: x", None),
        ({"state": State.WITHHELD, "reason": "invalid", "detail": "userId: no text"}, "invalid: userId: no text", None),
        ({}, None, None),
    ],
)
def test_reason_of_each_state(delivery, fields, because, note):
    lines = text_of(DetailContent(DeliveryDetail(delivery=delivery(**fields), raw=b"", body=b"", history=()), NOW))
    told = {line[:14].strip(): line[14:] for line in lines}
    assert (told.get("because"), told.get("note")) == (because, note)


def test_json_folds_at_the_cursor(delivery):
    detail = DeliveryDetail(delivery=delivery(), raw=b"", body=b'{"event":"x","properties":{"response":4}}', history=())
    view = DetailContent(detail, NOW)
    at = next(index for index, line in enumerate(text_of(view)) if "properties" in line)
    before = len(view)
    assert view.toggle(at)
    assert len(view) < before
    assert not view.toggle(0)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe\x00", b"not json", b"[" * 5_000, b'{"a":' + b'"x' * 200_000, b"x" * 300_000]
)
def test_any_raw_record_can_be_shown(delivery, data):
    view = DetailContent(DeliveryDetail(delivery=delivery(), raw=data, body=data, history=()), NOW)
    view.resize(60)
    assert all(line.isprintable() for line in text_of(view))


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("newer-revision", "a newer revision of"),
        ("possible-duplicate", "another answer under the id of"),
        ("", "sent again as new from"),
    ],
)
def test_relation_texts(delivery, reason, text):
    assert relation_text(delivery(reason=reason)) == text


def test_relation_to_another_endpoint_is_not_sent_as_new(delivery):
    trial, own = delivery(bound_for="http://127.0.0.1:8080"), delivery()
    assert relation_text(own, trial) == "went to another address before, as"
    assert derived_text(own, trial) == "the same for another address"
    assert relation_text(own, own) == "sent again as new from"
    assert derived_text(own, own) == "sent again as new"


def test_heading_and_full_time(delivery):
    assert delivery_heading(delivery(survey_name="[/x]\x1b")) == "delivery 41  [/x]␛  acct_88213  delivered"
    assert full_time(0) == "—"
    assert full_time(NOW) == "2026-09-21 14:13:20.000"


async def test_detail_screen_snapshot(opened, log, mixed, snapshot, until):
    sizes = [(80, 24), (120, 40), (200, 60)]
    async with opened(size=sizes[0]) as pilot:
        await shown(pilot, log, mixed["failed"], until)
        await snapshot(pilot, "delivery-detail", sizes=sizes)


async def shown(pilot, log, delivery_id, until):
    log.lines.go_to(delivery_id)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, DetailScreen) and pilot.app.screen.detail is not None)
    await pilot.pause()
    return pilot.app.screen


async def test_stepping_moves_the_cursor_of_the_log_and_a_click_opens_the_detail(opened, log, mixed, until):
    async with opened() as pilot:
        screen = await shown(pilot, log, mixed["delivered"], until)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: screen.detail.delivery.id == mixed["failed"])
        await pilot.press("left_square_bracket", "escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, DetailScreen))
        assert log.lines.selected == mixed["delivered"]
        # a click selects another row, and one on the selected row opens it
        await pilot.click(log.lines, offset=(5, 1))
        assert not isinstance(pilot.app.screen, DetailScreen)
        await pilot.click(log.lines, offset=(5, 1))
        await until(pilot, lambda: isinstance(pilot.app.screen, DetailScreen))
        assert pilot.app.screen.delivery_id == mixed["failed"]


async def test_replay_from_the_detail_screen_which_is_updated_when_the_delivery_changes(
    opened, log, mixed, settle, heard, until
):
    seen = []
    async with opened(seen=seen) as pilot:
        screen = await shown(pilot, log, mixed["failed"], until)
        await pilot.press("y")
        (copy,) = heard(seen, CopyRequested)
        assert (copy.text, copy.what) == (screen.detail.delivery.message_id, "the message id")
        await pilot.press("r")
        await until(pilot, lambda: screen.detail.delivery.state is State.QUEUED)
        await settle()
        await until(pilot, lambda: screen.detail.delivery.state is State.DELIVERED)


async def test_send_as_new_shows_the_new_delivery_with_its_origin(opened, log, mixed, journal, until):
    log.replays.protected = frozenset()
    async with opened() as pilot:
        screen = await shown(pilot, log, mixed["failed"], until)
        await pilot.press("o")
        assert screen.delivery_id == mixed["failed"]
        await pilot.press("w")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: screen.detail.delivery.origin_id == mixed["failed"])
        await pilot.press("o")
        await until(pilot, lambda: screen.detail.delivery.id == mixed["failed"])


async def test_read_only_detail_cannot_replay(opened, log, mixed, journal, until):
    async with opened(read_only=True) as pilot:
        await shown(pilot, log, mixed["failed"], until)
        await pilot.press("r", "w")
        await pilot.pause(0.05)
        assert not isinstance(pilot.app.screen, (Confirm, ConfirmName))
        assert (await journal.get(mixed["failed"])).delivery.state is State.FAILED


def test_origin_and_derived_deliveries_are_linked(delivery):
    detail = DeliveryDetail(delivery=delivery(origin_id=7), raw=b"", body=b"", history=())
    made = [
        delivery(id=50, origin_id=41, state=State.WITHHELD, reason="newer-revision"),
        delivery(id=51, origin_id=41, state=State.WITHHELD, reason="possible-duplicate"),
        delivery(id=52, origin_id=41),
    ]
    view = DetailContent(detail, NOW, made, more_derived=True)
    view.resize(90)
    lines = text_of(view)
    leads = {view.leads_to(index): line for index, line in enumerate(lines) if view.leads_to(index)}
    assert leads == {
        7: "origin        sent again as new from delivery 7: o shows it",
        50: "made of it    delivery 50, a newer revision, withheld: enter shows it",
        51: "              delivery 51, another answer under its id, withheld: enter shows it",
        52: "              delivery 52, sent again as new, delivered: enter shows it",
    }
    assert "              and more: filter the log by origin:41" in lines
    assert view.derived_lines() == [lines.index(leads[number]) for number in (50, 51, 52)]
    assert view.leads_to(-1) == view.leads_to(len(view) - 1) == 0


async def test_links_are_followed_by_key_enter_and_click(opened, log, mixed, journal, until):
    async with opened() as pilot:
        screen = await shown(pilot, log, mixed["failed"], until)
        await pilot.press("O")
        await pilot.pause()
        assert screen.delivery_id == mixed["failed"]
        (first,) = await journal.requeue([mixed["failed"]], as_new=True)
        await until(pilot, lambda: len(screen.view.derived_lines()) == 1)
        await pilot.press("O")
        await until(pilot, lambda: screen.detail.delivery.id == first.id)
        await pilot.press("o")
        await until(pilot, lambda: screen.detail.delivery.id == mixed["failed"])
        (second,) = await journal.requeue([mixed["failed"]], as_new=True)
        await until(pilot, lambda: len(screen.view.derived_lines()) == 2)
        await pilot.press("O", "O")
        assert screen.lines.cursor == screen.view.derived_lines()[1]
        await pilot.press("enter")
        await until(pilot, lambda: screen.detail.delivery.id == second.id)
        await pilot.press("o")
        await until(pilot, lambda: screen.detail.delivery.id == mixed["failed"])
        row = screen.view.derived_lines()[0]
        await pilot.click(screen.lines, offset=(20, row))
        await pilot.click(screen.lines, offset=(20, row))
        await until(pilot, lambda: screen.detail.delivery.id == first.id)


async def test_long_list_of_derived_deliveries_names_the_filter(opened, log, mixed, journal, until):
    for _ in range(22):
        await journal.requeue([mixed["failed"]], as_new=True)
    async with opened(size=(120, 50)) as pilot:
        screen = await shown(pilot, log, mixed["failed"], until)
        assert len(screen.view.derived_lines()) == 20
        assert f"and more: filter the log by origin:{mixed['failed']}" in "\n".join(text_of(screen.view))
