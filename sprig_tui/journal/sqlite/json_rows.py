"""JSON rows: deliveries that SQLite writes as one text, and that are decoded in one call.

Each row that Python fetches releases and acquires the GIL, and each of its thirty values becomes an object twice. One
text takes half the CPU, and other threads run while SQLite writes it.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from sprig_tui.journal.records import Delivery
from sprig_tui.journal.rows import (
    CONTENT_DROPPED,
    IS_HELD,
    IS_REPLAYED,
    REPAIRED_BY,
    SELECT_DELIVERY,
    STATES_BY_CODE,
    delivery_from_row,
)

_STATE = "CASE d.state " + " ".join(f"WHEN {code} THEN '{state}'" for code, state in enumerate(STATES_BY_CODE)) + " END"
_OTHER_EXPRESSIONS = {
    "environment": "e.name",
    "state": _STATE,
    "status": "coalesce(a.status, 0)",
    "latency_ms": "coalesce(a.latency_ms, 0.0)",
    "settled_at": "CASE WHEN a.started_at THEN CAST(a.started_at + a.latency_ms AS INTEGER)"
    " WHEN d.state THEN d.added_at ELSE 0 END",
    "leased": "d.lease IS NOT NULL",
    "origin_id": "coalesce(d.origin, 0)",
    "endpoint": "coalesce(a.endpoint, '')",
    "bound_for": "e.endpoint",
    "replayed": IS_REPLAYED,
    "content_dropped": f"d.first_try = {CONTENT_DROPPED}",
    "held": IS_HELD,
    "repaired_by": REPAIRED_BY,
}
"""Of the fields that are no column of the same name; they give what `delivery_from_row` makes of a row."""
_VALUES = ", ".join(_OTHER_EXPRESSIONS.get(name, f"d.{name}") for name in Delivery.__struct_fields__)
_FROM = SELECT_DELIVERY[SELECT_DELIVERY.index("FROM deliveries d ") :]
# booleans are 0 and 1 in SQL
_decode = msgspec.json.Decoder(list[Delivery], strict=False).decode


def select_deliveries(connection: sqlite3.Connection, rest: str, values: dict[str, Any]) -> list[Delivery]:
    """The deliveries of SELECT_DELIVERY with the rest of the statement, in no certain order."""
    statement = (
        "SELECT '[' || coalesce(group_concat(row), '') || ']'"
        f" FROM (SELECT json_array({_VALUES}) AS row {_FROM} {rest})"
    )
    try:
        return _decode(connection.execute(statement, values).fetchone()[0])
    except (msgspec.DecodeError, sqlite3.DataError):
        pass  # a value that is not of its column, or more than one text can hold
    except sqlite3.OperationalError as error:
        if "BLOB" not in str(error):  # JSON holds none, and a damaged row may
            raise
    rows = connection.execute(f"{SELECT_DELIVERY} {rest}", values).fetchall()
    return [delivery_from_row(row) for row in rows]
