"""Which commands of the Payload pane have something to act on."""

from __future__ import annotations

import pytest

from sprig_tui.console.commands.payload import COMMANDS
from sprig_tui.console.payload.inspection import Inspection
from sprig_tui.console.payload.refusals import PaneState, refusal
from sprig_tui.sprig.reader import read_responses

NOTHING = PaneState(None, is_delivery=False, is_comparable=False, is_edited=False, has_file=False, is_hidden=False)


def refused(state):
    return {command.id for command in COMMANDS if refusal(command.action(), state)}


def test_an_empty_pane_only_opens_files_and_changes_views():
    views = {"show-fields", "show-json", "show-raw", "show-curl", "next-view", "previous-view"}
    assert {command.id for command in COMMANDS} - refused(NOTHING) == {"open-file", "back-to-list", *views}


def test_a_record_of_a_file_is_no_delivery(lines_file):
    (record,) = read_responses([str(lines_file(1))])
    state = NOTHING._replace(inspection=Inspection(raw=record.raw, record=record), has_file=True)
    assert refused(state) == {"explain", "compare", "undo-edit", "map-again"}
    assert refused(state._replace(is_hidden=True)) - refused(state) == {"edit-field", "copy-value"}


@pytest.mark.parametrize("action", ["edit_record", "edit_field", "map_again"])
def test_what_needs_the_record_says_why_it_is_not_kept(action):
    state = NOTHING._replace(inspection=Inspection(raw=b"", no_record="its record was not kept"), is_delivery=True)
    assert refusal(action, state).endswith(": its record was not kept")
