"""Rules by which a record is a person's: members, spellings, escapes, hostile content, names and quoted texts."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.errors import InputError
from sprig_tui.journal.persons import (
    Identifier,
    NameSearch,
    PersonMatcher,
    identifier_hash,
    identifiers_in,
    identifiers_of_person,
    is_in_name,
    make_identifier,
)
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.quotes import REMOVED_TEXT, cleaned_attempt

USER = make_identifier("user", "jane-7")
MATCHER = PersonMatcher.of([USER, make_identifier("email", "Jane@X.example"), make_identifier("visitor", "V-9")])


@given(
    name=st.sampled_from(["userId", "externalUserId", "User ID", "user_id"]),
    user=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(lambda text: text.strip()),
    ascii_only=st.booleans(),
    deep=st.booleans(),
)
def test_user_is_found_however_the_record_is_written(name, user, ascii_only, deep):
    record = {"response": "5", name: user}
    content = json.dumps({"visitorSnapshot": record} if deep else record, ensure_ascii=ascii_only).encode()
    assert Identifier("user", user.strip()) in set(identifiers_in(content))


@pytest.mark.parametrize(
    ("content", "is_theirs"),
    [
        (b'{"userId": "jane-7"}', True),
        (b'{"userId":\n "jane-7"}', True),
        (b'{"user\\u0049d": "jane\\u002d7"}', True),
        (b'{"visitorUuid": "v-9"}', True),
        (b'{"attributes": {"mail": " JANE@x.example "}}', True),
        (b'{"attributes": {"mail": "jane\\u0040x.example"}}', True),
        (b'{"response": "ask jane@x.example, she knows"}', False),
        (b'{"response": "userId: jane-7"}', False),
        (b'{"response": "jane-7"}', False),
        (b'{"userId": "jane-70"}', False),
        (b'{"userId": true, "visitorId": null, "email": 7}', False),
        (b'{"USERID": "jane-7"}', True),
        (b'{"user-id": "jane-7", "visitor UUID": null}', True),
        (b'{"userId": ["ann-1", "jane-7"]}', True),
        (b'{"externalUserIds": ["jane-7"]}', False),
        (b"jane-7;4;2026", True),
        (b"cut off jane@x.example", True),
        (b'{"userId": "jane-7", "cut', True),
        (b"\xff\xfe{", False),
        (b"[" * 100_000, False),
        (b'{"userId": "' + b"x" * 100_000, False),
        (b'{"a":' * 950 + b'{"userId": "\\u006aane-7"}' + b"}" * 950, True),
        (b'{"a":' * 9_000 + b'{"userId": "\\u006aane-7"}' + b"}" * 9_000, True),
        (b'{"a":' * 9_000 + b'"\\n"' + b"}" * 9_000, False),
        (b'{"a":' * 9_000 + b'{"user\\u0049\\u0064": "jane-7"}' + b"}" * 9_000, True),
        (b'{"a":' * 9_000 + b'{"userId": "j\\\\u0061ne-7"}' + b"}" * 9_000, False),
        (b'{"userId": "\\u006aane-7", "cut', True),
        (b'{"a":' * 9_000 + b'{"userId": "\\ud83d\\ude00-7"}' + b"}" * 9_000, False),
        (b'{"a": "\\n", "userId": ' + b"7" * 9_000 + b"}", False),
        (b"", False),
    ],
)
def test_record_of_a_person(content, is_theirs):
    assert MATCHER.matches("", content) is is_theirs


def test_user_id_of_the_row_counts_too():
    assert MATCHER.matches(" jane-7 ")
    assert not MATCHER.matches("")


def test_address_as_user_id_is_found_when_the_content_is_gone():
    assert MATCHER.matches("Jane@x.example")
    assert PersonMatcher.of([Identifier("user", "Jane@x.example")]).matches("Jane@x.example")


@pytest.mark.parametrize("content", [b"{'userId': 'jane-7'}", b'{userId: "jane-7"}', b'{"text": 1, userId: jane-7}'])
def test_content_that_is_no_json_is_searched_by_words(content):
    assert MATCHER.matches("", content, is_readable=False)
    assert not MATCHER.matches("", b'{"response": "jane-7"}', is_readable=False)


def test_spellings_of_unicode_are_one():
    composed, split = "ren\u00e9-7", "rene\u0301-7"
    assert make_identifier("user", composed) == make_identifier("user", split)
    for text in (composed, split):
        assert PersonMatcher.of([make_identifier("user", composed)]).matches("", json.dumps({"userId": text}).encode())
        assert PersonMatcher.of([make_identifier("user", split)]).matches(text)


@pytest.mark.parametrize("text", ["", " ", "a\0b", "x" * 5_000])
def test_what_is_no_identifier(text):
    with pytest.raises(InputError):
        make_identifier("user", text)


def test_number_is_an_id():
    assert set(identifiers_in(b'{"userId": 42, "oldVisitorId":48211930}')) == {
        Identifier("user", "42"),
        Identifier("visitor", "48211930"),
    }


def test_person_of_a_record_is_no_other_person_in_it():
    record = {"userId": "jane-7", "email": "jane@x.example", "attributes": {"manager": "bob@x.example"}}
    record["attributes"] |= {"managerUserId": "bob-1", "supervisorid": "bob-1", "lastVisitorId": "bob-1"}
    found = identifiers_of_person("jane-7", json.dumps(record).encode())
    assert found == (USER, Identifier("email", "jane@x.example"))
    assert identifiers_of_person("", b"no JSON") == ()


def test_hash_needs_the_key_and_tells_kinds_apart():
    hashes = {
        identifier_hash(key, one) for key in (b"a" * 32, b"b" * 32) for one in (USER, Identifier("email", "jane-7"))
    }
    assert len(hashes) == 4


@pytest.mark.parametrize(
    ("name", "is_theirs"),
    [("answers of jane-7.jsonl.gz", True), ("jane-7/answers.csv", True), ("jane-70.csv", False), ("webhook", False)],
)
def test_name_of_a_file(name, is_theirs):
    assert is_in_name(MATCHER, name) is is_theirs


def test_filters_that_name_a_person():
    search = NameSearch([USER])
    assert search.is_in_query(Query((Term("user", "jane-7*"),), ""))
    assert search.is_in_query(Query((), 'survey:"about jane-7"'))
    assert search.is_in_query(Query((Term("survey", "about jane-7"),), ""))
    assert not NameSearch([Identifier("user", "user")]).is_in_query(Query((Term("user", "jane-7"),), "user:jane-7"))
    assert not NameSearch([Identifier("user", "failed")]).is_in_query(Query((Term("status", "failed"),), ""))
    assert not search.is_in_query(Query((Term("user", "jane-70"),), "user:jane-70"))
    assert not NameSearch([Identifier("user", "5")]).is_in("attempts:>5")


@pytest.mark.parametrize(
    ("name", "is_theirs"), [("2026/5/a.csv", False), ("part 5.csv", False), ("5.csv.gz", True), ("in/5", True)]
)
def test_short_id_is_only_the_whole_name_of_a_file(name, is_theirs):
    assert is_in_name(PersonMatcher.of([Identifier("user", "5")]), name) is is_theirs


_texts = st.text(st.sampled_from("aB1_-. @é"), max_size=12)


@given(
    _texts.filter(lambda text: len(text) > 3 and re.search(r"\w", text.replace("_", ""))),
    st.lists(_texts, max_size=3),
    _texts,
)
def test_name_is_found_as_a_word_among_any_other_names(name, others, text):
    pattern = re.compile(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", re.IGNORECASE)
    longer = [Identifier("user", one) for one in others]
    for whole in (text, text + name, name + text, f"{text} {name}."):
        assert NameSearch([Identifier("user", name)]).is_in(whole) is (pattern.search(whole) is not None)
        assert NameSearch([*longer, Identifier("user", name)]).is_in(whole) or not pattern.search(whole)


def test_many_names_are_looked_up_by_their_rarest_word():
    search = NameSearch([Identifier("email", f"p{number}@example.com") for number in range(1_000)])
    assert max(len(found) for found in search._by_word.values()) == 1
    assert search.is_in("from P999@example.com.")
    assert not search.is_in("p1000@example.com")


@pytest.mark.parametrize(
    ("request_was", "cleaned"),
    [
        ((200, "", '{ "success": true }'), None),
        ((400, "invalid_request", '{"userId": "x"}'), ("invalid_request", REMOVED_TEXT)),
        ((400, "no such user x", ""), (REMOVED_TEXT, "")),
        ((0, "connection refused: 127.0.0.1", ""), None),
        ((503, "http 503", ""), None),
        ((400, REMOVED_TEXT, REMOVED_TEXT), None),
    ],
)
def test_response_that_may_quote_a_person(request_was, cleaned):
    assert cleaned_attempt(*request_was) == cleaned
