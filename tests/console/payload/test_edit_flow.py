import contextlib
import json
import stat

import pytest

from sprig_tui.console.payload.send_requests import SendRequested

from .conftest import flat, notices, press


def shown(inspector):
    return inspector.inspection.record.user_id


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """An $EDITOR that does this to the file; a headless app cannot be suspended, and has no terminal to give away."""
    kept = tmp_path / "seen"

    def make(script):
        program = tmp_path / "editor.sh"
        program.write_text(f'#!/bin/sh\ncp -p "$1" {kept}\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("VISUAL", str(program))
        return kept

    monkeypatch.setattr("textual.app.App.suspend", lambda _app: contextlib.nullcontext())
    return make


async def test_an_edited_record_is_mapped_again_and_marked(bench, inspector, lines_file, editor, screen_text, heard):
    kept = editor('sed -i \'s/acct_0/acct_corrected/\' "$1"; cp "$1" "$1~"')
    async with bench(file=lines_file(2)) as (app, pilot):
        await press(pilot, "e")
        assert shown(inspector) == "acct_corrected"
        assert "edited · " in screen_text(app)
        assert "answers.jsonl  1 of 2 " in screen_text(app)
        await press(pilot, "s")
        (sent,) = heard(pilot.seen, SendRequested)
        assert (sent.edits, sent.records[0].user_id) == ((inspector.place,), "acct_corrected")
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert list(inspector.state_dir.iterdir()) == [], "nothing of it is left"
        await press(pilot, "n")
        assert "edited" not in screen_text(app)
        await press(pilot, "p")
        assert shown(inspector) == "acct_corrected", "an edit is never dropped by moving about"
        assert "edited · " in screen_text(app)
        assert inspector.edited == 1
        await press(pilot, "U")
        assert shown(inspector) == "acct_0"
        assert inspector.edited == 0


async def test_edit_is_kept_when_its_file_is_opened_again(bench, inspector, lines_file, editor, tmp_path):
    editor("sed -i 's/acct_0/acct_corrected/' \"$1\"")
    file = lines_file(2)
    async with bench(file=file) as (app, pilot):
        await press(pilot, "e")
        inspector.show_file(lines_file(2))
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert shown(inspector) == "acct_corrected", "the same file again"


async def test_invalid_edit_can_be_edited_again(bench, inspector, lines_file, editor):
    editor('echo \'{"broken": \' > "$1"')
    async with bench(file=lines_file(1)) as (_app, pilot):
        await press(pilot, "e")
        assert inspector.inspection.withheld == "invalid"
        editor(f"echo '{json.dumps(flat(8))}' > \"$1\"")
        await press(pilot, "e")
        assert shown(inspector) == "acct_8"


@pytest.mark.parametrize(
    ("script", "notice"),
    [
        ("true", "nothing was changed"),
        ("exit 3", "ended with status 3"),
        ('rm "$1"', "the edited text cannot be read"),
        (': > "$1"', "the edited text is empty"),
        ('cat "$1" "$1" > "$1.new"; mv "$1.new" "$1"', "more than one record"),
        ("kill -9 $$", "was ended by signal 9"),
    ],
)
async def test_failed_edit_changes_nothing(bench, inspector, lines_file, editor, script, notice):
    editor(script)
    async with bench(file=lines_file(1)) as (app, pilot):
        await press(pilot, "e")
        assert notice in notices(app)[-1]
        assert shown(inspector) == "acct_0"
        assert not inspector.inspection.edited
        assert list(inspector.state_dir.iterdir()) == []


async def test_terminal_without_suspend_is_reported(bench, inspector, lines_file, monkeypatch):
    monkeypatch.setenv("VISUAL", "true")
    async with bench(file=lines_file(1)) as (app, pilot):
        await press(pilot, "e")
        assert "this terminal cannot be handed to an editor" in notices(app)[-1]


async def test_missing_editor_is_named(bench, inspector, lines_file, editor, monkeypatch):
    editor("true")
    monkeypatch.setenv("VISUAL", "/nowhere/ed --wait")
    async with bench(file=lines_file(1)) as (app, pilot):
        await press(pilot, "e")
        assert "the editor /nowhere/ed cannot be started" in notices(app)[-1]
