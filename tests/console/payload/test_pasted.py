"""Pasted text: what it is, by table, and the records in it as their reader gives them."""

from __future__ import annotations

import json

import pytest

from sprig_tui.config.secret_shapes import SecretKind, certain_secret, holds_secret, likely_secret
from sprig_tui.console.payload.pasted import PasteKind, held_paste, recognise_paste
from sprig_tui.console.payload.record_file import RecordFile
from sprig_tui.errors import InputError

from .conftest import flat

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
TOKEN = "sgp_inventedTokenOfTheWorkspace0123456789"
CSV = "surveyId,surveyName,responseGroupUid,createdAt,completedAt,userId\n12,Checkout,g-1,,,acct_1\n"
TRACE = "Traceback (most recent call last):\n  File \"app.py\", line 3, in <module>\nKeyError: 'userId'\n"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", PasteKind.EMPTY),
        (" \r\n\t", PasteKind.EMPTY),
        (json.dumps(flat()), PasteKind.RECORDS),
        (f"\n  {json.dumps([flat()], indent=2)}", PasteKind.RECORDS),
        ('{"userId": "acct', PasteKind.RECORDS),
        ("\ufeff" + json.dumps(flat()), PasteKind.RECORDS),
        (CSV, PasteKind.RECORDS),
        (CSV.replace("\n", "\r"), PasteKind.RECORDS),
        ("sep=;\n" + CSV.replace(",", ";"), PasteKind.RECORDS),
        (json.dumps(flat(attributes={"write_key": "no", "token": KEY})), PasteKind.RECORDS),
        (KEY, PasteKind.SECRET),
        (f"  '{KEY}'\r", PasteKind.SECRET),
        (f"{KEY[:16]}\n{KEY[16:]}", PasteKind.SECRET),
        (json.dumps({"writeKey": KEY}), PasteKind.SECRET),
        (f'analytics.load("{KEY}");\nanalytics.page();', PasteKind.SECRET),
        (f"export SEGMENT_WRITE_KEY={KEY}", PasteKind.SECRET),
        (f"Authorization: Bearer {TOKEN}", PasteKind.SECRET),
        ("/no/such/folder/answers.jsonl", PasteKind.MISSING_PATH),
        ("answers.csv.gz", PasteKind.MISSING_PATH),
        ("\x1f\ufffd\b\x00\x01rubbish", PasteKind.BINARY),
        (TRACE, PasteKind.TEXT),
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07", PasteKind.BINARY),
        ("the survey is done, please send it to production", PasteKind.TEXT),
        ("userId,email\nacct_1,a@example.com\n", PasteKind.TEXT),
        ("a" * 1_000_000, PasteKind.TEXT),
        ("ab" * 30, PasteKind.TEXT),
    ],
)
def test_what_a_pasted_text_is(text, kind):
    pasted = recognise_paste(text)
    assert pasted.kind is kind
    assert pasted.opens == (kind is PasteKind.RECORDS)


def test_a_path_that_is_there_is_opened(tmp_path):
    file = tmp_path / "two words.jsonl"
    file.write_text("{}")
    for text in (str(file), f"'{file}'", str(file).replace(" ", "\\ "), f"file://{file}\r\n".replace(" ", "%20")):
        assert recognise_paste(text).paths == (str(file),), text


@pytest.mark.parametrize(
    ("text", "certain", "likely"),
    [
        (KEY, SecretKind.WRITE_KEY, SecretKind.WRITE_KEY),
        (TOKEN, SecretKind.TOKEN, SecretKind.TOKEN),
        ("spk_lookalike_production_0001", SecretKind.SPRIG_KEY, SecretKind.SPRIG_KEY),
        ((KEY * 7)[:200], None, SecretKind.UNKNOWN),
        ((KEY * 7)[:201], None, None),
        ("0f8fad5b-d9cb-469f-a165-70867728950e", None, SecretKind.UNKNOWN),
        ("d41d8cd98f00b204e9800998ecf8427e", None, SecretKind.UNKNOWN),
        (KEY[:15], None, None),
        ("acct_88213", None, None),
        (f"{KEY} {KEY}", None, None),
    ],
)
def test_what_is_taken_for_a_secret(text, certain, likely):
    """Ids are searched for, and go into a field; beside the fields nothing is lost by caution."""
    assert certain_secret(text) is certain
    assert likely_secret(text) is likely


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"status:failed {KEY}", False),
        (f'user:"{KEY}" OR (text:sgp_inventedTokenOfTheWorkspace)', False),
        ("user:acct_88213 survey:Checkout since:yesterday", True),
        ("id:d41d8cd98f00b204e9800998ecf8427e", True),
    ],
)
def test_a_filter_that_holds_a_key_is_not_kept(text, kept):
    assert holds_secret(text) != kept


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"{json.dumps(flat(number))}\r" for number in range(3)),
        "\r\n".join(json.dumps(flat(number), indent=2).replace("\n", "\r\n") for number in range(3)),
        json.dumps([flat(number) for number in range(3)]),
        json.dumps({"data": [flat(number) for number in range(3)]}, indent=1),
    ],
    ids=["lines", "documents", "list", "page"],
)
def test_pasted_records_are_read_as_a_file_is(text):
    held = held_paste(text, 1_767_261_900_000)
    file = RecordFile([held])
    assert [record.user_id for _, record in file.each()] == ["acct_0", "acct_1", "acct_2"]
    assert {record.origin.name for _, record in file.each()} == {"pasted"}
    assert (file.count, file.complete, file.name) == (3, True, held.title)
    assert held == held_paste(text, 0)
    assert held != held_paste(f"{text} ", 0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"responseGroupId": "group-1", "question": "How', "it ends too early"),
        ('{"userId": "a", "response": 5}', "holds no answers"),
        ("[1, 2, 3]", "holds no answers"),
        ("{" + TRACE, "holds no answers"),
        ("{\x1b]0;owned\x07" + "\x1b[2J" * 9, "holds no answers"),
    ],
)
def test_a_text_without_answers_is_not_opened(text, why):
    with pytest.raises(InputError, match=why) as raised:
        RecordFile([held_paste(text, 0)])
    assert raised.value.message.startswith("text pasted at ")
