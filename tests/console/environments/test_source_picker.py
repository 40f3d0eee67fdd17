"""Source picker in the real console, against the fake Public API."""

from __future__ import annotations

import asyncio

import pytest
from support import workspace_lookalike
from textual.widgets import Input

from sprig_tui.cli.commands.console import _list_sources
from sprig_tui.console.environments.source_picker import SourceForm, SourceLines, filter_rows, source_rows
from sprig_tui.errors import SegmentApiError
from sprig_tui.segment.public_api_models import Source


@pytest.fixture
def workspace(console, workspace_api):
    """The console knows the workspace's token."""
    console.write(f'[segment]\npublic_api_token = "{workspace_lookalike.TOKEN}"\nregion = "{workspace_api.url}"\n')
    console.list_sources = _list_sources
    return workspace_api


def keys_in(console):
    return {name: table["write_key"] for name, table in console.config().get("environments", {}).items()}


async def listed(console, text="Acme dev"):
    await console.until(lambda: text in console.text())


async def test_down_and_words_find_a_source_whose_key_enter_takes(console, workspace):
    async with console.running(size=(80, 24)) as pilot:
        await console.press("a")
        await listed(console)
        assert "Zq8T…1Rkx" in console.text()
        await console.press("down", "down")
        assert pilot.app.screen.query_one(SourceLines).cursor == 1
        assert "! its name says 'dev'" in console.text()
        await console.press("tab", *"market")
        assert "it is disabled" in console.text()
        assert "Acme dev" not in console.text()
        await console.press(*"zzz", "enter")
        assert "no source has that" in console.text()
        await console.press("escape")
        assert keys_in(console) == {}

        await console.press("a")
        assert isinstance(pilot.app.screen, SourceForm)
        await listed(console)
        shown = console.text()
        assert "Source of production" in shown
        assert "Zq8T…1Rkx" in shown
        assert "! Acme dev" in shown
        await console.press("enter")
        await console.until(lambda: keys_in(console))
    assert keys_in(console) == {"production": workspace_lookalike.PRODUCTION_KEY}
    assert workspace_lookalike.PRODUCTION_KEY not in shown


async def test_mismatching_source_needs_confirmation(console, workspace):
    async with console.running() as pilot:
        await console.press("a")
        await listed(console)
        await console.press(*"dev", "enter")
        assert "Take Acme dev for production?" in console.text()
        assert "- its name says 'dev'" in console.text()
        await console.press("n")
        assert isinstance(pilot.app.screen, SourceForm)
        await listed(console)
        await console.press(*"dev", "enter", "y")
        await console.until(lambda: keys_in(console))
    assert keys_in(console) == {"production": workspace_lookalike.DEVELOPMENT_KEY}


async def test_source_of_another_environment_needs_confirmation(console, workspace):
    workspace.sources = [workspace_lookalike.source(1, "Checkout", workspace_lookalike.PRODUCTION_KEY)]
    console.keys(development=workspace_lookalike.PRODUCTION_KEY)
    async with console.running():
        await console.press("1", "g", "a")
        await listed(console, "Checkout")
        await console.press("enter")
        assert "- development has the same key" in console.text()
        await console.press("n", "escape")
    assert keys_in(console) == {"development": workspace_lookalike.PRODUCTION_KEY}


async def test_unreachable_workspace_leaves_the_paste_line(console, workspace):
    workspace.down()
    async with console.running():
        await console.press("a")
        await listed(console, "the sources cannot be listed")
        await console.press("enter")
        assert "type or paste" in console.text()
        await console.press("escape")
    assert keys_in(console) == {}


async def test_token_without_the_role_sees_no_keys(console, workspace):
    console.write(f'[segment]\npublic_api_token = "{workspace_lookalike.MEMBER_TOKEN}"\nregion = "{workspace.url}"\n')
    async with console.running() as pilot:
        await console.press("a")
        await listed(console, "not visible")
        await console.press("enter")
        assert "the token cannot see its write keys" in console.text()
        assert isinstance(pilot.app.screen, SourceForm)
        await console.press("escape")
    assert keys_in(console) == {}


async def test_hostile_source_names_and_filtering(console, workspace):
    workspace.sources = [workspace_lookalike.source(n, f"[red]\x1b[2JCheckout {n}", f"key{n:029d}") for n in range(900)]
    async with console.running(size=(80, 24)):
        await console.press("a")
        await listed(console, "[red]␛[2JCheckout 0")
        await console.press(*"checkout 777")
        await listed(console, "Checkout 777")
        await console.press("enter")
        await console.until(lambda: keys_in(console))
    assert keys_in(console) == {"production": f"key{777:029d}"}


async def test_without_a_token_the_key_form_opens(console, workspace_api):
    console.list_sources = _list_sources
    async with console.running():
        await console.press("a")
        assert "32 letters and digits; type or paste" in console.text()
        await console.press("escape")
    assert workspace_api.asked == []


SOURCES = (
    Source(id="1", name="Acme dev", labels=("environment: dev",), write_keys=("k" * 32,)),
    Source(id="2", name="Checkout", slug="checkout-web", kind="Javascript", write_keys=("j" * 32, "i" * 32)),
    Source(id="3", name="Acme production", enabled=False),
)


def test_matching_sources_come_first():
    rows = source_rows(SOURCES, "production", ("production", "development"))
    assert [row.source.id for row in rows] == ["2", "1", "3"]
    assert [row.about for row in rows] == ["Javascript", "environment: dev", ""]
    assert rows[0].detail == "Javascript, checkout-web; key jjjj…jjjj, the first of 2 keys"
    assert rows[1].detail.startswith("! its name says 'dev'")
    assert rows[2].detail.startswith("the token cannot see its write keys")
    assert (rows[2].state, rows[2].key) == ("disabled", "not visible")


def test_source_filter_needs_every_word():
    rows = source_rows(SOURCES, "production", ("production", "development"))
    assert [row.source.id for row in filter_rows(rows, "ACME dev")] == ["1"]
    assert [row.source.id for row in filter_rows(rows, "web")] == ["2"]
    assert len(filter_rows(rows, " ")) == 3
    assert filter_rows(rows, "nothing of that") == ()


# -- whose key it is, in the form for a pasted one --------------------------------------------------------------------


async def test_key_can_be_pasted_instead_and_is_looked_up_before_it_is_saved(console, workspace):
    async with console.running(size=(80, 24)) as pilot:
        await console.press("a")
        await listed(console)
        pilot.app.screen.query_one(Input).value = workspace_lookalike.PRODUCTION_KEY
        await pilot.pause()
        assert "that is a key" in console.text()
        assert workspace_lookalike.PRODUCTION_KEY not in console.text()
        await console.press("down", "end", "enter")
        assert "32 letters and digits; type or paste" in console.text()
        field = pilot.app.screen.query_one(Input)

        field.value = workspace_lookalike.DEVELOPMENT_KEY
        await pilot.pause()
        assert "it belongs to the source Acme dev" in console.text()
        assert "! its source: its name says 'dev'" in console.text()
        await console.press("enter")
        assert "enter again saves it anyway" in console.text()

        field.value = "Xq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
        await pilot.pause()
        assert "! it belongs to no source of the workspace" in console.text()
        assert "enter again" not in console.text()
        await console.press("enter")
        assert "enter again saves it anyway" in console.text()
        assert keys_in(console) == {}

        field.value = workspace_lookalike.PRODUCTION_KEY
        await pilot.pause()
        assert "✓ it belongs to the source Acme production" in console.text()
        await console.press("enter")
        await console.until(lambda: keys_in(console))
    assert keys_in(console) == {"production": workspace_lookalike.PRODUCTION_KEY}
    assert sum("/sources" in path for path in workspace.asked) == 1, "the picker has asked already"


async def test_enter_before_segment_has_answered_says_so(console, workspace):
    answer = asyncio.Event()

    async def slowly(settings):
        await answer.wait()
        return await _list_sources(settings)

    console.list_sources = slowly
    async with console.running() as pilot:
        await console.press("a", "enter")
        pilot.app.screen.query_one(Input).value = workspace_lookalike.DEVELOPMENT_KEY
        await pilot.pause()
        assert "asking Segment whose key it is" in console.text()
        await console.press("enter")
        assert "enter again saves it anyway" in console.text()
        answer.set()
        await listed(console, "its name says 'dev'")
        assert "enter again" not in console.text(), "the answer is new: it is to be read first"
        await console.press("enter")
        assert "enter again saves it anyway" in console.text()
        await console.press("escape")
    assert keys_in(console) == {}


async def test_key_is_saved_where_segment_cannot_be_asked(console, workspace):
    async def fails(settings):
        raise SegmentApiError("no answer from [api]\x1b[2J")

    console.list_sources = fails
    async with console.running() as pilot:
        await console.press("a", "enter")
        pilot.app.screen.query_one(Input).value = workspace_lookalike.DEVELOPMENT_KEY
        await listed(console, "whose key it is could not be asked: no answer from [api]")
        await console.press("enter")
        await console.until(lambda: keys_in(console))
