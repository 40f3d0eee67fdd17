"""Lines of the Environments pane at several sizes."""

from __future__ import annotations

from msgspec.structs import replace
from rich.cells import cell_len

from sprig_tui.console.environments.lines import pane_lines
from sprig_tui.console.environments.status import EnvironmentStatus, EnvironmentView
from sprig_tui.console.widgets.line import visible_text

VIEWS = (
    EnvironmentView(
        name="production",
        key="Zq8T…e1Rk",
        key_source="config",
        protected=True,
        status=EnvironmentStatus("▲", "delivering 212/s", "good", "last answer 200, 2 s ago"),
        queued=1_204,
        failed=3,
        rate=212,
        sprig_id="aB3dE5gH7j",
    ),
    EnvironmentView(name="development", status=EnvironmentStatus("·", "no key: press a to add one", "muted")),
)


def text(lines) -> list[str]:
    return ["".join(part.text.ljust(part.width) for part in line.parts).rstrip() for line in lines]


def test_all_environments_in_full_where_they_fit():
    lines = pane_lines(VIEWS, "production", ("same key in a and b",), width=36, height=20)
    assert text(lines) == [
        "● Production               protected",
        "  key   Zq8T…e1Rk",
        "  to    US  api.segment.io",
        "  sprig aB3dE5gH7j  environment id",
        "  ▲ delivering 212/s",
        "    last answer 200, 2 s ago",
        "    queued 1,204  failed 3",
        "○ Development",
        "  · no key: press a to add one",
        "⚠ same key in a and b",
    ]


def test_low_pane_shows_only_the_selected_one_in_full():
    lines = text(pane_lines(VIEWS, "production", (), width=36, height=8))
    assert lines[0].startswith("● Production")
    assert lines[-1] == "○ Development  · no key: press a to add one"
    folded = text(pane_lines(VIEWS, "production", (), width=78, height=1))
    assert folded[0] == "● Production  protected  Zq8T…e1Rk  ▲ delivering 212/s"


def test_cut_line_is_marked():
    refused = EnvironmentStatus(
        "‖", "paused, Segment rejects the key: write key Dv8T…E1Rk refused (401); a replaces it", "bad"
    )
    view = EnvironmentView(name="development", key="Dv8T…E1Rk", key_source="config", status=refused)
    for width in (36, 78):
        (line,) = pane_lines((view,), "development", (), width=width, height=1)
        seen = "".join(visible_text(part.text, part.width) for part in line.parts)
        assert cell_len(seen) == width
        assert seen.endswith("…")


def test_revealed_key_is_shown_for_the_selected_environment():
    key = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
    lines = text(pane_lines(VIEWS, "production", (), width=60, height=20, revealed=key))
    assert sum(key in line for line in lines) == 1
    lines = text(pane_lines(VIEWS, "development", (), width=60, height=20, revealed=key))
    assert not any(key in line for line in lines)


def test_long_and_hostile_text_is_wrapped_and_cut():
    bad = EnvironmentStatus("✗", "disk \x1b[2J full " * 80, "bad")
    lines = pane_lines((EnvironmentView(name="x" * 40, status=bad),), "", ("\u202eevil " * 300,), width=36, height=50)
    assert len(lines) < 12
    for line in text(lines):
        assert "\x1b" not in line
        assert cell_len(line) <= 42


def test_a_key_that_is_kept_elsewhere_says_where():
    def sources(source: str, **how: bool) -> str:
        view = EnvironmentView(
            name="production",
            key="Zq8T…e1Rk",
            key_source=source,
            status=EnvironmentStatus("·", "idle", "muted"),
            **how,
        )
        return text(pane_lines((view,), "production", (), width=36, height=20))[2]

    assert sources("SPRIG_TUI_WRITE_KEY_PRODUCTION", is_key_in_variable=True) == "  $SPRIG_TUI_WRITE_KEY_PRODUCTION"
    assert sources("command op") == "  command op"
    assert sources("keyring team/segment") == "  keyring team/segment"


def test_environment_with_oauth_has_a_line_for_its_app():
    lines = text(pane_lines((replace(VIEWS[0], oauth="2Xapp"),), "production", (), width=36, height=20))
    assert lines[1:4] == ["  key   Zq8T…e1Rk", "  oauth 2Xapp", "  to    US  api.segment.io"]
