"""Nothing that a record holds reaches the terminal as anything but visible characters."""

import asyncio
import json
import unicodedata

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sprig_tui.console.clipboard import safe_text
from sprig_tui.console.payload.inspection import inspect_record
from sprig_tui.console.payload.inspector import PayloadInspector
from sprig_tui.console.payload.summary import (
    RecordPosition,
    payload_title,
    reason_line,
    verdict_content,
    verdict_spans,
)
from sprig_tui.console.payload.views import VIEW_NAMES, make_view
from sprig_tui.ingest import EntryBuilder
from sprig_tui.mapping.records import Rules
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.records import Origin
from sprig_tui.text import printable

from .conftest import ENVIRONMENTS, flat, settle

NASTY = (
    "[/foo]",
    "[bold red]x[/]",
    "[@click=app.quit]click[/]",
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x9b31m",
    "\x90q\x9c",
    "\u202egnp.exe\u202c",
    "\u2066\u2069",
    "\u200b\u200d\ufeff\u2060",
    "line\nline\r\nline\rline",
    "\t\x00\x08\x7f",
    "👩\u200d👩\u200d👧 ✌\ufe0f",
    "日本語",
    "\u05e2\u05d1",
    "\ud800",
    "e\u0301" * 20,
    "\U000e0041\U000e007f",
    "\u2028\u2029",
    "$text-success",
    "{user}",
)
texts = st.one_of(
    st.text(st.characters(codec=None), max_size=40),
    st.lists(st.sampled_from(NASTY), min_size=1, max_size=4).map("".join),
    st.sampled_from(NASTY).map(lambda one: one * 400),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
records = st.fixed_dictionaries(
    {
        "response": values,
        "question": texts | st.integers(),
        "questionType": texts,
        "userId": texts | st.none(),
        "surveyName": texts | st.none(),
        "attributes": st.dictionaries(texts, values, max_size=4) | values,
        "respondedAt": texts | st.just("2026-09-01T10:00:00Z"),
        "environment": st.none() | texts,
    },
    optional={"email": texts, "responseGroupId": texts},
)


def assert_harmless(text):
    for character in set(text):
        assert unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}, hex(ord(character))


def encoded(record):
    return json.dumps(flat(1) | record).encode()


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(records | st.binary(max_size=200), texts, st.integers(10, 200))
def test_every_view_and_every_line_around_it(record, name, width):
    raw = record if isinstance(record, bytes) else encoded(record)
    intake = EntryBuilder(Rules(), ENVIRONMENTS, "development")
    for read in parse_document(raw, Origin(name, "", 3)):
        found = inspect_record(read, intake, 1_790_000_000_000)
        head = payload_title(found, RecordPosition(name, 3, 9, complete=True), "JSON", width)
        assert_harmless(head.plain)
        assert_harmless(payload_title(found, None, "JSON", width).plain)
        assert head.cell_length <= max(width, 60)
        below = verdict_content(verdict_spans(found, ENVIRONMENTS), reason_line(found, ENVIRONMENTS))
        assert_harmless(below.plain.replace("\n", "", 1))
        copies = set()
        for view_name in VIEW_NAMES:
            view = make_view(view_name, found, ENVIRONMENTS)
            view.resize(width)
            for index in range(12):
                if index < len(view):
                    view.toggle(index)
            for index in range(min(len(view), 80)):
                for span in view.line(index):
                    assert_harmless(printable(span.text))
                if (copied := view.copy_line(index)) is not None:
                    assert_harmless(copied.what)
                    copies.add(copied.text)
        for copy in copies:  # many lines have the same one
            assert_harmless([one for one in set(safe_text(copy).text) if one < "\xa0" and one not in "\t\n"])


# A failing example is not made smaller: each try starts a console, which would take minutes.
@settings(max_examples=5, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.lists(records, min_size=2, max_size=5), st.sampled_from([(80, 24), (120, 40)]))
def test_random_records_are_shown_safely(tmp_path_factory, host, listed, size):
    file = tmp_path_factory.mktemp("fuzz") / "x[bold]\u202e\x1b[2J.jsonl"
    # the first is whole: a file of which no record is of a known form is not opened
    file.write_bytes(b"\n".join(encoded(record) for record in ({}, *listed)))
    asyncio.run(walk_through(host, file, size))


async def walk_through(host, file, size):
    pane = PayloadInspector(id="payload")
    pane.set_reactive(PayloadInspector.environments, ENVIRONMENTS)
    pane.set_reactive(PayloadInspector.environment, "development")
    app = host(pane)
    async with app.run_test(size=size) as pilot:
        pane.focus()
        pane.show_file(file)
        await settle(pilot)
        for _ in range(pane.navigator.browser.file.count):
            for name in VIEW_NAMES:
                pane.view_name = name
                pane.lines.action_choose()
                await pilot.pause()
                for strip in app.screen._compositor.render_strips(app.size):
                    assert strip.cell_length == size[0]
                    assert_harmless(strip.text)
                    assert all(segment.style is not None for segment in strip)
            pane.navigator.step(1)
            await settle(pilot)


async def test_megabyte_answers_are_shown_safely(host, tmp_path):
    answers = [one * (1_000_000 // len(one)) for one in ("x", "日", "\x1b[31m", "e\u0301", "word ", "\u202e")]
    file = tmp_path / "large.jsonl"
    file.write_bytes(b"\n".join(encoded({"response": [answer, {"a": answer}]}) for answer in answers))
    await walk_through(host, file, (100, 30))
