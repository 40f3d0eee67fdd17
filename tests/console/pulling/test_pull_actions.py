"""Pulling in the real console, against fake Sprig and fake Segment."""

from __future__ import annotations

import json

import pytest
from support import sprig_samples
from textual import events

from sprig_tui.journal.query import Query

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"


@pytest.fixture
def configured(console, sink, sprig_api, sprig_api_key):
    """Development (selected by `1`, `j`) and Production, with keys of both sides."""
    tables = [
        f'[environments.{name}]\nwrite_key = "{key}"\nendpoint = "{sink.url}"\nsprig_api_key = "{sprig_api_key}"\n'
        for name, key in (("production", KEY), ("development", KEY.swapcase()))
    ]
    console.write("".join(tables) + f'[sprig]\napi_url = "{sprig_api.url}"\n')
    return console


def said(console, *words: str):
    return lambda: any(all(word in notice for word in words) for notice in console.notices())


def shown(console, *words: str):
    return lambda: all(word in console.text() for word in words)


async def rows(pilot) -> list:
    return list((await pilot.app.session.journal.page(Query(), limit=1_000)).deliveries)


async def test_pull_is_confirmed_or_asks_for_a_protected_name_and_is_read_and_delivered(configured, sprig_api, sink):
    sprig_api.hold(sprig_samples.response(n) for n in range(30))
    async with configured.running() as pilot:
        await configured.press("1", "j", "u")
        await configured.until(shown(configured, "Pull answers for development", "everything in Sprig"))
        await configured.press("enter")
        assert sprig_api.requests == [], "no is the default"
        await configured.press("u")
        await configured.until(shown(configured, "Pull answers for development"))
        await configured.press("y")
        await configured.until(said(configured, "30 records on 1 page", "30 queued"))
        await configured.until(lambda: sink.stats.accepted == 30)
        assert {row.environment for row in await rows(pilot)} == {"development"}
        assert pilot.app.session.settings.rules.surveys["5120"].name == "Study 5120"
        await configured.press("u")
        await configured.until(shown(configured, "created since 2026-03-01 09:00 UTC"))
        await configured.press("y")
        await configured.until(said(configured, "nothing new in 30 records"))

        # a protected environment asks for its name
        asked = len(sprig_api.requests)
        await configured.press("1", "g", "u")
        await configured.until(shown(configured, "production is protected", "Type production"))
        await configured.press("y", "enter")
        assert len(sprig_api.requests) == asked
        await configured.press("backspace", *"production", "enter")
        await configured.until(lambda: sink.stats.accepted == 60)


async def test_stopped_pull_is_resumed_by_the_next(configured, sprig_api, sink):
    sprig_api.hold(sprig_samples.response(n) for n in range(1_500))
    sprig_api.trouble(how="hang", where=lambda asked: "cursor" in asked.query)
    async with configured.running():
        await configured.press("1", "j", "u")
        await configured.until(shown(configured, "Pull answers for development"))
        await configured.press("y")
        await configured.until(shown(configured, "1,000 records on 1 page", "reached 2026-03-01 09:16 UTC"))
        await configured.press("escape")
        await configured.until(said(configured, "stopped after 1,000 records", "resumes there"))
        await configured.press("u")
        await configured.until(shown(configured, "resumes the pull that stopped after 1,000 records"))
        await configured.press("y")
        await configured.until(said(configured, "1,501 records on 2 pages"))
        await configured.until(lambda: sink.stats.accepted == 1_500)


async def test_pull_shows_why_it_waits(configured, sprig_api, sink):
    sprig_api.hold([sprig_samples.response(1)])
    sprig_api.trouble(status=503, headers={"retry-after": "1"})
    async with configured.running():
        await configured.press("1", "j", "u")
        await configured.until(shown(configured, "Pull answers for development"))
        await configured.press("y")
        await configured.until(shown(configured, "waiting 1 s: http 503"))
        await configured.until(said(configured, "1 records on 1 page"))


async def test_pull_without_an_api_key_asks_for_one_and_a_suspicious_one_needs_a_second_enter(
    configured, sprig_api, sink, sprig_api_key
):
    """A filter that was typed ahead, a write key of Segment, a paste of two lines."""
    sprig_api.hold([sprig_samples.response(1)])
    text = configured.paths.config_file.read_text()
    configured.write(text.replace(f'sprig_api_key = "{sprig_api_key}"\n', ""))
    before = configured.config()
    write_key = before["environments"]["development"]["write_key"]
    async with configured.running() as pilot:
        await configured.press("1", "j", *"u/status:failed", "enter")
        await configured.until(shown(configured, "14 characters are few for an API key"))
        assert shown(configured, "enter again saves it anyway")()
        field = pilot.app.screen.query_one("Input")
        field.value = write_key
        await configured.press("enter")
        await configured.until(shown(configured, "this is a write key of Segment"))
        field.value = ""
        field.post_message(events.Paste(f"{sprig_api_key[:9]}\n{sprig_api_key[9:]}\n"))
        await configured.until(lambda: bool(field.value))
        await configured.press("enter")
        await configured.until(shown(configured, "there are spaces inside"))
        assert configured.config() == before
        await configured.press("escape", "u")
        await configured.until(shown(configured, "Key of Sprig's API for development"))
        await configured.press(*"two words", "enter")
        await configured.until(shown(configured, "there are spaces inside"))
        await configured.press("escape", "u")
        await configured.until(shown(configured, "Key of Sprig's API for development"))
        pilot.app.screen.query_one("Input").value = f"Bearer {sprig_api_key}"
        await configured.press("enter")
        await configured.until(shown(configured, "Pull answers for development"))
        assert sprig_api_key not in configured.text()
        assert configured.config()["environments"]["development"]["sprig_api_key"] == sprig_api_key
        await configured.press("y")
        await configured.until(lambda: sink.stats.accepted == 1)


async def test_rejected_api_key_is_reported(configured, sprig_api):
    sprig_api.products.clear()
    async with configured.running() as pilot:
        await configured.press("1", "j", "u")
        await configured.until(shown(configured, "Pull answers for development"))
        await configured.press("y")
        await configured.until(said(configured, "key refused: Sprig answers 403"))
        assert await rows(pilot) == []


async def test_malformed_page_is_reported_and_kept(configured, sprig_api, monkeypatch):
    monkeypatch.setattr("sprig_tui.delivery.retry.INITIAL_RETRY_BACKOFF_MS", 1)
    sprig_api.trouble(
        body=json.dumps({"data": "none"}).encode(), times=3, where=lambda asked: asked.path == "/v1/responses"
    )
    async with configured.running() as pilot:
        await configured.press("1", "j", "u")
        await configured.until(shown(configured, "Pull answers for development"))
        await configured.press("y")
        await configured.until(said(configured, "page 1 is not what Sprig documents", "expected a list, got text"))
        assert [row.reason for row in await rows(pilot)] == ["invalid"]


async def test_read_only_console_pulls_nothing(configured, sprig_api):
    async with configured.running(read_only=True):
        await configured.press("1", "j", "u")
        assert any("read-only" in notice for notice in configured.notices())
        assert sprig_api.requests == []
