"""Refusals of the Payload pane: why a command has nothing to act on."""

from __future__ import annotations

from typing import NamedTuple

from sprig_tui.console.payload.inspection import Inspection

_NEEDS_RECORD = frozenset({"send_record", "edit_record", "edit_field", "copy_value", "copy_json", "copy_curl"})
_NEEDS_RECORD_KEPT = {
    "edit_record": "it cannot be edited",
    "edit_field": "it cannot be edited",
    "map_again": "it cannot be mapped again",
}
_NEEDS_LINE = frozenset({"edit_field", "copy_value"})
_NEEDS_FILE = frozenset(
    {"send_file", "next_record", "previous_record", "go_to_record", "only_troubled", "list_records"}
)


class PaneState(NamedTuple):
    """What the pane shows, as far as its commands need it."""

    inspection: Inspection | None
    is_delivery: bool
    """Whether it is a delivery of the log, not a record of a file, nor an edited one."""
    is_comparable: bool
    """Whether it was made of a delivery."""
    is_edited: bool
    """Whether it was edited here, and not sent yet."""
    has_file: bool
    """Whether a file is open."""
    is_hidden: bool
    """Whether the list of records hides it."""


def refusal(action: str, state: PaneState) -> str:  # noqa: PLR0911 - a reason for each
    """Why the command of an action cannot be used now; empty when it can."""
    shown = state.inspection
    if action in _NEEDS_RECORD and shown is None:
        return "no payload is shown: open a file with o, or select a delivery"
    if action == "explain" and not state.is_delivery:
        return "explain: this is no delivery of the log; select one there"
    if action in _NEEDS_LINE and state.is_hidden:
        return "the record is hidden by the list: enter opens it"
    if action in _NEEDS_FILE and not state.has_file:
        return "no file is open: o opens one"
    if action == "compare" and not state.is_comparable:
        return "compare: this is no delivery of the log, and no edited one"
    if action == "undo_edit" and not (shown is not None and state.is_edited):
        return "this record was not edited here"
    if action in _NEEDS_RECORD_KEPT and shown is not None and shown.no_record:
        return f"{_NEEDS_RECORD_KEPT[action]}: {shown.no_record}"
    if action == "map_again" and not (state.is_delivery and shown is not None and shown.record is not None):
        return "only a delivery of the log can be mapped again, and only if its record can be read by itself"
    return ""
