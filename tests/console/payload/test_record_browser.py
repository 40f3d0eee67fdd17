import asyncio
from threading import Event

import pytest

from sprig_tui.console.payload.record_browser import ProblemIndex, RecordBrowser
from sprig_tui.console.payload.record_file import RecordFile
from sprig_tui.sprig.held_input import StoppedError


@pytest.fixture
async def browser(lines_file):
    opened = await RecordBrowser.open((str(lines_file(3_000)),))
    yield opened
    opened.close()


async def test_far_record_waits_for_the_count(browser, monkeypatch):
    go_on = Event()
    count_on = RecordFile.count_on

    def held(self, stop):
        go_on.wait()
        count_on(self, stop)

    monkeypatch.setattr(RecordFile, "count_on", held)
    counting = asyncio.create_task(browser.count())
    await asyncio.sleep(0)
    assert browser.is_ahead(2_999)
    reading = asyncio.create_task(browser.read(2_999))
    near = asyncio.create_task(browser.read(2_998))
    done, _ = await asyncio.wait({reading})
    assert isinstance(done.pop().exception(), StoppedError), "another record is wanted now"
    go_on.set()
    assert (await near).user_id == "acct_2998"
    await counting
    assert not browser.is_ahead(5_000)


async def test_close_ends_the_count(browser):
    browser.close()
    with pytest.raises(StoppedError):
        await browser.count()
    assert not browser.counting


async def test_problem_search_stops_when_not_wanted(browser, intake):
    troubles = ProblemIndex()
    await browser.find_problems(troubles, intake, 0)
    assert not troubles.complete


def test_problem_index_finds_nearest_record():
    troubles = ProblemIndex()
    troubles.numbers.extend([3, 9, 20])
    assert [troubles.next(at, 1) for at in (-1, 3, 9, 20)] == [3, 9, 20, None]
    assert [troubles.next(at, -1) for at in (25, 20, 9, 3)] == [20, 9, 3, None]
    assert [troubles.rank(at) for at in (3, 9, 10)] == [1, 2, 0]
