"""From the picture of Segment's counts to what is missing, and to its repair, and why, in both sizes."""

from __future__ import annotations

import pytest
from support.workspace_lookalike import DEVELOPMENT_KEY

from .terminal import DOWN, ENTER, ESCAPE, NARROW

pytestmark = pytest.mark.timeout(240)


def test_three_lost_answers_are_seen_sent_again_and_counted(home, terminal, workspace):
    where = f'public_api_token = "{workspace.token}"\nregion = "{workspace.url}"\n'
    home.write(f'[segment]\n{where}[reconcile]\nhold_back = "0s"\n')
    home.key(key=DEVELOPMENT_KEY, endpoint=workspace.url)
    one = terminal(home.sample("flat.jsonl", environment="development"), size=NARROW)
    one.shows("flat.jsonl  1 of 4", "no deliveries yet")
    one.press("1", DOWN)
    one.shows("t test")
    one.press("2")
    one.shows("S send all")
    one.press("S")
    one.shows("y Send 4")
    one.press("y")
    one.shows("4 records, 4 queued")
    one.until(lambda: [each.attempts for each in home.deliveries()] == [1] * 4)
    one.press("c")
    one.shows_in_both("Development  ! short by 3: Segment counted 1 of 4", "!! ", "development is the source Acme dev")
    one.press("n", ENTER)
    one.shows_in_both("/env:development status:delivered se", "delivered 200", gone="Reconcile ──")
    one.press("c")
    one.shows("short by 3", "R send again", "asked at")
    one.press("R")
    one.shows_in_both("Replay 4 deliveries?", "Segment has not counted 3 of them")
    one.press(ENTER)
    one.shows("R send again", gone="Replay 4 deliveries?")
    one.press("R")
    one.shows("Replay 4 deliveries?")
    one.press("y")
    one.shows("4 queued again")
    one.until(lambda: [each.attempts for each in home.deliveries()] == [2] * 4)
    one.press("r")
    one.shows_in_both("Development  ✓ agrees: Segment counted 4 of 4")
    one.press(ESCAPE)
    one.shows("Deliveries ──", gone="Reconcile ──")
    one.press("1")
    one.shows_in_both("✓ Segment counted 4 of 4 at")
    one.press("3", "g", ENTER)
    one.shows("esc back")
    one.press("E")
    one.shows_in_both("took it: yes", "belongs to a source of the workspace: yes")
    one.press("q", "q", "q")
    assert one.leave() == 0
    one.assert_as_it_was()
