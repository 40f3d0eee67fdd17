import pytest

from .conftest import flat, settle

TROUBLED = [
    flat(
        1,
        userId=None,
        surveyName="Checkout [/foo] \x1b[31meffort",
        response="Slow \u202eevil\u202c\nand [bold]more[/]",
        questionType="OPEN",
        attributes={"plan": "日本語", "seats": 12},
    )
]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("view", ["Fields", "JSON", "Raw", "curl"])
async def test_pictures(bench, inspector, lines_file, snapshot, size, view):
    async with bench(size=size, file=lines_file(TROUBLED, "troubled.jsonl")) as (_app, pilot):
        inspector.view_name = view
        await settle(pilot)
        await snapshot(pilot, f"payload-{view.lower()}")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_empty_payload_pane_snapshot(bench, snapshot, size):
    async with bench(size=size) as (_app, pilot):
        await snapshot(pilot, "payload-empty")
