"""What tests of several parts share: hypothesis without a deadline, the look-alikes of two APIs, and a PostgreSQL."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from postgres_databases import create_database, drop_database, empty_journal, run_apart
from postgres_server import PostgresServer

# A busy machine is no fault of the code under test.
settings.register_profile("sprig-tui", deadline=None)
settings.load_profile("sprig-tui")

API = Path(__file__).parent / "sprig" / "api"
WORKSPACE_API = Path(__file__).parent / "segment" / "public_api"


def _load(name: str, folder: Path = API) -> Any:
    """A module of the look-alike by its file, since tests are no package; it runs by hand too."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def sprig_samples() -> Any:
    """Makes surveys and answers as Sprig's API has them."""
    return _load("sprig_samples")


@pytest.fixture
def sprig_api(sprig_samples: Any) -> Iterator[Any]:
    """A look-alike of Sprig's REST API on a real socket."""
    with _load("lookalike").LookAlike() as api:
        yield api


@pytest.fixture(scope="session")
def sprig_api_key(sprig_samples: Any) -> str:
    """The key that the look-alike takes."""
    key: str = _load("lookalike").KEY
    return key


@pytest.fixture(scope="session")
def workspaces() -> Any:
    """The look-alike's module of Segment's Public API: its tokens, its troubles, and what makes sources."""
    return _load("workspace_lookalike", WORKSPACE_API)


@pytest.fixture
def workspace_api(workspaces: Any) -> Iterator[Any]:
    """A look-alike of Segment's Public API on a real socket."""
    with workspaces.LookAlike() as api:
        yield api


@pytest.fixture(scope="session")
def postgres_server_url() -> Iterator[str]:
    """A PostgreSQL whose role may make databases: SPRIG_TUI_TEST_POSTGRES names one, else we start one of our own."""
    if given := os.environ.get("SPRIG_TUI_TEST_POSTGRES"):
        yield given
        return
    with PostgresServer() as server:
        yield server.url()


@pytest.fixture
def postgres_url(postgres_server_url: str) -> Iterator[str]:
    """An empty database of the test's own."""
    url = create_database(postgres_server_url)
    yield url
    drop_database(postgres_server_url, url)


@pytest.fixture
def postgres_journal_url(postgres_url: str) -> str:
    """A database of the test's own with an empty journal, for tests that change more than its rows."""
    from sprig_tui.journal.postgres import migrate

    run_apart(migrate(postgres_url))
    return postgres_url


@pytest.fixture(scope="session")
def _kept_postgres_journal(postgres_server_url: str) -> Iterator[str]:
    from sprig_tui.journal.postgres import migrate

    url = create_database(postgres_server_url)
    run_apart(migrate(url))
    yield url
    drop_database(postgres_server_url, url)


@pytest.fixture
def emptied_postgres_journal_url(_kept_postgres_journal: str) -> str:
    """A journal on PostgreSQL without rows, which the next test gets too: a tenth of the cost of a new one."""
    empty_journal(_kept_postgres_journal)
    return _kept_postgres_journal


@pytest.fixture(params=["sqlite", "postgres"])
def journal_place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a journal of each kind lives, empty."""
    if request.param == "sqlite":
        return str(tmp_path / "journal.db")
    url: str = request.getfixturevalue("emptied_postgres_journal_url")
    return url
