"""`withdraw`: what is queued is taken back before it is sent, counted and asked first."""

from __future__ import annotations

import pytest


@pytest.fixture
def queued(configured, sink, cli, write, answer):
    """Two queued, one withheld."""
    cli("send", write(answer(1), answer(2), answer(3, userId=None)), "-e", "development", "--no-wait")


def test_by_filter_counted_withdrawn_and_replayed(queued, cli, sink):
    counted = cli("withdraw", "env:development", "--dry-run", "--json")
    assert (counted.code, counted.json) == (
        0,
        {"dry_run": True, "matched": 2, "environments": {"development": 2}},
    )
    assert "2 queued (development 2)\n" in counted.err
    done = cli("withdraw", "env:development", "--yes", "--json")
    assert (done.code, done.json) == (
        0,
        {"matched": 2, "withdrawn": 2, "on_the_wire": 0, "not_queued": 0, "interrupted": False},
    )
    assert "2 withdrawn; sprig-tui replay reason:withdrawn queues them again\n" in done.err
    assert [row["reason"] for row in cli("log", "--json", "reason:withdrawn").rows] == ["withdrawn"] * 2
    assert cli("send", "answers.jsonl", "-e", "development", "--json").json["delivered"] == 0
    again = cli("replay", "reason:withdrawn", "--yes", "--json")
    assert (again.code, again.json["delivered"], len(sink.sink.events)) == (0, 2, 2)
    assert cli("withdraw", "--all", "--yes", "--json").json["matched"] == 0


def test_by_id(queued, cli):
    assert cli("withdraw", "--id", 2, "--id", 3, "--yes", "--json").json["withdrawn"] == 1
    assert [row["state"] for row in cli("log", "--json").rows] == ["queued", "withheld", "withheld"]
    missing = cli("withdraw", "--id", 99, "--yes")
    assert (missing.code, "there is no delivery 99" in missing.err) == (2, True)


def test_withdraw_without_confirmation_or_filter_changes_nothing(queued, cli):
    assert cli("withdraw").code == 2
    refused = cli("withdraw", "status:queued")
    assert (refused.code, "there is no terminal to confirm it at" in refused.err) == (2, True)
    assert cli("withdraw", "status:withheld", "--yes", "--json").json["matched"] == 0
    assert cli("status", "--json").json["environments"]["development"]["queued"] == 2


@pytest.mark.parametrize(
    "said", ["", " ", "-", '"" "', '-""', "\t", "- OR status:queued", '(" ") OR status:queued', '"" OR status:queued']
)
@pytest.mark.parametrize("verb", ["withdraw", "replay"])
def test_words_that_nearly_every_delivery_holds_name_nothing(queued, cli, sink, verb, said):
    refused = cli(verb, said, "--yes")
    assert (refused.code, refused.out) == (2, "")
    assert cli(verb, "env:development", "status:,", "--yes").code == 2, "a list of nothing is no wider filter"
    assert [row["state"] for row in cli("log", "--json").rows] == ["queued", "queued", "withheld"]
    assert not sink.sink.events


def test_filter_in_one_argument_is_parsed_as_in_the_console(queued, cli):
    rows = cli("log", "--json", "status:queued env:development").rows
    assert [row["id"] for row in rows] == [1, 2]
    assert cli("log", "--json", "reason:anonymous OR (user:acct_1 is:queued)").err == ""
    refused = cli("withdraw", "--yes", "status:queued AND status:failed")
    assert (refused.code, "there is no AND in filters" in refused.err) == (2, True)


def test_an_or_takes_back_no_more_than_is_queued_and_matches(queued, cli):
    done = cli("withdraw", "--yes", "--json", "user:acct_1", "OR", "status:withheld").json
    assert (done["matched"], done["withdrawn"]) == (1, 1)
    assert [row["state"] for row in cli("log", "--json").rows] == ["withheld", "queued", "withheld"]


def test_withdraw_skips_and_names_leased_deliveries(queued, cli, sink, start):
    sink.set_faults("hang@1")
    start("run", "--status-every", "0")
    sink.wait_until(lambda stats: stats.requests == 1)
    done = cli("withdraw", "--all", "--yes", "--json")
    assert (done.code, done.json["withdrawn"], done.json["on_the_wire"]) == (1, 0, 2)
    assert "2 left alone: a worker has them" in done.err
