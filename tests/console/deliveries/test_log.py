"""Deliveries pane in use: filter, following, marks, failed deliveries, errors, snapshots."""

from textual.events import Paste

from sprig_tui.console.clipboard import CopyRequested
from sprig_tui.console.deliveries import log_updater
from sprig_tui.console.deliveries import search as search_module
from sprig_tui.console.deliveries.log import DeliveryLog
from sprig_tui.errors import JournalError
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.records import State


def notices(pilot):
    return [one.message for one in pilot.app._notifications]


def rows(log):
    return [log.lines.render_line(y).text for y in range(log.lines.count)]


async def test_snapshots_of_the_log_and_of_an_error_in_its_filter(opened, log, mixed, snapshot):
    sizes = [(80, 24), (120, 40), (200, 60)]
    async with opened(size=sizes[0]) as pilot:
        await snapshot(pilot, "deliveries", sizes=sizes)
        # and with an error in the filter; at 80 columns once more, after the wide ones
        sizes = [(80, 24), (120, 40), (200, 60), (80, 24)]
        await pilot.resize_terminal(*sizes[0])
        await pilot.press("slash", *"status:fialed", "enter")
        await snapshot(pilot, "deliveries-wrong-filter", sizes=sizes)


async def test_empty_log_shows_hints(opened, log, screen_text):
    async with opened() as pilot:
        assert "no deliveries yet" in screen_text(pilot.app)
        assert log.lines.following
        for key in ("j", "enter", "space", "n", "r", "w", "y", "g", "G"):
            await pilot.press(key)


async def test_log_before_the_journal_is_open(host, log, screen_text):
    async with host(log).run_test(size=(80, 24)) as pilot:
        log.focus()
        await pilot.pause()
        assert "opening the journal" in screen_text(pilot.app)
        for key in ("r", "R", "e", "enter", "x", "P"):
            await pilot.press(key)


async def test_filter_narrows_the_log_and_escape_clears_it(opened, log, mixed, heard, screen_text, until):
    seen = []
    async with opened(seen=seen) as pilot:
        await pilot.press("slash", *"status:failed", "enter")
        await until(pilot, lambda: log.lines.count == 1)
        assert log.lines.has_focus
        assert "invalid_request" in rows(log)[0]
        assert log.lines.selected == mixed["failed"]
        await pilot.press("escape")
        await until(pilot, lambda: log.lines.count == 5)
        changed = [message.query.text for message in heard(seen, DeliveryLog.FilterChanged)]
        assert changed[-2:] == ["status:failed", ""]

        # a wrong one shows its position, and the rows stay
        await pilot.press("slash", *"survey:x statsu:failed", "enter")
        await pilot.pause()
        text = screen_text(pilot.app)
        line = next(line for line in text.splitlines() if "there is no field" in line)
        typed = next(line for line in text.splitlines() if "statsu" in line and "/" in line)
        assert line.index("^") == typed.index("statsu")
        assert log.bar.display
        await pilot.press("escape")
        assert not log.bar.display
        assert log.lines.count == 5

        # the rest of a word is offered, and what was asked for before
        await pilot.press("slash", *"status:f")
        await until(pilot, lambda: log.bar.input._suggestion)
        await pilot.press("tab", "enter")
        await until(pilot, lambda: log.filter.text == "status:failed")
        await pilot.press("slash", "ctrl+u", "up")
        assert log.bar.input.value == "status:failed"


async def test_rows_follow_what_is_typed(opened, log, mixed, until):
    async with opened() as pilot:
        log.saved_filters = {"bad": "status:failed OR reason:anonymous"}
        await pilot.press("g", "j")
        log.mark_shown(log.lines.selected)
        await pilot.press("slash")
        log.bar.input.value = "status:failed O"
        log.bar.input.action_end()
        await until(pilot, lambda: log.lines.count == 1)
        await pilot.press("R")
        assert log.filter.text == "status:failed", "a filter that is not finished changes nothing"
        assert not log.is_selected_stale, "no key waits for it"
        await pilot.press("up", "down")
        assert log.bar.input.value == "status:failed OR", "the history gives back what was typed"
        await pilot.press("escape")
        await until(pilot, lambda: log.lines.count == 5)
        assert not log.filter.terms
        assert (log.lines.cursor, log.following) == (1, False), "and the log is where it was"
        await pilot.press("slash", *"@bad", "enter")
        await until(pilot, lambda: log.lines.count == 2)
        await pilot.press("slash", "ctrl+u")
        await until(pilot, lambda: log.lines.count == 5)
        await pilot.press("@", "x", "enter")
        assert log.bar.display
        assert log.filter.text == "@bad", "after a mistake the rows are those from before"
        log.use_filter("@lost")
        assert log.filter.text == "@bad", "an unknown one is reported"
        await pilot.press("ctrl+u")
        log.bar.input.post_message(Paste("status:failed\nOR reason:anonymous\n"))
        await until(pilot, lambda: log.bar.input.value == "status:failed OR reason:anonymous")
        await pilot.press("escape")
        log.saved_filters = {"bad": "status:failed"}
        await until(pilot, lambda: log.lines.count == 1)
        log.saved_filters = {}
        await until(pilot, lambda: "there is no saved filter @bad" in notices(pilot)[-1])
        assert log.lines.count == 1, "the rows are those that the filter meant before"


async def test_the_title_tells_when_a_search_is_complete(opened, log, journal, entry, monkeypatch, until):
    monkeypatch.setattr(search_module, "INITIAL_ROWS", 5)
    monkeypatch.setattr(search_module, "CHUNK_ROWS", 5)
    monkeypatch.setattr(log_updater, "UPDATE_INTERVAL_S", 0.0)
    await journal.add([entry() for _ in range(30)])
    async with opened() as pilot:
        log.filter = parse_filter("env:production", now_ms=0)
        await until(pilot, lambda: "30 of 30" in str(log.border_title))


async def test_only_the_last_of_many_filters_is_searched(opened, log, mixed, until, monkeypatch):
    async with opened() as pilot:
        started = []

        class CountedSearch(search_module.DeliverySearch):
            async def start(self):
                started.append(self.query.text)
                await super().start()

        monkeypatch.setattr(log_updater, "DeliverySearch", CountedSearch)
        for text in ("a", "a b", "a b c", "status:failed"):
            log.filter = parse_filter(text, now_ms=0)
        await until(pilot, lambda: log.lines.count == 1)
        assert started == ["status:failed"]


async def test_moving_and_scrolling_away_stop_following_and_new_rows_are_counted(opened, log, journal, entry, until):
    await journal.add([entry() for _ in range(60)])
    async with opened(size=(120, 20)) as pilot:
        assert log.lines.selected == 60
        await journal.add([entry()])
        log.wake()
        await until(pilot, lambda: log.lines.selected == 61)
        assert log.lines.is_visible.stop == 61
        await pilot.press("k")
        first = log.lines.is_visible.start
        await journal.add([entry() for _ in range(3)])
        log.wake()
        await until(pilot, lambda: "+3 new" in str(log.border_title))
        assert log.lines.selected == 60
        assert log.lines.is_visible.start == first
        await pilot.press("f")
        await until(pilot, lambda: "following" in str(log.border_title))
        assert log.lines.selected == 64

        log.lines.scroll_up(animate=False)
        assert not log.following
        log.lines.scroll_end(animate=False, immediate=True)
        await until(pilot, lambda: log.following)


async def test_keys_go_to_the_oldest_and_newest(opened, log, journal, entry, monkeypatch, until):
    await journal.add([entry() for _ in range(100)])
    async with opened() as pilot:
        await pilot.press("g")
        assert log.lines.selected == 1
        assert not log.following
        await pilot.press("G")
        assert log.lines.selected == 100
        assert log.following

        # the oldest stays selected while a search runs
        monkeypatch.setattr(search_module, "INITIAL_ROWS", 5)
        monkeypatch.setattr(search_module, "CHUNK_ROWS", 5)
        log.filter = parse_filter("user:acct_88213", now_ms=0)
        await until(pilot, lambda: log.updater.search.query.terms)
        await pilot.press("g")
        await until(pilot, lambda: log.updater.search.matches.complete)
        await until(pilot, lambda: log.lines.selected == 1)


async def test_cursor_keeps_its_delivery_while_the_search_runs(opened, log, journal, entry, monkeypatch, until):
    monkeypatch.setattr(search_module, "INITIAL_ROWS", 40)
    monkeypatch.setattr(search_module, "CHUNK_ROWS", 5)
    await journal.add([entry() for _ in range(100)])
    async with opened() as pilot:
        log.filter = parse_filter("user:acct_88213", now_ms=0)
        await until(pilot, lambda: log.updater.search.query.terms)
        await pilot.press("k", "k")
        chosen = log.lines.selected
        await until(pilot, lambda: log.updater.search.matches.complete)
        await until(pilot, lambda: log.lines.count == 100)
        assert log.lines.selected == chosen


async def test_idle_log_paints_nothing_and_a_changed_delivery_is_drawn_again(opened, log, mixed, settle, until):
    async with opened() as pilot:
        await pilot.pause()
        painted = []
        original = log.lines.render_line
        log.lines.render_line = lambda y: painted.append(y) or original(y)
        for _ in range(3):
            log.wake()
            await pilot.pause(0.02)
        assert painted == []
        log.lines.render_line = original
        assert " queued " in rows(log)[-1]
        await settle()
        log.wake()
        await until(pilot, lambda: " delivered " in rows(log)[-1])


async def test_filtered_log_drops_rows_that_no_longer_match(opened, log, mixed, journal, until):
    async with opened() as pilot:
        matches = log.updater.search.matches
        removed = [*reversed(matches.slice(0, len(matches)))]
        matches.remove(removed)
        log.lines.action_cursor(-1)  # a key before the lines know of it
        matches.add_older(removed)
        log.filter = parse_filter("status:failed", now_ms=0)
        await until(pilot, lambda: log.lines.count == 1)
        await journal.requeue([mixed["failed"]])
        matches = log.updater.search.matches
        removed = [matches[0]]
        matches.remove(removed)
        log.lines.invalidate()
        assert not log.lines.render_line(0).text.strip(), "painted before the lines know of it"
        matches.add_older(removed)
        log.wake()
        await until(pilot, lambda: log.lines.count == 0)
        await until(pilot, lambda: "0 of 5" in str(log.border_title))


async def test_what_is_followed_and_each_cursor_move_post_the_delivery(opened, log, mixed, heard, until):
    seen = []
    async with opened(seen=seen) as pilot:
        await until(pilot, lambda: heard(seen, DeliveryLog.DeliverySelected))
        await pilot.press("k", "k")
        await until(pilot, lambda: len(heard(seen, DeliveryLog.DeliverySelected)) == 3)
        told = heard(seen, DeliveryLog.DeliverySelected)
        assert [(message.delivery.id, message.by_person) for message in told] == [
            (5, False),
            (mixed["elsewhere"], True),
            (mixed["anonymous"], True),
        ]


async def test_marking_rows(opened, log, mixed, until):
    async with opened() as pilot:
        await pilot.press("g", "space", "space")
        assert log.lines.marks == {1, 2}
        await until(pilot, lambda: "2 marked" in str(log.border_title))
        assert [row.startswith("●") for row in rows(log)] == [True, True, False, False, False]
        await pilot.press("k", "space")
        assert log.lines.marks == {1}
        await pilot.press("escape")
        assert log.lines.marks == set()


async def test_next_and_previous_failed_delivery(opened, log, journal, entry, settle, until):
    await journal.add([entry() for _ in range(9)])
    for place in range(9):
        await settle(State.FAILED if place in (2, 6) else State.DELIVERED, events=1)
    async with opened() as pilot:
        await pilot.press("N")
        await until(pilot, lambda: log.lines.selected == 7)
        await pilot.press("N")
        await until(pilot, lambda: log.lines.selected == 3)
        await pilot.press("n")
        await until(pilot, lambda: log.lines.selected == 7)
        await pilot.press("n")
        await until(pilot, lambda: log.lines.selected == 3)
        assert "on from the oldest: the first failed" in notices(pilot)
        await pilot.press("N")
        await until(pilot, lambda: log.lines.selected == 7)
        assert "on from the newest: the last failed" in notices(pilot)


async def test_hostile_text_is_shown_and_copied_as_text(opened, log, journal, entry, heard, screen_text):
    nasty = "[/red]\x1b]0;title\x07\u202e\n\t" + "x" * 100_000
    await journal.add(
        [entry(survey_name=nasty, user_id=nasty, answer="\x1b[2J[/x]" + nasty[:100], environment=nasty[:30])]
    )
    seen = []
    async with opened(seen=seen) as pilot:
        text = screen_text(pilot.app)
        assert "\x1b" not in text
        assert "\u202e" not in text
        await pilot.press("y")
        (copy,) = heard(seen, CopyRequested)
        assert copy.what == "delivery 1"
        assert "\\u001b[2J[/x]" in copy.text
        await pilot.press("enter")
        await pilot.pause()


async def test_journal_error_is_shown_and_the_rows_stay(opened, log, mixed, journal, monkeypatch, until, screen_text):
    async with opened() as pilot:

        async def lost(*_, **__):
            raise JournalError("the journal [/x] is gone")

        with monkeypatch.context() as patch:
            patch.setattr(journal, "changes", lost)
            log.wake()
            await until(pilot, lambda: "cannot read the journal: the journal [/x] is gone" in screen_text(pilot.app))
            assert "Checkout ef" in screen_text(pilot.app)
            patch.setattr(journal, "ids", lost)
            log.filter = parse_filter("status:failed OR reason:anonymous", now_ms=0)
            await pilot.pause()
            assert "status:failed" not in screen_text(pilot.app), "the rows are still all"
        log.wake()
        await until(pilot, lambda: "cannot read" not in screen_text(pilot.app))
        await until(pilot, lambda: "/status:failed OR reason:anonymous ── 2 of 5" in screen_text(pilot.app))


async def test_reopened_journal_keeps_the_cursor(opened, log, mixed, journal, until):
    async with opened() as pilot:
        await pilot.press("k", "k")
        chosen = log.lines.selected
        before = log.updater.search
        log.journal = None
        log.journal = journal
        await until(pilot, lambda: log.updater.search is not before)
        assert log.lines.selected == chosen
        assert not log.following


async def test_click_on_the_new_count_follows(opened, log, mixed, journal, entry, screen_text, until):
    async with opened() as pilot:
        await pilot.press("g")
        await journal.add([entry(), entry()])
        await until(pilot, lambda: "+2 new" in screen_text(pilot.app))
        x = screen_text(pilot.app).splitlines()[0].index("+2 new")
        await pilot.click(offset=(x + 1, 0))
        await until(pilot, lambda: log.following)
        assert log.lines.cursor == log.lines.count - 1
        await until(pilot, lambda: "following" in screen_text(pilot.app))
        await pilot.click(offset=(screen_text(pilot.app).splitlines()[0].index("following"), 0))
        await until(pilot, lambda: not log.following)
