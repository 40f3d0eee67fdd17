"""Records pasted on the panes: opened as a file is, sent once, kept in memory only; a pasted secret is kept nowhere."""

from __future__ import annotations

import json

from textual import events
from textual.widgets import Input

from sprig_tui.journal.query import Query

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"


def answers(*numbers: int) -> str:
    """Pasted JSON Lines: line ends are carriage returns."""
    records = (
        {
            "responseGroupId": f"group-{number}",
            "question": "How easy was it?",
            "questionType": "LIKERT",
            "response": number,
            "userId": f"acct_{number}",
            "respondedAt": "2026-09-01T10:00:00.000Z",
            "environment": "development",
        }
        for number in numbers
    )
    return "".join(f"{json.dumps(record)}\r" for record in records)


async def test_pasted_records_are_opened_and_sent_once(console, sink, screen_text):
    console.keys(development=KEY, endpoint=sink.url)
    async with console.running() as pilot:
        app = pilot.app

        async def paste(text: str) -> None:
            app.post_message(events.Paste(text))
            await pilot.pause()

        await console.press("3")
        await paste(answers(1, 2))
        await console.until(lambda: "text pasted at" in screen_text(app) and "1 of 2" in screen_text(app))
        assert app.focused_scope() == "payload"
        assert sink.stats.requests == 0
        await console.press("f", "j", "S")
        await console.until(lambda: "Send all 2 records of text pasted at" in screen_text(app))
        await console.press("y")
        await console.until(lambda: sink.stats.accepted == 2)
        # the same records, one more, and another order
        await console.press("f")
        await paste(answers(3, 2, 1))
        await console.until(lambda: "1 of 3" in screen_text(app))
        await console.press("S")
        await console.until(lambda: "Send all 3 records of text pasted at" in screen_text(app))
        await console.press("y")
        await console.until(lambda: any("2 known from before" in said for said in console.notices()))
        await console.until(lambda: sink.stats.accepted == 3)
        rows = (await app.session.journal.page(Query(), limit=10)).deliveries
        assert {(row.source, row.user_id) for row in rows} == {("pasted", f"acct_{number}") for number in (1, 2, 3)}

        before = app.main.payload.inspection.record
        for text, said in (
            ('{"responseGroupUid": "group-9", "resp', "holds no answers: its only record is not one of Sprig's"),
            ("\x1b]0;title\x07 and \x00", "what was pasted is no text"),
            ("KeyError: 'userId'\n  File app.py", "nothing was opened: a paste is opened if it is JSON"),
            (KEY, "that looks like a Write Key, and was not kept: a asks for that of the selected environment"),
            (f'{{"writeKey": "{KEY}"}}', "that looks like a Write Key"),
        ):
            await paste(text)
            await console.until(lambda said=said: said in console.notices()[-1])
            assert KEY not in "".join(console.notices())
        assert app.main.payload.inspection.record == before

        # a field that shows its text, and remembers it
        await console.press("3", "slash")
        field = app.focused
        assert isinstance(field, Input)
        for refused in (KEY, "sgp_inventedTokenOfTheWorkspace0123456789", "x" * 100_001):
            count = len(console.notices())
            await paste(refused)
            await console.until(lambda count=count: len(console.notices()) > count)
            assert field.value == ""
        await paste("acct_1\racct_2")
        assert field.value == "acct_1 acct_2"
        await console.press("escape")
        # the form of the key takes it
        await console.press("a")
        await paste(KEY)
        assert app.focused.value == KEY
        await console.press("escape")
        assert sink.stats.accepted == 3
    files = [file for file in console.paths.state_dir.rglob("*") if file.is_file()]
    assert not [file for file in files if KEY.encode() in file.read_bytes()]
    assert not [file for file in files if "journal" not in file.name and b"acct_3" in file.read_bytes()]
