"""Entry columns: the same entries as the records that it is made of."""

import msgspec
import pytest

from sprig_tui.journal.entry_columns import PLAIN_COLUMNS, EntryColumns, PackedEntries
from sprig_tui.journal.entry_payloads import body_sizes, join_bodies
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


def sent_and_received(columns: EntryColumns) -> EntryColumns:
    """The columns after they went through a pipe."""
    sent = msgspec.msgpack.encode(columns.packed())
    return EntryColumns.from_packed(msgspec.msgpack.decode(sent, type=PackedEntries))


@pytest.mark.parametrize("entries", [[], SEVERAL[:1], SEVERAL, [entry(1)] * 3], ids=["none", "one", "several", "equal"])
def test_columns_are_the_same_after_a_pipe(entries: list[NewDelivery]) -> None:
    columns = EntryColumns.of(entries)
    received = sent_and_received(columns)
    assert list(received) == entries
    assert len(received) == len(entries)
    assert [received[at] for at in range(len(entries))] == entries
    assert list(received[1:]) == entries[1:]
    assert [*received.packs()] == [*columns.packs()]


def test_payloads_are_packed_once_and_stay_so_where_columns_are_joined() -> None:
    first, second = (
        sent_and_received(EntryColumns.of(SEVERAL)),
        sent_and_received(EntryColumns.of([entry(4, body=b"4")])),
    )
    joined = EntryColumns.joined([first, second])
    assert [*joined.packs()] == [*first.packs(), *second.packs()]
    assert list(joined) == [*SEVERAL, entry(4, body=b"4")]
    # beside one that is not packed, and in a part, they are packed anew
    mixed = EntryColumns.joined([first, [entry(5)]])
    assert [one.entries for one in mixed.packs()] == [4]
    assert list(mixed) == [*SEVERAL, entry(5)]
    assert [one.entries for one in joined[1:].packs()] == [3]


def test_part_of_joined_calls_is_that_of_single_ones() -> None:
    bodies = [b"1", b"22", b"", b"4"]
    joined = sent_and_received(EntryColumns.of([entry(at, body=body) for at, body in enumerate(bodies)])).column("body")
    assert body_sizes(joined) == body_sizes(bodies) == [1, 2, 0, 1]
    for part in (slice(0, 4), slice(0, 1), slice(1, 3), slice(3, 4)):
        assert join_bodies(joined, part) == join_bodies(bodies, part) == b",".join(bodies[part])


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
