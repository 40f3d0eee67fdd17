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


SIZES = [(80, 24), (120, 40), (200, 60)]


async def test_pictures(bench, inspector, lines_file, snapshot):
    async with bench(size=SIZES[0], file=lines_file(TROUBLED, "troubled.jsonl")) as (_app, pilot):
        for view in ("Fields", "JSON", "Raw", "curl"):
            inspector.view_name = view
            await settle(pilot)
            await snapshot(pilot, f"payload-{view.lower()}", sizes=SIZES)


async def test_empty_payload_pane_snapshot(bench, snapshot):
    async with bench(size=SIZES[0]) as (_app, pilot):
        await snapshot(pilot, "payload-empty", sizes=SIZES)
