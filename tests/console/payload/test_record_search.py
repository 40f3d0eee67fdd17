import json
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprig_tui.console.payload import indexed_file
from sprig_tui.console.payload.record_file import RecordFile
from sprig_tui.console.payload.records.listed_record import RecordAssessor
from sprig_tui.console.payload.records.row_format import (
    COLUMNS,
    header_text,
    place_record_columns,
    record_row,
)
from sprig_tui.console.payload.records.search import RecordFilter, RecordSearch, find_next
from sprig_tui.console.payload.records.state_line import ListState, state_text
from sprig_tui.console.widgets.line import visible_text
from sprig_tui.errors import InputError
from sprig_tui.ingest import EntryBuilder
from sprig_tui.journal.filter import parse_filter
from sprig_tui.mapping.records import Rules
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.held_input import StoppedError, never_stop
from sprig_tui.sprig.records import Origin

from .conftest import ENVIRONMENTS, flat
from .test_untrusted import NASTY

NOW_MS = 1_790_000_000_000


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(indexed_file, "CHUNK_BYTES", 900)


@pytest.fixture
def assessor(intake):
    return RecordAssessor(intake, NOW_MS)


def wanted(text="", *, only_problems=False):
    return RecordFilter(parse_filter(text, now_ms=NOW_MS), only_problems=only_problems)


def found_by(file, text, assessor, **options):
    search = RecordSearch(file, wanted(text, **options))
    search.run(assessor)
    assert search.complete
    return list(search.numbers)


MIXED = [
    flat(1),
    flat(2, userId=None),
    '{"broken": ',
    flat(4, surveyName="Onboarding", response="slow and steady", questionType="OPEN"),
    flat(5, environment="production"),
    flat(6, respondedAt=None),
    flat(7, userId="null"),
]


def test_each_record_says_what_would_become_of_it(lines_file, assessor):
    file = RecordFile([str(lines_file(MIXED))])
    rows = [assessor.listed(number, record) for number, record in file.each()]
    assert [row.fate for row in rows] == ["sent", "withheld", "unreadable", "sent", "withheld", "withheld", "sent"]
    assert [row.why.split(":")[0] for row in rows][1:3] == ["anonymous", "invalid"]
    assert rows[4].why.startswith("environment-unknown: this record names production, but you chose development")
    assert rows[0].delivery.id == 1
    assert rows[3].delivery.answer == "slow and steady"
    assert rows[6].why.startswith("userId:"), "a record that would be sent shows its first problem"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("status:queued", [0, 3, 6]),
        ("status:withheld -reason:invalid", [1, 4]),
        ("is:anonymous survey:checkout", [1]),
        ("slow OR user:null", [3, 6]),
        ("id:3", [2]),
        ("user:acct_*", [0, 3, 4, 5]),
        ("nothing-like-this", []),
    ],
)
def test_the_filter_language_of_the_log_searches_records(lines_file, assessor, text, numbers):
    assert found_by(RecordFile([str(lines_file(MIXED))]), text, assessor) == numbers


def test_only_records_with_problems(lines_file, assessor):
    file = RecordFile([str(lines_file([flat(1), *MIXED[:3]]))])
    assert found_by(file, "", assessor, only_problems=True) == [2, 3]
    assert found_by(file, "is:anonymous", assessor, only_problems=True) == [2, 3]
    assert found_by(file, "reason:anonymous", assessor, only_problems=True) == [2]


def test_an_edited_record_is_searched_as_edited(lines_file, intake):
    (edited,) = parse_document(json.dumps(flat(2, userId="acct_repaired")).encode(), Origin("answers.jsonl"))
    assessor = RecordAssessor(intake, NOW_MS, edited_at=lambda number, _: edited if number == 1 else None)
    file = RecordFile([str(lines_file(MIXED))])
    assert found_by(file, "user:acct_repaired is:edited", assessor) == [1]
    assert found_by(file, "reason:anonymous", assessor) == []


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 39), st.sampled_from([1, -1]), st.integers(1, 3)
)
def test_the_next_match_is_the_nearest_one_and_wraps(tmp_path_factory, hits, start, step, files):
    start = min(start, len(hits) - 1)
    folder = tmp_path_factory.mktemp("folder")
    size = -(-len(hits) // files)
    for part in range(0, len(hits), size):
        lines = (json.dumps(flat(n, userId=None if hits[n] else f"a{n}")) for n in range(part, len(hits))[:size])
        (folder / f"{part:03}.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(indexed_file, "CHUNK_BYTES", 1_200)
        file = RecordFile([str(folder)])
        file.count_on()
        assessor = RecordAssessor(EntryBuilder(Rules(), ENVIRONMENTS, "development"), NOW_MS)
        found = find_next(file, wanted("is:anonymous"), start, step, assessor, never_stop)
    places = [n for n, hit in enumerate(hits) if hit]
    ahead = [n for n in places if (n > start if step > 0 else n < start)]
    expected = (ahead or places)[0 if step > 0 else -1] if places else None
    assert found == expected


def test_a_search_stops_when_asked(lines_file, assessor):
    file = RecordFile([str(lines_file(600))])
    search = RecordSearch(file, wanted("acct_1"))
    search.stop()
    with pytest.raises(StoppedError):
        search.run(assessor)
    file.count_on()
    for step in (1, -1):
        with pytest.raises(StoppedError):
            find_next(file, wanted("acct_1"), 300, step, assessor, lambda: True)


def test_a_file_that_changes_while_it_is_searched_is_told(lines_file, assessor, small_blocks):
    path = lines_file(50)
    search = RecordSearch(RecordFile([str(path)]), wanted("acct"))

    def truncate(*_, **__):
        path.write_text("")
        return True

    assessor.matches = truncate
    with pytest.raises(InputError, match="has changed since it was opened"):
        search.run(assessor)
    assert not search.complete


def test_marked_records_are_read_up_to_a_size(lines_file):
    file = RecordFile([str(lines_file(20))])
    assert [record.user_id for record in file.read_many([3, 9], 10_000)] == ["acct_3", "acct_9"]
    assert file.read_many(range(20), 500) is None
    with pytest.raises(InputError, match="no longer has record 31"):
        file.read_many([30], 500)


@pytest.mark.parametrize("width", [0, 9, 36, 60, 78, 118, 200, 400])
def test_columns_fill_the_width(width):
    columns = place_record_columns(width)
    used = len(header_text(columns))
    assert columns[0].name == "number"
    assert used == width or width < 40
    assert width < 200 or len(columns) == len(COLUMNS)


def test_rows_show_hostile_text_harmlessly(intake, assessor):
    columns = place_record_columns(120)
    make_row = partial(record_row, columns=columns, marked=True)
    for nasty in NASTY:
        raw = json.dumps(flat(1, userId=nasty, surveyName=nasty, response=nasty, questionType=nasty)).encode()
        for record in (*parse_document(raw, Origin(f"a/{nasty}.jsonl", "", 3)), *parse_document(b"{", Origin(nasty))):
            for span in make_row(assessor.listed(0, record)):
                text = visible_text(span.text, span.width)
                assert text.isprintable() or "\u3000" in text


def test_the_state_of_the_list_in_words():
    assert state_text(ListState(total=10)) == ""
    assert state_text(ListState("/slow", 3, 10, marked=2)) == "/slow: 3 of 10 · 2 marked"
    assert state_text(ListState("/slow", 3, 10, searched=0.4)) == "/slow: 3 so far, 40 % searched"
