"""Entry columns: the same entries as the records that it is made of."""

import msgspec
import pytest

from sprig_tui.journal.entry_columns import PLAIN_COLUMNS, EntryColumns
from sprig_tui.journal.records import NewDelivery
from sprig_tui.reasons import Reason


def entry(number: int, **fields: object) -> NewDelivery:
    made = NewDelivery("production", f"sprig-{number}", b"%08d" % number, user_id=f"acct_{number}", line=number)
    return msgspec.structs.replace(made, **fields)


SEVERAL = [
    entry(1, raw=b"{}", body=b'{"a":1}'),
    entry(2, reason=Reason.ANONYMOUS, detail="no User ID"),
    entry(3, environment="development", edited=True, origin_id=7, endpoint="http://127.0.0.1:9"),
]


@pytest.mark.parametrize("entries", [[], SEVERAL[:1], SEVERAL, [entry(1)] * 3], ids=["none", "one", "several", "equal"])
def test_columns_are_a_sequence_of_their_entries(entries: list[NewDelivery]) -> None:
    columns = EntryColumns.of(entries)
    assert list(columns) == entries
    assert len(columns) == len(entries)
    assert [columns[at] for at in range(len(entries))] == entries
    assert list(columns[1:]) == entries[1:]
    assert list(columns.column("user_id")) == [one.user_id for one in entries]
    assert EntryColumns.of(columns) is columns


@pytest.mark.parametrize("entries", [[], SEVERAL[:1], SEVERAL, [entry(1)] * 3], ids=["none", "one", "several", "equal"])
def test_columns_are_the_same_after_a_pipe(entries: list[NewDelivery]) -> None:
    sent = msgspec.msgpack.encode(EntryColumns.of(entries).short_columns())
    assert list(EntryColumns.from_short(msgspec.msgpack.decode(sent), len(entries))) == entries


def test_columns_and_lists_are_joined_in_order() -> None:
    first, second = EntryColumns.of(SEVERAL), [entry(4), entry(5)]
    assert list(EntryColumns.joined([first, second, [], first[:1]])) == [*SEVERAL, *second, SEVERAL[0]]
    assert list(EntryColumns.joined([second, [entry(6)]])) == [*second, entry(6)]
    assert list(EntryColumns.joined([])) == []
    # what is joined stays as it is
    assert list(first) == SEVERAL


def test_common_value_is_that_of_all_entries() -> None:
    assert EntryColumns.of([entry(1), entry(2)]).common("environment") == "production"
    # the first and the last are the same, the one between is another
    assert EntryColumns.of([entry(1), SEVERAL[2], entry(2)]).common("environment") is None
    assert EntryColumns.of(SEVERAL).common("line") is None
    assert EntryColumns.of([]).common("environment") is None


def test_plain_columns_are_texts_and_whole_numbers() -> None:
    plain = [getattr(SEVERAL[0], name) for name in PLAIN_COLUMNS]
    assert {type(value) for value in plain} == {str, int}
    others = {"environment", "message_id", "digest", "reason", "edited", "raw", "body", "endpoint", "origin_id"}
    assert {*NewDelivery.__struct_fields__} == {*PLAIN_COLUMNS, *others}
