"""The commands on a journal at a server: made, moved to, worked with, and its password in nothing that is written."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest
from support.postgres_databases import database_name, run_apart

from sprig_tui.journal.postgres import schema

URL_VARIABLE = "SPRIG_TUI_JOURNAL_URL"


@pytest.fixture
def samples(write, answer):
    return write(*[answer(number) for number in range(12)])


def execute(url: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(statement)
        await connection.close()

    run_apart(run())


def test_from_a_file_to_a_server_and_on(configured, sink, cli, samples, write, answer, postgres_url, monkeypatch):
    assert cli("send", samples, "-e", "development").code == 0
    file = cli("journal", "info", "--json").json["journal"]
    monkeypatch.setenv(URL_VARIABLE, postgres_url)

    missing = cli("log")
    assert missing.code == 2
    assert "holds no journal yet" in missing.err
    assert "sprig-tui journal migrate" in missing.err
    made = cli("journal", "migrate", "--json")
    assert (made.code, made.json["before"], made.json["after"]) == (0, 0, schema.SCHEMA_VERSION)
    again = cli("journal", "migrate")
    assert (again.code, f"has schema {schema.SCHEMA_VERSION} already" in again.err) == (0, True)

    copied = cli("journal", "copy", file, "--json")
    assert copied.code == 0, copied.err
    assert copied.json["tables"]["deliveries"]["rows"] == 12
    assert len(copied.json["tables"]["packs"]["digest"]) == 32
    assert "the same rows stand in" in copied.err
    refused = cli("journal", "copy", file)
    assert (refused.code, "holds deliveries already" in refused.err) == (2, True)

    known = cli("send", samples, "-e", "development")
    assert (known.code, "known from before" in known.err) == (0, True)
    fresh = cli("send", write(answer(99), name="more.jsonl"), "-e", "development")
    assert fresh.code == 0, fresh.err
    assert len(cli("log", "status:delivered", "--json").rows) == 13
    replayed = cli("replay", "user:acct_99", "--yes")
    assert replayed.code == 0, replayed.err
    assert cli("status", "--json").json["environments"]["development"]["delivered"] == 13
    assert cli("journal", "info").code == 0
    execute(postgres_url, f'ALTER DATABASE "{database_name(postgres_url)}" SET synchronous_commit = off')
    checked = cli("doctor")
    assert "the server's clock is" in checked.out
    assert "synchronous_commit is off: commits do not wait for the disk" in checked.out
    password = postgres_url.partition("sprig:")[2].partition("@")[0]
    for outcome in (missing, made, again, copied, refused, known, fresh, replayed, checked):
        assert password not in outcome.out + outcome.err


def test_a_server_that_is_away_is_unreachable(configured, cli, samples, monkeypatch):
    monkeypatch.setenv(URL_VARIABLE, "postgresql://sprig:geheim@127.0.0.1:9/journal")
    for command in (("log",), ("send", samples, "-e", "development"), ("status",), ("journal", "migrate")):
        told = cli(*command)
        assert told.code == 3, command
        assert "the journal does not answer: connection refused (postgresql://sprig@127.0.0.1:9/journal)" in told.err
        assert "geheim" not in told.err


def test_invalid_journal_address_is_named_without_password(configured, cli, monkeypatch):
    monkeypatch.setenv(URL_VARIABLE, "mysql://sprig:geheim@db/journal")
    told = cli("log")
    assert (told.code, f"{URL_VARIABLE} is no address of a PostgreSQL database" in told.err) == (2, True)
    assert "geheim" not in told.err
    copied = cli("journal", "copy", str(Path(__file__)), "sqlite://geheim")
    assert (copied.code, "is no address" in copied.err) == (2, True)


def test_a_file_that_is_no_journal_is_not_copied(configured, cli, postgres_journal_url, tmp_path):
    other = tmp_path / "other.db"
    other.write_text("this is no database at all" * 100)
    told = cli("journal", "copy", str(other), postgres_journal_url)
    assert told.code == 2
    assert "other.db" in told.err
