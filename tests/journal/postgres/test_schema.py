"""Schema: created once, upgraded by its owner only, used by a role with few rights."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from support.records import make_worker

from sprig_tui.errors import JournalError, JournalReadOnlyError, JournalUnreachableError, JournalVersionError
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.postgres import PostgresJournal, migrate, schema
from sprig_tui.journal.postgres import add as adding
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import Settlement, State


async def test_database_without_a_journal_is_reported_with_a_hint(postgres_url):
    with pytest.raises(JournalVersionError, match="holds no journal yet") as told:
        await PostgresJournal(postgres_url).open()
    assert told.value.hint == "run: sprig-tui journal migrate"


async def test_schema_is_created_once(postgres_url):
    assert (await migrate(postgres_url)).before == 0
    assert (await migrate(postgres_url)).before == schema.SCHEMA_VERSION
    async with PostgresJournal(postgres_url) as journal:
        assert await journal.count(Query()) == 0


async def test_concurrent_migrations_create_the_schema_once(postgres_url):
    done = await asyncio.gather(*(migrate(postgres_url) for _ in range(4)))
    assert sorted(one.before for one in done) == [0, *[schema.SCHEMA_VERSION] * 3]


async def test_newer_schema_is_rejected_unless_compatible(postgres_journal_url, entry):
    connection = await asyncpg.connect(postgres_journal_url)
    await connection.execute("UPDATE sprig_tui.versions SET version = $1, works_for = 1", schema.SCHEMA_VERSION + 1)
    async with PostgresJournal(postgres_journal_url) as journal:
        await journal.add([entry()])
    await connection.execute("UPDATE sprig_tui.versions SET works_for = $1", schema.SCHEMA_VERSION + 1)
    with pytest.raises(JournalVersionError, match="upgraded by a newer sprig-tui"):
        await PostgresJournal(postgres_journal_url).open()
    with pytest.raises(JournalVersionError, match="upgraded by a newer sprig-tui"):
        await migrate(postgres_journal_url)
    await connection.close()


async def test_migrated_schema_equals_a_new_one(postgres_url, monkeypatch, entry):
    with monkeypatch.context() as before:
        before.setattr(schema, "SCHEMA_VERSION", 2)
        assert (await migrate(postgres_url)).after == 2
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("SET search_path = sprig_tui")
    await connection.execute("INSERT INTO environments(name) VALUES ('production')")
    await connection.execute("INSERT INTO lanes(environment) VALUES (1)")
    await connection.execute(
        "INSERT INTO attempts(environment, started_at, status, error, outcome, latency_ms, events, body_bytes, excerpt)"
        " VALUES (1, 1790000000000, 200, '', 'delivered', 38, 1, 100, '')"
    )
    assert (await migrate(postgres_url)).before == 2
    assert await connection.fetchval("SELECT environment_number('production')") == 1, "what an older worker asks"
    assert await connection.fetchval("SELECT endpoint FROM attempts") == ""
    await connection.close()
    async with PostgresJournal(postgres_url) as journal:
        await journal.add([entry()])
        claim = await journal.claim(ClaimRequest("production", events=9, payload_bytes=9_999, lease_ms=60_000))
        assert len(claim.ids) == 1
        assert list(await journal.lanes()) == ["production"]


@pytest.fixture
async def plain_url(postgres_journal_url):
    """The journal's address as a role that owns nothing has it; the role is gone afterwards."""
    name = "plain_" + urlsplit(postgres_journal_url).path.rsplit("_", 2)[-2] + "_é\"'"
    quoted = '"' + name.replace('"', '""') + '"'
    connection = await asyncpg.connect(postgres_journal_url)
    await connection.execute(f"CREATE ROLE {quoted} LOGIN PASSWORD 'geheim:42'")
    parts = urlsplit(postgres_journal_url)
    hosts = parts.netloc.rpartition("@")[2]
    from urllib.parse import quote

    url = urlunsplit(parts._replace(netloc=f"{quote(name, safe='')}:geheim%3A42@{hosts}"))
    yield url, name
    await connection.execute(f"DROP OWNED BY {quoted}; DROP ROLE {quoted}")
    await connection.close()


async def test_granted_role_can_work_and_no_more(plain_url, postgres_journal_url, entry, attempt):
    url, name = plain_url
    with pytest.raises(JournalReadOnlyError, match="does not let this user") as told:
        await PostgresJournal(url).open()
    assert "--grant" in told.value.hint
    await migrate(postgres_journal_url, grant=[name])
    async with PostgresJournal(url) as journal:
        added = await journal.add([entry(), entry()])
        taken = await journal.claim(ClaimRequest("production", events=10, payload_bytes=10_000, lease_ms=1000, rate=50))
        await journal.settle(taken, [Settlement(ids=taken.ids, state=State.FAILED, attempt=attempt(400))])
        await journal.requeue([added[0].id])
        await journal.requeue([added[1].id], as_new=True)
        await journal.step_replay((await journal.start_replay(Query())).id)
        await journal.check_writable()
        await journal.heartbeat(make_worker())
        await journal.unregister_worker(make_worker().id)
        await journal.set_lane("production", "paused", "by hand")
        await journal.prune(1 << 60)
    connection = await asyncpg.connect(url)
    for statement in ("DROP TABLE sprig_tui.deliveries", "UPDATE sprig_tui.versions SET version = 9"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()


async def test_schema_6_is_upgraded_and_its_programs_go_on(postgres_url, entry, attempt, clock, monkeypatch):
    """Such a program knows no tombstones: what it adds takes the place of one, as if the answer was new."""
    with monkeypatch.context() as before:
        before.setattr(schema, "SCHEMA_VERSION", 6)
        assert (await migrate(postgres_url)).after == 6
    with pytest.raises(JournalVersionError, match="schema 6"):
        await PostgresJournal(postgres_url).open()
    assert (await migrate(postgres_url)).before == 6
    answer = entry()

    async def deliver(journal):
        taken = await journal.claim(ClaimRequest("production", events=9, payload_bytes=9_999, lease_ms=60_000))
        await journal.settle(taken, [Settlement(ids=taken.ids, state=State.DELIVERED, attempt=attempt())])
        clock.advance(1)
        return len(taken.ids)

    async with PostgresJournal(postgres_url, clock=clock) as journal:
        await journal.add([answer])
        assert await deliver(journal) == 1
        await journal.prune(clock.now())
        with monkeypatch.context() as older:
            without = adding._SELECT_IDENTITIES.replace("key = ANY ($2", "0 = ANY ($2")
            older.setattr(adding, "_SELECT_IDENTITIES", without)
            assert [one.outcome for one in await journal.add([answer])] == ["new"]
        assert [(one.outcome, one.state) for one in await journal.add([answer])] == [("known", State.QUEUED)]
        assert await deliver(journal) == 1
        await journal.prune(clock.now())
        assert (await journal.tombstones()).by_environment == {"production": 1}
        assert [(one.outcome, one.id) for one in await journal.add([answer])] == [("known", 0)]


async def test_unknown_role_is_named(postgres_url):
    with pytest.raises(JournalReadOnlyError, match='role "nobody_known" does not exist') as told:
        await migrate(postgres_url, grant=["nobody_known"])
    assert "CREATE ROLE" in told.value.hint
    with pytest.raises(JournalVersionError, match="holds no journal yet"):
        await PostgresJournal(postgres_url).open()


async def test_password_is_in_no_message(plain_url):
    url, _ = plain_url
    for wrong in (
        url.replace("geheim%3A42", "gehe1m%3A43"),
        url.replace("127.0.0.1", "127.0.0.9"),
        url + "?password=gehe1m",
    ):
        with pytest.raises(JournalError) as told:
            await PostgresJournal(wrong).open()
        text = f"{told.value.message} {told.value.hint} {told.value!r}"
        assert "gehe" not in text


async def test_missing_server_is_reported_as_unreachable():
    with pytest.raises(JournalUnreachableError, match=r"does not answer.*\(postgresql://sprig@127.0.0.1:9/journal\)"):
        await PostgresJournal("postgresql://sprig:geheim@127.0.0.1:9/journal").open()


async def test_unreadable_url_is_a_journal_error():
    for url in ("postgresql://127.0.0.1:port/x", "postgresql://u@127.0.0.1:9/x?sslmode=perhaps"):
        with pytest.raises(JournalError):
            await PostgresJournal(url).open()
