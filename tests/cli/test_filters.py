"""Filters on the command line: saved ones, where it went, and an argument that holds an OR."""

from __future__ import annotations

import pytest

from sprig_tui.cli.commands.reconcile_filter import comparison_filter
from sprig_tui.cli.filter_options import filter_text
from sprig_tui.errors import FilterError


@pytest.fixture
def sent(configured, sink, cli, write, answer):
    """One delivered, one anonymous, and one of a run with --endpoint."""
    with (configured / "config.toml").open("a") as config:
        config.write('[filters]\nlost = "reason:anonymous OR status:failed"\nodd = "@lost env:x statsu:y"\nvoid = ""\n')
    cli("send", write(answer(1), answer(2, userId=None)), "-e", "development")
    elsewhere = sink.url.replace("127.0.0.1", "localhost")
    cli("send", write(answer(3), name="three.jsonl"), "-e", "development", "--endpoint", elsewhere)


def test_saved_filters(sent, cli):
    def ids(*words):
        return [row["id"] for row in cli("log", "--json", *words).rows]

    assert ids("@lost") == [2]
    assert ids("-@lost", "user:acct_1") == [1]
    assert ids("@lost OR user:acct_3") == [2, 3]
    assert cli("withdraw", "@lost", "--yes", "--json").json["matched"] == 0
    for words, message, hint in (
        (["slow", "@los"], "there is no saved filter @los", "at character 6; did you mean @lost?"),
        (["@odd"], "in @odd, at character 13: there is no field statsu:", "status"),
    ):
        refused = cli("log", *words)
        assert refused.code == 2
        assert message in refused.err
        assert hint in refused.err
    for verb in ("replay", "withdraw"):
        refused = cli(verb, "@void", "--yes")
        assert (refused.code, "@void is empty" in refused.err) == (2, True)
    checked = cli("doctor", "--offline")
    assert "filters.odd: in @odd, at character 13: there is no field statsu:" in checked.out
    assert "filters.void: @void is empty" in checked.out
    assert "filters.lost" not in checked.out


def test_where_it_went(sent, cli, sink):
    elsewhere = sink.url.replace("127.0.0.1", "localhost")
    assert [row["id"] for row in cli("log", "--json", "to:localhost").rows] == [3]
    assert [row["id"] for row in cli("log", "--json", "to:127.0.0.1", "status:200").rows] == [1]
    assert cli("log", "--json", "to:us").rows == []
    assert [attempt["endpoint"] for attempt in cli("log", "--detail", 3, "--json").json["history"]] == [elsewhere]
    assert f"to {elsewhere}" in cli("log", "--detail", 3).out
    first, _, third = cli("log").out.splitlines()
    assert third.endswith(f"to {elsewhere.removeprefix('http://')}")
    assert " to " not in first


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["status:failed OR slow"], "status:failed OR slow"),
        (["env:a OR slow", "user:x"], "env:a OR slow user:x"),
        (["-(user:x OR slow)"], "-(user:x OR slow)"),
        (["(user:x slow)"], "(user:x slow)"),
        (["@bad OR slow"], "@bad OR slow"),
        (["survey:Checkout OR slow"], 'survey:"Checkout OR slow"'),
        (["survey:Checkout effort"], 'survey:"Checkout effort"'),
        (["slow OR fast"], '"slow OR fast"'),
        (["(slow OR fast)"], '"(slow OR fast)"'),
        (["since:last monday"], 'since:"last monday"'),
        (["(sic) x", " "], '"(sic) x" " "'),
    ],
)
def test_an_argument_with_spaces_is_one_text_unless_it_cannot_be(words, text):
    assert filter_text(words) == text


def test_one_argument_without_a_field_is_a_text(sent, cli):
    found = cli("log", "Portland OR Seattle")
    assert (found.code, found.out) == (0, "")
    assert "one argument is searched as it is: 'Portland OR Seattle'" in found.err
    assert cli("log", "--json", "acct_1", "OR", "acct_3").err == ""
    assert [row["id"] for row in cli("log", "--json", "acct_1", "OR", "acct_3").rows] == [1, 3]
    refused = cli("log", "acct_1", "OR")
    assert (refused.code, "OR needs a word on both sides" in refused.err) == (2, True)
    assert cli("log", "sent-since:2026-11-23 14:05", "--json").code == 0


HOUR = 3_600_000


@pytest.mark.parametrize(
    ("words", "limits"),
    [
        (["env:production,staging", "env:production"], (("production", "staging"), None, None)),
        (["sent:5h..2h", "sent-since:4h"], ((), 96 * HOUR, 98 * HOUR)),
        (["@live"], (("production",), 99 * HOUR, None)),
    ],
)
def test_a_comparison_takes_environments_and_times_of_sending(home, words, limits):
    home.mkdir()
    (home / "config.toml").write_text('[filters]\nlive = "env:production (sent:1h)"\n')
    assert comparison_filter(words, 100 * HOUR) == limits


@pytest.mark.parametrize(
    ("words", "position", "message"),
    [
        (["env:a", "status:failed"], 6, "cannot be limited by status:"),
        (["since:2h"], 0, "the time of sending, not of arrival"),
        (["slow"], 0, "cannot be limited by slow"),
        (["env:a", "OR", "env:b"], 0, "no OR"),
        (["-env:a"], 1, "cannot be limited by env:"),
    ],
)
def test_a_comparison_takes_no_other_words(words, position, message):
    with pytest.raises(FilterError, match=message) as caught:
        comparison_filter(words, 100 * HOUR)
    assert caught.value.position == position


def test_reconcile_tells_a_wrong_filter(configured, cli):
    refused = cli("reconcile", "env:production", "user:x")
    assert (refused.code, "cannot be limited by user:" in refused.err, "at character 16" in refused.err) == (
        2,
        True,
        True,
    )
    assert cli("reconcile", "-e", "production", "env:production").code == 2
