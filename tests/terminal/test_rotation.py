"""A Write Key rotated in a terminal, with a workspace whose Segment makes keys: by hand, pasted, and typed too fast."""

from __future__ import annotations

import pytest
from support.workspace_lookalike import DEVELOPMENT_KEY, PRODUCTION_KEY

from sprig_tui.text import mask

from .terminal import DOWN, ENTER, ESCAPE, FULL, NARROW, SHIFT_TAB, TAB, ctrl
from .test_dialogs import walk

PASTED = "Xq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def rotating(home, terminal, workspace):
    """The console on a workspace; production is protected, development is not and is selected."""
    workspace.set_faults()

    def start(size):
        home.write(f'[segment]\npublic_api_token = "{workspace.token}"\nregion = "{workspace.url}"\n')
        home.paths.config_file.chmod(0o600)
        home.key("production", key=PRODUCTION_KEY, endpoint=workspace.url, protected=True)
        home.key("development", key=DEVELOPMENT_KEY, endpoint=workspace.url)
        one = terminal(size=size)
        one.shows("Environments", "no deliveries yet")
        one.press("1", DOWN)
        one.shows("● Development")
        return one

    return start


def key_of(home, environment):
    return home.config()["environments"][environment]["write_key"]


@pytest.mark.parametrize("size", [FULL, NARROW], ids=str)
def test_a_key_is_rotated_by_hand_and_nothing_by_keys_that_come_too_fast(rotating, home, workspace, size):
    one = rotating(size)
    acme_production, acme_dev = workspace.sources[:2]
    before = home.config()

    # a yes that was typed before the question was there is none
    one.write(f"r{ENTER}y")
    one.shows("Switch development to a new key?", "- Segment makes one more Write Key", "n or escape No")
    walk(one, 2, "n or escape No")
    one.reshape(one.other_size)
    one.shows("Switch development to a new key?", "keeps working until you remove it in Segment")
    one.press(ESCAPE)
    one.shows("Deliveries", gone="Switch development")
    one.press("r")
    one.shows("Rotate the key of development", "let Segment make the new key")
    one.press(TAB, SHIFT_TAB, ESCAPE)
    one.shows("Deliveries", gone="Rotate the key")
    # nor is a key saved that was typed before its field was there
    one.write(f"rj{ENTER}{PASTED}{ENTER}")
    one.shows("New write key of development", "enter again")
    one.press(ESCAPE)
    one.shows("Deliveries", gone="New write key")
    assert home.config() == before
    assert acme_dev["writeKeys"] == [DEVELOPMENT_KEY]

    one.press("r")
    one.shows("let Segment make the new key")
    one.press(ENTER)
    one.shows("Switch development to a new key?", "n or escape No")
    one.press("y")
    one.shows("development is switched to", "sprig-tui reconcile -e development --since", "enter or escape closes")
    one.reshape(one.other_size)
    one.shows(f"then remove {mask(DEVELOPMENT_KEY)}", "enter or escape closes")
    assert acme_dev["writeKeys"] == [DEVELOPMENT_KEY, key_of(home, "development")]
    one.press(ENTER)
    one.shows("Deliveries", gone="is switched to")

    acme_production["writeKeys"].append(PASTED)
    # a name that was typed before the question was there agrees to nothing
    one.press("k")
    one.shows("● Production")
    one.write(f"r{ENTER}production{ENTER}")
    one.shows("Switch production to a new key?", "typed before the question was there: enter again goes ahead")
    one.press(ESCAPE)
    one.shows("Deliveries", gone="Switch production")
    assert key_of(home, "production") == PRODUCTION_KEY
    one.press("r")
    one.shows("Rotate the key of production")
    one.press("j", ENTER)
    one.shows("New write key of production", "type or paste")
    one.paste(f"'{PRODUCTION_KEY}'\n")
    one.press(ENTER)
    one.shows("this is the present key of production: paste the new one")
    one.press(TAB, SHIFT_TAB, ctrl("u"))
    one.paste(f'"{PASTED[:20]}\n  {PASTED[20:]}"\n')
    one.shows(f"✓ {mask(PASTED)}, 32 characters", "it belongs to the source Acme production")
    one.press(ENTER)
    one.shows("Switch production to a new key?", "enter to accept", gone="New write key")
    one.write(f"prod{ENTER}")
    one.shows("that is not production")
    assert key_of(home, "production") == PRODUCTION_KEY
    one.write(f"uction{ENTER}")
    one.shows(f"production is switched to {mask(PASTED)}", "enter or escape closes")
    assert key_of(home, "production") == PASTED
    one.press(ESCAPE)
    one.shows("Deliveries", gone="is switched to")
    one.press("t")
    one.shows("y Send one")
    one.press("y")
    one.shows("Segment answered 200")
    assert [each["event"] for each in workspace.sink.events] == ["sprig-tui test event"]
    one.press(ESCAPE)
    one.shows("Deliveries ── 1 ", gone="Segment answered")
    one.press("q")
    assert one.leave() == 0
    one.assert_as_it_was()
    assert PASTED not in one.written.decode(errors="replace")


def test_what_segment_rejects_is_told_with_the_next_step_and_a_read_only_console_rotates_nothing(
    rotating, home, workspace, terminal
):
    one = rotating(NARROW)
    workspace.set_faults("no-new-key")
    one.press("r")
    one.shows("let Segment make the new key")
    one.press(ENTER)
    one.shows("n or escape No")
    one.press("y")
    one.shows("no key was made", "Segment calls this feature an alpha", "paste a key that was made in Segment")
    one.press(ESCAPE)
    one.shows("Deliveries", gone="no key was made")
    one.press("q")
    assert one.leave() == 0
    looking = terminal("--read-only", size=NARROW)
    looking.shows("Environments", "no deliveries yet")
    looking.press("1", "r")
    looking.until(lambda: "rotate key: this console is read-only" in looking.notices)
    looking.press("q")
    assert looking.leave() == 0
    assert key_of(home, "development") == DEVELOPMENT_KEY
