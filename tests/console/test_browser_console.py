"""A console in a browser: files, programs and keys of the server's machine are out of its reach."""

from __future__ import annotations

from textual import events

from sprig_tui.console.clipboard import CopyRequested
from sprig_tui.console.commands.payload import OpenFile
from sprig_tui.console.setup.actions import SetupActions

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
REFUSAL = "a console in a browser reaches no file"


async def test_nothing_opens_a_file_runs_a_program_or_shows_a_key(console, tmp_path):
    file = tmp_path / "answers.jsonl"
    file.write_text('{"userId": "acct_77", "question": "Ok?", "response": 5}\n', encoding="utf-8")
    console.keys(production=KEY)
    async with console.running(browser=True, engine=False) as pilot:
        main = pilot.app.main
        for keys, label in (("1v", "reveal"), ("o", "open"), ("3e", "export")):
            await console.press(*keys)
            assert console.notices()[-1].startswith(f"{label}: {REFUSAL}")
            assert pilot.app.screen is main
        pilot.app.action_suspend()
        assert console.notices()[-1].startswith(f"suspend: {REFUSAL}")
        assert KEY not in console.text()

        main.payload.show_file(str(file))
        assert main.payload.navigator.browser is None
        assert main.payload.open_pasted(str(file)).opens is False
        assert main.payload.open_pasted("/etc/no-such-file").kind is main.payload.open_pasted(str(file)).kind
        setup = SetupActions(
            pilot.app, main.session, pilot.app.config_editor, open_counts=None, has_record=lambda: False
        )
        assert await setup._open_records(None) is None
        assert pilot.app.screen is main, "no list of folders"

        # a paste is the browser's own: it is opened, and can be looked at
        pilot.app.screen.post_message(events.Paste(file.read_text(encoding="utf-8")))
        await console.until(lambda: main.payload.inspection is not None)
        await console.press("2", "e")
        assert console.notices()[-1].startswith(f"edit: {REFUSAL}")
        pilot.app.deliver_screenshot()
        assert "writes no file" in console.notices()[-1]
        pilot.app.post_message(CopyRequested("acct_77", "the user"))
        await console.until(lambda: "the browser" in console.notices()[-1])
        assert not (console.paths.state_dir / "clipboard.txt").exists()
    assert OpenFile.needs == "machine"
