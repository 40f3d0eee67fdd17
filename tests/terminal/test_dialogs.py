"""Every dialog and form by the keyboard alone: Tab, Shift-Tab, arrows, enter, escape, y and n."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

import pytest
from textual.screen import Screen

import sprig_tui.console

from .terminal import DOWN, ENTER, ESCAPE, F3, FULL, LEFT, NARROW, RIGHT, SHIFT_TAB, TAB, TINY, UP, Terminal, ctrl

WALKED = {
    "Confirm": "t, B, b and S below",
    "ConfirmBurst": "test_pasted_keys",
    "ConfirmName": "x",
    "DetailScreen": "enter",
    "EditForm": "e",
    "ColumnChooser": "tests/console/test_columns.py",
    "CommandLineScreen": ":",
    "HelpScreen": "?",
    "InsightScreen": "I",
    "KeyForm": "a",
    "NewKeyForm": "test_rotation",
    "NoticesScreen": "@",
    "FilePicker": "o",
    "ProgressScreen": "S; test_bursts types on behind it",
    "Prompt": "n, e of Deliveries",
    "SendTestEventScreen": "test_program",
    "ReconcileScreen": "test_reconcile",
    "ExplainScreen": "test_reconcile",
    "WorkersScreen": "L",
    "SetupScreen": "test_setup",
    "SecretForm": "test_setup",
    "GuideForm": "tests/console/setup",
    "ActionPicker": "test_setup",
    "FindingPicker": "tests/console/setup",
    "CompareScreen": "= of Payload",
    "TopicsScreen": "f3",
    "WebhookForm": "tests/console/setup",
    "SourceForm": "tests/console/environments/test_sources.py: it needs a workspace",
}
"""Every screen that goes in front of the panes, and where it is walked."""
BASES = {"Dialog", "LinePicker", "TextDialog", "Zooming", "PatientScreen", "MainScreen", "Palette"}


def test_every_dialog_is_walked():
    for module in pkgutil.walk_packages(sprig_tui.console.__path__, "sprig_tui.console."):
        importlib.import_module(module.name)

    def below(kind: type) -> set[str]:
        return {kind.__name__ for _ in [0] if kind.__module__.startswith("sprig_tui")}.union(
            *(below(one) for one in kind.__subclasses__())
        )

    assert below(Screen) - BASES == set(WALKED), "a new dialog is walked here, or the table says where"


def walk(one: Terminal, stops: int, text: str) -> None:
    """Tab goes through all stops of the box with the text, and round, Shift-Tab the other way; each looks different."""
    pictures = []
    one.settle()
    before = one.box(text)
    for _ in range(stops):
        one.press(TAB)
        one.until(lambda before=before: one.box(text) != before, "another stop")
        one.settle()
        pictures.append(before := one.box(text))
    assert len(set(pictures)) == stops, "two stops look the same"
    for picture in [*reversed(pictures[:-1]), pictures[-1]]:
        one.press(SHIFT_TAB)
        one.until(lambda picture=picture: one.box(text) == picture, "the stop before")


def leave(one: Terminal, key: str, gone: str) -> None:
    one.press(key)
    one.shows("Deliveries", gone=gone)


@pytest.fixture
def waiting(home, terminal):
    """Four deliveries wait for a key of development; production has one."""

    def start():
        home.key("production", protected=True)
        one = terminal(home.sample("flat.jsonl", environment="development"))
        one.shows("flat.jsonl  1 of 4", "no deliveries yet")
        one.write(f"1{DOWN}2")
        one.write("Sy")
        one.shows("Deliveries ── 4 ", "4 records, 4 queued")
        # the notice is gone when the pictures are compared
        one.shows("Deliveries ── 4 ", gone="4 records")
        return one

    return start


def answered(one: Terminal, key: str, yes: str, look: Callable[[], None]) -> None:
    """A question, looked at in 120x40 and 80x24, between which it stays open; each way to say no leaves it."""
    one.press(key)
    for size in (FULL, NARROW):
        if one.size != size:
            one.reshape(size)
        one.shows(yes, "n or escape No", "enter takes the lit one")
        look()
    leave(one, "n", "n or escape No")
    one.press(key)
    one.shows("n or escape No")
    leave(one, ESCAPE, "n or escape No")
    one.press(key)
    one.shows("n or escape No")
    one.reshape(FULL)
    one.shows("n or escape No")
    leave(one, ENTER, "n or escape No")  # enter takes No, which is lit


def test_confirmations(waiting, home):
    one = waiting()

    def look() -> None:
        walk(one, 2, "n or escape No")
        for arrow in (RIGHT, LEFT):
            one.settle()
            before = one.box("n or escape No")
            one.press(arrow)
            one.until(lambda before=before: one.box("n or escape No") != before, "the other answer lit")

    for pane, key, yes in (
        (f"1{UP}", "t", "y Send one"),
        ("3", "B", "y Withdraw 4"),
        ("3", "b", "y Withdraw 1"),
        ("2", "S", "y "),
    ):
        one.write(pane)
        answered(one, key, yes, look)
    one.press("q")
    assert one.leave() == 0
    assert [delivery.state.value for delivery in home.deliveries()] == ["queued"] * 4


def test_confirmations_of_replays(home, segment, terminal):
    home.key(endpoint=segment.url)
    one = terminal(home.sample("flat.jsonl", environment="development"))
    one.shows("flat.jsonl  1 of 4", "no deliveries yet")
    one.press("1", DOWN, "2")
    one.press("S")
    one.shows("y Send 4")
    one.press("y")
    one.until(lambda: len(segment.events) == 4)
    one.shows("Deliveries ── 4 ", gone="▌")  # a notice may cover the box
    one.press("3")
    for key in ("R", "w", "W"):
        answered(one, key, "y ", lambda: walk(one, 2, "n or escape No"))
    one.press("3", UP, "2", "=")
    for size in (FULL, NARROW):
        one.reshape(size)
        one.shows("as it was, + as it would be sent now")
        one.press(TAB, SHIFT_TAB)
    leave(one, ESCAPE, "as it was")
    one.press("q")
    assert one.leave() == 0
    assert len(segment.events) == 4
    assert [delivery.attempts for delivery in home.deliveries()] == [1] * 4


def test_forms(waiting, home):
    one = waiting()
    one.press("1", "e")
    one.shows("Environment development", "[ ] protected")
    walk(one, 6, "Environment development")
    # by the keyboard alone: rate, Sprig's id and Protected
    one.press(TAB, ctrl("u"), "7")
    one.reshape(NARROW)
    one.shows("Environment development", "[ ] protected")
    walk(one, 6, "Environment development")
    one.press(TAB, "e", "n", "v", "1", TAB, " ")
    one.shows("[✓] protected")
    one.press(TAB, TAB, ENTER)
    one.shows("Deliveries", gone="Environment development")
    one.until(lambda: home.config()["environments"].get("development") is not None)
    changed = home.config()["environments"]["development"]
    assert changed == {"requests_per_second": 7.0, "sprig_environment_id": "env1", "protected": True}
    for keys, title in (
        ("a", "Write key of development"),
        ("n", "New environment"),
        ("2:", "Command, or number of a record"),
        ("@", "Notices"),
        ("3I", "Insight"),
        ("3e", "Export to a file"),
        ("3?", "Help: Deliveries"),
        ("L", "Live workers"),
        (F3, "Help ── filters"),
        (f"3{ENTER}", "delivery 4"),
        ("o", "Open a file or folder"),
        (ctrl("p"), "Search for commands"),
    ):
        one.write(keys)
        one.shows(title)
        # in the size in which it is opened, and in the other one
        for size in (one.size, one.other_size):
            if one.size != size:
                one.reshape(size)
                one.shows(title)
            if title not in ("Open a file or folder", "Search for commands"):  # where they complete and choose
                one.press(TAB, SHIFT_TAB)
        leave(one, ESCAPE, title)
    for size in (FULL, NARROW):
        one.reshape(size)
        one.shows("Deliveries", "palette")
        one.write("o")
        one.shows("Open a file", "flat.jsonl")
        one.press(DOWN)
        one.settle()
        before = one.box("tab completes")
        one.press(SHIFT_TAB)
        one.until(lambda before=before: one.box("tab completes") != before, "the path again")
        leave(one, ESCAPE, "Open a file")
    one.press("q")
    assert one.leave() == 0


def test_a_protected_name_is_typed_and_the_question_stays_in_sight(home, terminal):
    home.key("production", protected=True)
    one = terminal(size=TINY)
    one.shows("Environments", "no deliveries yet")
    one.press("1", "x")
    one.shows("Remove the write key", "of production?", "enter to accept")
    one.write(f"prod{ENTER}")
    one.shows("Remove the write key", "that is not production")
    one.write(f"uction{ENTER}")
    one.shows("Deliveries", gone="Remove the write key")
    one.until(lambda: "write_key" not in home.config()["environments"]["production"])
    one.press("q")
    assert one.leave() == 0


def test_a_confirmation_fits_the_smallest_screen(home, terminal):
    home.write('[environments.development]\nwrite_key = "Zq8TinventedKeyOfThirtyTwoChE1Rk"\n')
    one = terminal(home.sample("flat.jsonl", environment="development"), size=TINY)
    one.shows("no deliveries yet")
    one.press("1", DOWN, "S")
    one.shows("Send all 4 records", "4 to development", "y Send 4", "n or escape No")
    one.press("n")
    one.shows("Deliveries", gone="Send all")
    one.press("q")
    assert one.leave() == 0
