"""What tests of several parts share: bytecode, hypothesis without a deadline, look-alikes of services, a PostgreSQL."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from support import bytecode, fake_sprig_api, forked
from support.fake_sprig_api import FakeSprigApi
from support.memory_folder import memory_folder
from support.postgres_databases import KeptJournal, copy_journal, create_database, drop_database, run_apart
from support.postgres_server import SHARED_VARIABLE, PostgresServer
from support.shared_scripts import SharedScripts
from support.workspace_lookalike import WorkspaceLookalike

bytecode.keep()

# A busy machine is no fault of the code under test. Examples are the same in each run, so that a failure is seen again;
# SPRIG_TUI_TEST_RANDOM=1 draws new ones.
settings.register_profile("sprig-tui", deadline=None, derandomize=os.environ.get("SPRIG_TUI_TEST_RANDOM") is None)
settings.load_profile("sprig-tui")

# A mounted console is many thousand objects, all alive: with the usual thresholds the collector's walks over them are a
# quarter of the time of its tests. pytest collects at the end, so that nothing left open goes unseen.
gc.set_threshold(100_000, 20, 50)
# Nothing that collecting tests makes is garbage, and each worker collects all of them.
gc.disable()


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder and the processes that all of this run share; workers are told of it.

    The folders of the tests are in it if it is in memory; `--basetemp=FOLDER` keeps what they write.
    """
    if SHARED_VARIABLE not in os.environ:
        memory = memory_folder()
        folder = os.environ[SHARED_VARIABLE] = tempfile.mkdtemp(prefix="sprig-", dir=memory)
        if memory is not None and config.option.basetemp is None:
            config.option.basetemp = f"{folder}/t"
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop(SHARED_VARIABLE, folder)))
        config.add_cleanup(SharedScripts(folder).close)
    forked.shared_server()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Before the workers start, so that they find it done."""
    bytecode.compile_ahead(Path(__file__).parent)


def pytest_collection_finish() -> None:
    """Leave what was collected out of the collector's walks: it lives as long as the process."""
    gc.freeze()
    gc.enable()


SLOW_PARTS = ("cli", "faults", "terminal")
"""Folders whose tests wait for processes, timers and screens more than they compute."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the modules that mostly wait evenly among the others, so that each worker has both kinds all the time.

    Left in the order of the folders they come together, and the processors idle at the end of the run. The last tenth
    is left to quick ones, which workers that are done early take over from each other.
    """
    modules: dict[Path, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.path, []).append(item)
    root = Path(__file__).parent
    slow = [path for path in modules if path.relative_to(root).parts[0] in SLOW_PARTS]
    quick = [path for path in modules if path not in set(slow)]
    step = 0.9 / max(1, len(slow))
    places = {path: (number + 0.5) * step for number, path in enumerate(slow)}
    done, total = 0, sum(len(modules[path]) for path in quick)
    for path in quick:
        places[path] = done / total
        done += len(modules[path])
    items[:] = [item for path in sorted(modules, key=places.__getitem__) for item in modules[path]]


@pytest.fixture
def sprig_api() -> Iterator[FakeSprigApi]:
    """A fake of Sprig's REST API on a real socket."""
    with FakeSprigApi() as api:
        yield api


@pytest.fixture
def sprig_api_key() -> str:
    """The key that the fake of Sprig's API takes."""
    return fake_sprig_api.KEY


@pytest.fixture
def workspace_api() -> Iterator[WorkspaceLookalike]:
    """A look-alike of a Segment workspace on a real socket."""
    with WorkspaceLookalike() as api:
        yield api


GIVEN_POSTGRES = "SPRIG_TUI_TEST_POSTGRES"


@pytest.fixture(scope="session")
def postgres_server_url() -> Iterator[str]:
    """A PostgreSQL whose role may make databases: SPRIG_TUI_TEST_POSTGRES names one, else we start one of our own."""
    if given := os.environ.get(GIVEN_POSTGRES):
        yield given
        return
    with PostgresServer() as server:
        yield server.url()


def _leave_database(server_url: str, url: str) -> None:
    """Drop it from a server that was given.

    From our own it goes with the server: ext4 makes files slowly for some seconds after hundreds were removed, so that
    the next database takes twice the CPU.
    """
    if GIVEN_POSTGRES in os.environ:
        drop_database(server_url, url)


@pytest.fixture
def postgres_url(postgres_server_url: str) -> Iterator[str]:
    """An empty database of the test's own."""
    url = create_database(postgres_server_url)
    yield url
    _leave_database(postgres_server_url, url)


@pytest.fixture(scope="session")
def _new_postgres_journal(postgres_server_url: str) -> Iterator[str]:
    """What others are copied from: nobody is connected to it."""
    from sprig_tui.journal.postgres import migrate

    url = create_database(postgres_server_url)
    run_apart(migrate(url))
    yield url
    _leave_database(postgres_server_url, url)


@pytest.fixture
def postgres_journal_url(postgres_server_url: str, _new_postgres_journal: str) -> Iterator[str]:
    """A database of the test's own with an empty journal, for tests that change more than its rows."""
    url = copy_journal(postgres_server_url, _new_postgres_journal)
    yield url
    _leave_database(postgres_server_url, url)


@pytest.fixture(scope="session")
def _kept_postgres_journal(postgres_server_url: str, _new_postgres_journal: str) -> Iterator[KeptJournal]:
    kept = KeptJournal(copy_journal(postgres_server_url, _new_postgres_journal))
    yield kept
    kept.close()
    _leave_database(postgres_server_url, kept.url)


@pytest.fixture
def emptied_postgres_journal_url(_kept_postgres_journal: KeptJournal) -> str:
    """A journal on PostgreSQL without rows, which the next test gets too: a tenth of the cost of a new one."""
    _kept_postgres_journal.empty()
    return _kept_postgres_journal.url


@pytest.fixture(params=["sqlite", "postgres"])
def journal_place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a journal of each kind lives, empty."""
    if request.param == "sqlite":
        return str(tmp_path / "journal.db")
    url: str = request.getfixturevalue("emptied_postgres_journal_url")
    return url
