"""Entry builder: routing and columns of an entry."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from sprig_tui.config.environment import Environment
from sprig_tui.errors import ConfigError
from sprig_tui.ingest import PREVIEW_CHARS, EntryBuilder, preview
from sprig_tui.journal.records import State
from sprig_tui.mapping.records import Rules, StoreRaw
from sprig_tui.reasons import Reason
from sprig_tui.sprig.records import Origin, StudyResponse, Unsendable

NOW = 1_790_000_000_000
CONFIGURED = {
    "production": Environment(name="production", sprig_environment_id="env-prod-1"),
    "development": Environment(name="development"),
}


class Frozen:
    def now(self) -> int:
        return NOW


def intake(declared: str | None = None, environments: dict[str, Environment] | None = None) -> EntryBuilder:
    return EntryBuilder(Rules(), CONFIGURED if environments is None else environments, declared, clock=Frozen())


def response(**given_: Any) -> StudyResponse:
    fields: dict[str, Any] = {
        "origin": Origin("nps.jsonl", "flat", 14),
        "raw": b'{"response":4}',
        "paths": {},
        "response": Raw(b"4"),
        "response_group_id": "group-1",
        "question": "How easy was it?",
        "question_type": "LIKERT",
        "question_id": "q-1",
        "user_id": "acct_88213",
        "answered_at": "2026-08-01T10:00:00.000Z",
        "survey_id": 12345,
        "survey_name": "Checkout effort",
    }
    return StudyResponse(**(fields | given_))


def test_entry_has_every_column() -> None:
    entry = intake("production").entry(response(updated_at="2026-08-02T10:00:00.000Z"))
    assert (entry.environment, entry.reason, entry.detail) == ("production", "", "")
    assert (entry.survey_id, entry.survey_name, entry.user_id) == ("12345", "Checkout effort", "acct_88213")
    assert (entry.question_type, entry.question_id, entry.answer) == ("LIKERT", "q-1", "4")
    assert (entry.source, entry.line, entry.raw) == ("nps.jsonl", 14, b'{"response":4}')
    assert entry.answered_at == 1_785_578_400_000
    assert entry.updated_at == entry.answered_at + 86_400_000
    assert len(entry.digest) == 8
    call = json.loads(entry.body)
    assert call["messageId"] == entry.message_id
    assert call["userId"] == "acct_88213"
    assert not entry.edited
    assert intake("production").entry(response(), edited=True).edited


@pytest.mark.parametrize(
    ("declared", "record", "goes_to", "says"),
    [
        # the record's own word
        (None, {"environment": "development"}, "development", ""),
        (None, {"environment": " Production "}, "production", ""),
        (None, {"environment_id": "env-prod-1"}, "production", ""),
        (None, {"environment": "production", "environment_id": "env-prod-1"}, "production", ""),
        ("production", {"environment_id": "env-prod-1"}, "production", ""),
        # the declaration
        ("development", {}, "development", ""),
        ("development", {"environment_id": ""}, "development", ""),
        (
            "development",
            {"environment_id": "env-9"},
            "development",
            "which none of yours has; using your choice, development",
        ),
        # withheld
        (None, {}, "", "choose one (-e development)"),
        (None, {"environment_id": "env-9"}, "", "env-9, which none of yours has: set sprig_environment_id"),
        ("production", {"environment_id": "env-9"}, "", "env-9, but production has env-prod-1"),
        ("development", {"environment_id": "env-prod-1"}, "", "which is that of production, but you chose development"),
        ("production", {"environment": "development"}, "", "names development, but you chose production"),
        (None, {"environment": "staging"}, "", "names environment staging, and there is none of that name"),
        ("production", {"environment": "staging"}, "", "names environment staging, and there is none of that name"),
        (None, {"environment": "development", "environment_id": "env-prod-1"}, "", "env-prod-1 is that of production"),
    ],
)
def test_record_is_routed_to_its_environment(
    declared: str | None, record: dict[str, str], goes_to: str, says: str
) -> None:
    entry = intake(declared).entry(response(**record))
    assert entry.environment == goes_to
    assert entry.reason == ("" if goes_to else Reason.ENVIRONMENT_UNKNOWN)
    assert says in entry.detail
    assert bool(entry.detail) == bool(says)
    assert bool(entry.body) == bool(goes_to)


def test_default_environment_must_be_configured() -> None:
    with pytest.raises(ConfigError, match="no environment is called staging") as caught:
        intake("staging")
    assert caught.value.hint == "use one of: production, development"


def test_without_environments_everything_is_withheld() -> None:
    assert intake(environments={}).entry(response()).reason == Reason.ENVIRONMENT_UNKNOWN


def test_other_reasons_take_precedence_over_unknown_environment() -> None:
    entry = intake().entry(response(user_id=None))
    assert (entry.reason, entry.environment) == (Reason.ANONYMOUS, "")
    assert "userId" in entry.detail


def test_message_id_differs_by_environment() -> None:
    ids = {intake(name).entry(response()).message_id for name in (None, "production", "development")}
    assert len(ids) == 3
    assert intake().entry(response()).message_id == intake().entry(response()).message_id


def unsendable(**given_: Any) -> Unsendable:
    fields: dict[str, Any] = {
        "origin": Origin("webhook"),
        "raw": b'{"test":true}',
        "reason": Reason.TEST_WEBHOOK,
        "detail": "Sprig's test webhook",
    }
    return Unsendable(**(fields | given_))


def test_unsendable_record_keeps_its_reason_and_bytes() -> None:
    entry = intake("production").entry(unsendable(path="data[3].responseGroupUid", survey_id="7", user_id="acct_1"))
    assert (entry.environment, entry.reason) == ("production", Reason.TEST_WEBHOOK)
    assert entry.detail == "data[3].responseGroupUid: Sprig's test webhook"
    assert (entry.raw, entry.body) == (b'{"test":true}', b"")
    assert (entry.survey_id, entry.user_id) == ("7", "acct_1")


def test_unsendable_record_read_twice_has_the_same_id() -> None:
    first, again, other = (
        intake("production").entry(unsendable(raw=raw)).message_id for raw in (b"\xff{", b"\xff{", b"\xff}")
    )
    assert first == again != other


def test_stats_count_by_state_and_reason() -> None:
    taken = intake("production")
    list(taken.entries([response(), response(), response(user_id=None), unsendable()]))
    assert taken.stats == {
        (State.QUEUED, ""): 2,
        (State.WITHHELD, Reason.ANONYMOUS): 1,
        (State.WITHHELD, Reason.TEST_WEBHOOK): 1,
    }


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (b"4", "4"),
        (b"null", "null"),
        (b'""', ""),
        (b'"Slow"', "Slow"),
        (b'"a \\"quoted\\" word\\n"', 'a "quoted" word\n'),
        ('"日本語 🙂"'.encode(), "日本語 🙂"),
        (b'{"Speed":"Good"}', '{"Speed":"Good"}'),
        (b'"half \\ud83d pair"', "half \\ud83d pair"),
        (b"123456789012345678901234567890", "123456789012345678901234567890"),
    ],
)
def test_preview_of_an_answer(answer: bytes, shown: str) -> None:
    assert preview(Raw(answer)) == shown


@pytest.mark.parametrize("character", ["a", "é", "語", "🙂", "\\n", '\\"'])
def test_preview_of_a_long_answer_ends_with_an_ellipsis(character: str) -> None:
    shown = preview(Raw(f'"{character * 40_000}"'.encode()))
    assert len(shown) == PREVIEW_CHARS
    assert shown.endswith("…")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_preview_of_any_answer_is_valid_unicode(answer: Any) -> None:
    for ascii_only in (True, False):
        written = json.dumps(answer, ensure_ascii=ascii_only, separators=(",", ":")).encode()
        shown = preview(Raw(written))
        assert len(shown) <= PREVIEW_CHARS
        shown.encode()
        if isinstance(answer, str) and len(answer) <= PREVIEW_CHARS:
            assert shown == answer


def test_hostile_texts_are_cut_and_valid_unicode() -> None:
    entry = intake("production").entry(
        response(survey_name="n" * 100_000, user_id="half \ud83d pair", question_id="\udc00", survey_id=2**63)
    )
    assert len(entry.survey_name) == 500
    for text in (entry.survey_name, entry.user_id, entry.question_id, entry.detail, entry.answer):
        text.encode()
    assert entry.survey_id == "9223372036854775808"
    again = intake("production").entry(unsendable(detail="\ud83d" * 10_000, user_id="\ud83d"))
    (again.detail + again.user_id).encode()
    # the name of a file is bytes: what is not UTF-8 in it comes as halves of pairs
    for record in (response(origin=Origin("\udcff.jsonl", "flat", 1)), unsendable(origin=Origin("\udcff.jsonl"))):
        assert intake("production").entry(record).source == "?.jsonl"


def test_route_cache_is_bounded() -> None:
    taken = intake()
    for number in range(5_000):
        taken.entry(response(environment_id=f"env-{number}"))
    assert len(taken._routes) <= 1_024


def kept(store_raw: StoreRaw, record: Any, **rules: Any) -> Any:
    builder = EntryBuilder(Rules(store_raw=store_raw, **rules), CONFIGURED, "production", clock=Frozen())
    return builder.entry(record)


def test_store_raw_says_what_is_kept_of_a_record() -> None:
    record = response(response=Raw(b'"Slow checkout"'), raw=b'{"everything":1}')
    full, mapped, none = (kept(choice, record) for choice in ("full", "mapped", "none"))
    assert [entry.raw for entry in (full, mapped, none)] == [b'{"everything":1}', b"", b""]
    assert full.body == mapped.body == none.body != b""
    assert [entry.answer for entry in (full, mapped, none)] == ["Slow checkout", "Slow checkout", ""]
    assert len({(entry.message_id, entry.digest) for entry in (full, mapped, none)}) == 1


def test_the_answer_in_lists_is_what_the_rules_send_where_the_record_is_not_kept() -> None:
    record = response(response=Raw(b'{"email":"m@example.com","n":1}'))
    inside, whole = frozenset({"properties.response.email"}), frozenset({"properties.response"})
    assert kept("full", record, omit=inside).answer == '{"email":"m@example.com","n":1}'
    assert kept("mapped", record, omit=inside).answer == '{"n":1}'
    assert kept("mapped", record, omit=whole).answer == ""
    assert kept("mapped", response(response=Raw(b'"Yes"')), hash=whole).answer == hashlib.sha256(b"yes").hexdigest()


def test_store_raw_none_keeps_no_call_of_what_is_withheld() -> None:
    anonymous = response(user_id="", response=Raw(b'"Slow"'))
    assert [bool(kept(choice, anonymous).body) for choice in ("full", "mapped", "none")] == [True, True, False]
    lost = Unsendable(origin=Origin("a.jsonl"), raw=b"{broken", reason=Reason.INVALID, detail="broken")
    assert [kept(choice, lost).raw for choice in ("full", "mapped", "none")] == [b"{broken", b"", b""]
    assert len({kept(choice, lost).message_id for choice in ("full", "mapped", "none")}) == 1
