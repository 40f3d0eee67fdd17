"""Test events, hold and resume, refused keys, read-only and --no-engine, over a real socket."""

from __future__ import annotations

from textual.widgets import Input

from sprig_tui.console.widgets.dialogs import Confirm, Prompt
from sprig_tui.delivery.hold import hold_lane
from sprig_tui.ingest.test_event import EVENT_NAME, make_test_event
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import State

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
OTHER = "Bb7UanotherMadeUpKeyOfThirty2c9Q"


async def test_test_event_is_sent_with_advice_where_to_look(console, sink, screen_text):
    console.keys(development=KEY, endpoint=sink.url)
    async with console.running() as pilot:
        await console.press("1", "j", "t")
        await console.until(lambda: "Segment answered 200" in screen_text(pilot.app))
        assert "Look for 'sprig-tui test event'" in screen_text(pilot.app)
        await console.press("escape")
        (delivery,) = (await pilot.app.session.journal.page(Query())).deliveries
        assert (delivery.state, delivery.source, delivery.survey_name) == (State.DELIVERED, "test event", EVENT_NAME)
        assert delivery.message_id in [event["messageId"] for event in sink.events]


async def test_test_event_to_a_protected_environment_asks_first(console, sink, screen_text):
    console.keys(production=KEY, endpoint=sink.url)
    async with console.running() as pilot:
        await console.press("t")
        assert "Send a test event to production?" in screen_text(pilot.app)
        await console.press("enter")
        assert (await pilot.app.session.journal.page(Query())).deliveries == ()


async def test_a_held_queue_is_looked_at_and_part_of_it_taken_back_before_the_rest_goes(console, sink, screen_text):
    console.keys(development=KEY, endpoint=sink.url)
    async with console.running(size=(160, 40)) as pilot:
        await console.press("1", "j", "p")
        await console.until(lambda: isinstance(pilot.app.screen, Prompt))
        await console.press(*"look", "enter")
        await console.until(lambda: "held, nothing waits" in screen_text(pilot.app))
        lane = (await pilot.app.session.journal.lanes())["development"]
        assert (lane.is_held, lane.detail.text, "@" in lane.detail.by) == (True, "look", True)
        await console.press("t")
        await console.until(lambda: "development is held by " in screen_text(pilot.app))
        await console.press("escape", "t")
        await console.until(lambda: "development is held by " in screen_text(pilot.app))
        await console.press("escape", "w")
        log = pilot.app.screen.deliveries
        await console.until(lambda: log.filter.text == "is:held env:development" and log.lines.count == 2)
        await console.until(lambda: [row.held for row in [log.lines.selected_row] if row] == [True])
        await console.press("b")
        await console.until(lambda: isinstance(pilot.app.screen, Confirm))
        await console.press("y")
        await console.until(lambda: log.lines.count == 1)
        assert not sink.stats.requests
        await console.press("1", "p")
        await console.until(lambda: isinstance(pilot.app.screen, Confirm))
        assert "Send what is held for development?" in screen_text(pilot.app)
        assert "1 held, the oldest for " in screen_text(pilot.app)
        await console.press("enter")
        assert (await pilot.app.session.journal.lanes())["development"].is_held, "no is the default"
        await console.press("p")
        await console.until(lambda: isinstance(pilot.app.screen, Confirm))
        await console.press("y")
        await console.until(lambda: "last answer 200" in screen_text(pilot.app))
        await console.until(lambda: log.lines.count == 0)
        assert sink.stats.accepted == 1


async def test_console_without_an_engine_queues_and_leaves_alone_a_hold_that_somebody_made_meanwhile(
    console, sink, screen_text
):
    console.keys(development=KEY, endpoint=sink.url)
    async with console.running(engine=False) as pilot:
        journal = pilot.app.session.journal
        await console.press("1", "j", "t")
        await console.until(lambda: "Queued" in screen_text(pilot.app))
        await console.press("escape")
        await console.until(lambda: "queued, not delivered" in screen_text(pilot.app))

        await console.press("1", "p")
        await console.until(lambda: isinstance(pilot.app.screen, Prompt))
        await hold_lane(journal, "development", "legal asks", by="anna@desk")
        await console.press(*"mine", "enter")
        await console.until(lambda: "development is held by anna@desk" in " ".join(console.notices()))
        assert (await journal.lanes())["development"].detail.text == "legal asks"
        await journal.add([make_test_event("development", 1)])
        await console.until(lambda: "2 held" in screen_text(pilot.app))
        await console.press("p")
        await console.until(lambda: isinstance(pilot.app.screen, Confirm))
        await hold_lane(journal, "development", "stop", by="berta@desk")
        await console.press("y")
        await console.until(lambda: "development is held by berta@desk" in " ".join(console.notices()))
        assert (await journal.lanes())["development"].is_held
    assert sink.stats.requests == 0


async def test_rejected_key_is_reported_and_a_new_key_resumes(console, sink, screen_text):
    console.keys(development=KEY, endpoint=sink.url)
    sink.set_faults(["401@1"])
    async with console.running() as pilot:
        await console.press("1", "j", "t")
        await console.until(lambda: "is paused: write key" in screen_text(pilot.app))
        await console.press("escape")
        await console.until(lambda: "Segment rejects" in screen_text(pilot.app))
        await console.press("a")
        pilot.app.screen.query_one(Input).value = OTHER
        await console.press("enter")
        await console.until(lambda: "last answer 200" in screen_text(pilot.app))


async def test_read_only_console_sends_and_saves_nothing(console, sink, screen_text):
    console.keys(development=KEY, endpoint=sink.url)
    async with console.running(read_only=True) as pilot:
        assert pilot.app.session.engine is None
        for key in ("1", "j", "t", "a", "e", "p", "n", "x", "X"):
            await console.press(key)
        said = console.notices()
        assert len([text for text in said if "read-only" in text]) >= 6
        assert len(pilot.app.screen_stack) == 1
        assert (await pilot.app.session.journal.page(Query())).deliveries == ()
    assert sink.stats.requests == 0


async def test_two_consoles_share_one_journal(console, sink, screen_text):
    console.keys(development=KEY, endpoint=sink.url)
    async with console.running(engine=False) as watching:
        async with console.running() as delivering:
            await console.press("1", "j", "t", pilot=watching)
            await console.until(lambda: "last answer 200" in screen_text(delivering.app))
        await console.until(lambda: "Segment answered 200" in screen_text(watching.app))
