"""Keys of identities: those of many entries are those of each."""

import pytest

from sprig_tui.journal.dedup import identity_key, identity_keys
from sprig_tui.journal.records import NewDelivery

OWN = "sprig-0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "message_ids",
    [
        [],
        [OWN],
        [OWN, "sprig-ffffffffffffffff0123456789abcdef"],
        [OWN, "sprig-FFFFFFFFFFFFFFFF0123456789abcdef"],
        [OWN, "a-foreign-id"],
        [OWN, "other-0123456789abcdef0123456789abcdef"],
        [OWN, "sprig-0123_5678_9abcdef0123456789abcde"],
        [OWN, "sprig-  23  67  9abcde  23456789abcdef"],
        [OWN, "sprig-not hexadecimal at all 0123456789"],
    ],
    ids=["none", "one", "own", "capitals", "foreign", "other prefix", "underscores", "spaces", "no digits"],
)
def test_keys_of_many_entries_are_those_of_each(message_ids: list[str]) -> None:
    entries = [NewDelivery("production", one) for one in message_ids]
    assert identity_keys(entries) == [identity_key("production", one) for one in message_ids]
