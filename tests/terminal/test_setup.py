"""From a fresh home to an answer that Segment counted, by following the set-up screen alone."""

from __future__ import annotations

import pytest
from support.workspace_lookalike import PRODUCTION_KEY, WorkspaceLookalike

from .terminal import DOWN, ENTER, ESCAPE, NARROW

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def newcomer(home):
    """A home in which nothing was done, but that the look-alike stands in the place of Segment."""
    home.set_up_mark.unlink()
    with WorkspaceLookalike() as workspace:
        home.write(
            f'[segment]\nregion = "{workspace.url}"\n[environments.production]\nendpoint = "{workspace.url}"\n'
            f'[environments.development]\nendpoint = "{workspace.url}"\n'
        )
        home.paths.config_file.chmod(0o600)
        yield workspace


def send_the_first_record(one):
    """From the step about Sprig, over a file, to the record that is sent, and back to the set-up."""
    one.press(ENTER)
    one.shows("Open a file or folder", "flat.jsonl")
    one.write(f"flat.jsonl{ENTER}")
    one.shows("flat.jsonl  1 of 4", gone="Set-up ──")
    one.press("s")
    one.shows("Send this record to production?")
    one.press("y")
    one.shows("delivered 200", gone="Send this record")
    one.press("i")


def test_with_a_token_a_source_is_made_and_the_first_answer_is_seen_counted(home, terminal, newcomer):
    newcomer.sources, newcomer.destinations = [], []
    home.sample("flat.jsonl", environment="production")
    one = terminal(size=NARROW)
    one.shows("Set-up ── production ── 0 of 7 done", "store a token of Segment's Public API")
    one.press(ENTER)
    one.shows("Token of Segment's Public API", "type or paste")
    one.paste(newcomer.token)
    one.press(ENTER)
    one.shows("⏎  make a source in Segment", gone="type or paste")
    one.press(ENTER)
    one.shows("Make this source in Segment?", "sprig-production")
    one.press("y")
    one.shows("Sprig (Production) (HTTP", "⏎  open a file of answers", gone="Make this source")
    send_the_first_record(one)
    one.shows("Set-up ── production ──", "Arrival       done             counted by Segment: 1")
    assert [each["userId"] for each in newcomer.sink.events] == ["acct_88213"]
    one.press(ESCAPE)
    one.shows("Deliveries ── 1 ", gone="Set-up ──")
    one.press("q")
    assert one.leave() == 0
    one.assert_as_it_was()


def test_without_a_token_a_pasted_key_leads_there_too(home, terminal, newcomer):
    home.sample("flat.jsonl", environment="production")
    one = terminal(size=NARROW)
    one.shows("Set-up ── production ── 0 of 7 done")
    one.press(DOWN, ENTER)
    one.shows("Write key of production")
    one.paste(PRODUCTION_KEY)
    one.press(ENTER)
    one.shows("Write Key     done", gone="Write key of production")
    one.shows("⏎  open a file of answers")
    send_the_first_record(one)
    one.shows("Set-up ── production ──", "Arrival       cannot be known", "First answer  done")
    one.press(ESCAPE)
    one.shows("Deliveries ── 1 ", gone="Set-up ──")
    one.press("q")
    assert one.leave() == 0
