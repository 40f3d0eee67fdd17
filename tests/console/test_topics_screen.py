"""Help topics in the console: the topic of a place, the list, the search, links, keys and mouse."""

from __future__ import annotations

import pytest

from sprig_tui.console.screens.topics import PLACE_TOPICS, TopicsScreen, find_topics, topic_of
from sprig_tui.docs.markdown import plain_text
from sprig_tui.docs.topics import TOPICS


def test_every_place_has_a_topic():
    assert set(PLACE_TOPICS.values()) <= set(TOPICS)
    assert topic_of("console") == "console"


def test_search_finds_topics_by_their_text():
    assert [entry.name for entry in find_topics("")] == list(TOPICS)
    assert find_topics("forget a person")[0].name == "people"
    assert find_topics("no such words anywhere") == []


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=str)
async def test_help_opens_the_topic_of_the_pane_and_topics_are_searched(console, size):
    async with console.running(size=size) as pilot:
        app = pilot.app
        await console.press("3", "question_mark", "t")
        screen = app.screen
        assert isinstance(screen, TopicsScreen)
        await console.until(lambda: screen.lines.text)
        assert screen.topic == "filters"
        # the list, and a search over all topics
        await console.press("t")
        assert len(screen.lines.entries) == len(TOPICS)
        row = screen.lines.line(list(TOPICS).index("formats"))
        assert sum(part.width for part in row) == screen.lines.scrollable_content_region.width, "cut with an ellipsis"
        await console.press("slash", *"unifyspace")
        assert screen.lines.count == 0
        screen.search.value = "unify space"
        await console.until(lambda: screen.lines.count == 2)
        await console.press("enter", "enter")
        assert screen.topic in ("environments", "reconcile")
        await console.until(lambda: screen.lines.cursor > 0)
        at = screen.lines.cursor
        assert "unify space" in plain_text(screen.lines.text[at]).lower()
        assert at in screen.lines.is_visible
        await console.press("n")
        assert "unify space" in plain_text(screen.lines.text[screen.lines.cursor]).lower()
        # back to the results, to all topics, and to the panes
        await console.press("escape")
        assert (screen.topic, screen.lines.count) == ("", 2)
        await console.press("escape")
        assert screen.lines.count == len(TOPICS)
        await console.press("q")
        assert app.screen is app.main


async def test_links_and_the_mouse_open_topics(console):
    async with console.running(size=(120, 40)) as pilot:
        app = pilot.app
        await console.press("f3")
        screen = app.screen
        await console.press("t")
        await pilot.click(screen.lines, offset=(3, 1))
        await pilot.click(screen.lines, offset=(3, 1))
        assert screen.topic == list(TOPICS)[1]
        await console.press("left_square_bracket")
        assert screen.topic == "quick-start"
        link = next(at for at, line in enumerate(screen.lines.text) if "(help setup)" in plain_text(line))
        screen.lines.cursor = link
        await console.press("enter")
        assert screen.topic == "setup"
        await console.press("escape", "escape")
        assert app.screen is app.main
