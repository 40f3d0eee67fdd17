"""What the console showed last: the file, its removal, and what is shown again at the next start."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest

from sprig_tui.config.environment import Environment
from sprig_tui.console.pane_area import PaneSizes, clamped
from sprig_tui.console.preferences import initial_environment
from sprig_tui.console.remembered import MAX_BYTES, NOTHING, Remembered, RememberedFile
from sprig_tui.console.screen_state import restored_sizes
from sprig_tui.delivery.copied_files import find_copies
from sprig_tui.journal.persons import Identifier, PersonMatcher

SAMPLES = Path(__file__).parents[2] / "sample_payloads"
KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
STATE = Remembered(
    environment="b", filter="user:acct_1 OR mira@example.com", files=("/data/answers.jsonl",), delivery=41
)


def test_the_file_is_private_and_comes_back(tmp_path):
    memory = RememberedFile(tmp_path / "state", writes=True)
    assert memory.read() == NOTHING
    memory.write(STATE)
    (file,) = (tmp_path / "state").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = RememberedFile(tmp_path / "state", writes=False)
    assert again.read().filter == STATE.filter
    again.write(Remembered(environment="c"))
    again.remove()
    assert memory.read().environment == "b", "a console that only reads writes and removes nothing"
    memory.write(Remembered(environment="b", files=("/" + "x" * MAX_BYTES,), filter="is:retrying"))
    assert (file.stat().st_size < MAX_BYTES, memory.read().files, memory.read().environment) == (True, (), "b")
    memory.remove()
    assert memory.read() == NOTHING


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 900,
        b"[]",
        b'{"version": 1, "files": 3}',
        b'{"version": 1, "record": -1}',
        b'{"version": 1, "delivery": 1e300}',
        b'{"version": 2, "environment": "b"}',
        b'{"version":',
    ],
)
def test_a_file_that_cannot_be_used_is_no_file(tmp_path, content):
    (tmp_path / "console.json").write_bytes(content)
    assert RememberedFile(tmp_path, writes=True).read() == NOTHING


def test_no_error_stops_the_console(tmp_path):
    (tmp_path / "state").write_text("a file in the way of the folder")
    memory = RememberedFile(tmp_path / "state", writes=True)
    memory.write(STATE)
    memory.remove()
    assert memory.read() == NOTHING


@pytest.mark.parametrize("kind", ["user", "email"])
def test_what_names_a_forgotten_person_is_found_and_not_written_again(tmp_path, kind):
    memory = RememberedFile(tmp_path, writes=True)
    memory.write(STATE)
    value = {"user": "acct_1", "email": "mira@example.com"}[kind]
    (copy,) = find_copies(tmp_path, PersonMatcher.of([Identifier(kind, value)]))
    assert find_copies(tmp_path, PersonMatcher.of([Identifier("user", "acct_2")])) == ()
    copy.unlink()
    memory.write(Remembered(environment="c", filter=STATE.filter, files=STATE.files))
    assert (memory.read().environment, memory.read().filter, memory.read().files) == ("c", "", ())
    memory.write(Remembered(environment="c", filter="is:retrying"))
    assert memory.read().filter == "is:retrying"


def test_sizes_and_environments_of_a_file():
    assert restored_sizes({"upper": 0.3, "records": 4.0, "environments": -1.0, "other": 0.5}) == PaneSizes(upper=0.3)
    assert [clamped(cells, 40, 5, 10) for cells in (1, 20, 39)] == [5, 20, 30]
    assert clamped(3, 12, 7, 7) == 6
    environments = {name: Environment(name=name, protected=name == "production") for name in ("production", "b")}
    assert initial_environment("b", environments) == "b"
    assert initial_environment("gone", environments) == "production", (
        "no key yet: the first one, where nothing can be sent"
    )


async def test_a_start_shows_what_was_shown_last(console, screen_text, tmp_path):
    console.keys(production=KEY, development=KEY)
    file = tmp_path / "answers.jsonl"
    shutil.copy(SAMPLES / "flat.jsonl", file)
    saved = console.paths.state_dir / "console.json"
    async with console.running(files=(str(file),)) as pilot:
        assert pilot.app.main.environments.selected == "development", "nothing protected is preselected"
        await console.until(lambda: "1 of 4" in screen_text(pilot.app))
        await console.press("2", "n", "n", "f", "plus", "plus", "1", "g", "3", "slash", *"user:acct_3", "enter", "1")
        height = pilot.app.main.payload.outer_size.height
        pilot.app.main.save_state()
        state = json.loads(saved.read_bytes())
        assert (state["environment"], state["record"], state["listed"]) == ("production", 2, True)
        assert (state["files"], state["filter"], state["pane"]) == ([str(file)], "user:acct_3", "environments")

    saved.write_text(json.dumps({**state, "pane": "deliveries", "delivery": 7, "journal": "another.db"}))
    async with console.running(read_only=True, size=(80, 24)) as pilot:
        main = pilot.app.main
        await console.until(lambda: "3 of 4" in screen_text(pilot.app) and main.payload.listing.shown)
        assert (main.environments.selected, main.deliveries.filter.text) == ("production", "user:acct_3")
        assert main.deliveries.lines.has_focus
        assert any("another journal" in text for text in console.notices())
        assert main.payload.listing.records.selected == 2, "the list, which has no row there, is at the record"
        await console.press("2")
        await console.press("v")
        assert "3 of 4" in screen_text(pilot.app)
        await pilot.resize_terminal(120, 40)
        await console.press("1")
        await console.until(lambda: main.payload.outer_size.height == height)

    saved.write_text(
        json.dumps({**state, "environment": "staging", "files": [str(tmp_path / "gone.jsonl")], "filter": "@x"})
    )
    async with console.running() as pilot:
        await console.until(
            lambda: any("gone.jsonl, open last time, is no longer there" in text for text in console.notices())
        )
        assert any("staging, which was selected last, is no longer" in text for text in console.notices())
        assert any("the filter of last time is not used" in text for text in console.notices())
        console.write(f"{console.paths.config_file.read_text()}[console]\nremember = false\n")
        await pilot.app._read_config()
        old = saved.with_name("environment")
        old.write_text("development", encoding="utf-8")
        pilot.app.main.save_state()
        assert not saved.exists()
        assert not old.exists(), "what version 0.1.0 remembered"
