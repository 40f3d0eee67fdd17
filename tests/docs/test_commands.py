"""Every command that README and topics show is run as it stands, against fakes of Segment and Sprig.

Ports are replaced by free ones, and addresses of services by those of the fakes. A command that does not end by itself
is started, waited for, and stopped at the end of its page.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support import fake_sprig_api
from support.certificates import self_signed
from support.documented_shell import Installed, Shell
from support.fake_sprig_api import FakeSprigApi
from support.pages_of_documentation import PAGES, ROOT, commands, without_comment
from support.postgres_databases import create_database, database_name, drop_database, execute
from support.workspace_lookalike import DEVELOPMENT_KEY, PRODUCTION_KEY, TOKEN, WorkspaceLookalike

PORTS = ("8080", "8722", "8443", "8123", "9100", "9200", "8723")
READY = {
    r"sprig-tui sink\b": r"listening on ",
    r"sprig-tui listen\b(?!.*--print-unit)": r"listening on ",
    r"sprig-tui serve\b": r"the console is at ",
    r"sprig-tui run\b(?!.*--print-unit)": r"delivering for",
    r"sprig-tui send --watch\b": r"watching",
    r"sprig-tui pull\b.*--every\b": r"next pull",
    r"sprig-tui log\b.*(--follow|-f)\b": r"\S",
    r"sprig-tui (status|reconcile)\b.*--watch\b": r"\S",
    r"python tests/support/fake_sprig_api.py\b": r"http://",
}
"""Commands that go on, and what they write when they are ready."""
TYPED = {
    r"sprig-tui keys set development": f"{DEVELOPMENT_KEY}\n",
    r"sprig-tui keys set production": f"{PRODUCTION_KEY}\n",
    r"sprig-tui keys sprig \w+": f"{fake_sprig_api.KEY}\n",
    r"sprig-tui keys workspace\b.*": f"{TOKEN}\n",
    r"sprig-tui keys rotate .*--paste.*": f"{PRODUCTION_KEY[:-1]}Z\nproduction\n",
    r"sprig-tui (replay|withdraw|forget|reconcile --replay-short|reconcile .*--replay-short|journal prune)\b.*": "y\n",
}
"""What a person types at the question of a command."""
CODES = {
    r"sprig-tui setup .*--(check|json|accept|reopen)": 1,
    r"sprig-tui reconcile -e development --hold-back 0s *#.*short": 1,
    r"SPRIG_TUI_SPRIG_API_KEY_DEVELOPMENT=": 1,
}
"""Exit codes other than 0."""
SAYS = {
    r"sprig-tui reconcile -e development --hold-back 0s *#.*short": "short by 3",
    r"sprig-tui reconcile -e development --hold-back 0s *#.*agrees": "agrees",
    r"sprig-tui demo --plain": "delivered",
}
"""What the output has to contain."""


class World(NamedTuple):
    """What commands find: fakes of the services, and a folder with a config and a journal to begin with."""

    installed: Installed
    segment: WorkspaceLookalike
    sprig: FakeSprigApi
    template: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("docs")
    installed = Installed(folder)
    with WorkspaceLookalike(delay_s=0) as segment, FakeSprigApi() as sprig:
        template = folder / "home"
        template.mkdir()
        config = template / "config.toml"
        config.write_text(
            f'[environments.production]\nwrite_key = "{PRODUCTION_KEY}"\nendpoint = "{segment.url}"\n'
            f'sprig_environment_id = "QmK7x2dTfa"\n[environments.development]\nwrite_key = "{DEVELOPMENT_KEY}"\n'
            f'endpoint = "{segment.url}"\n[segment]\nregion = "{segment.url}"\n'
            f'[sprig]\napi_url = "{sprig.url}"\n',
            encoding="utf-8",
        )
        config.chmod(0o600)
        (folder / "prepared").mkdir()
        with Shell(folder / "prepared", _environ(installed, template), installed) as shell:
            done = shell.run(f"sprig-tui send {ROOT}/sample_payloads/export.csv -e production")
            assert done.code == 0, done.err
        yield World(installed, segment, sprig, template)


def _environ(installed: Installed, home: Path) -> dict[str, str]:
    return {
        "PATH": f"{installed.programs}:{os.environ['PATH']}",
        "HOME": str(home),
        "SPRIG_TUI_HOME": str(home),
        "NO_COLOR": "1",
        "LANG": "C.UTF-8",
    }


@pytest.fixture
def in_checkout() -> bool:
    """Whether the commands are typed in a checkout; else in a folder without samples and tests."""
    return True


@pytest.fixture
def shell(world: World, tmp_path: Path, in_checkout: bool) -> Iterator[Shell]:
    shutil.copytree(world.template, tmp_path / "home")
    if in_checkout:
        for name in ("sample_payloads", "tests"):
            (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "inbox").mkdir()
    shutil.copy(ROOT / "sample_payloads" / "rest-page.json", tmp_path / "responses.json")
    shutil.copy(ROOT / "sample_payloads" / "flat.jsonl", tmp_path / "responses.jsonl")
    with Shell(tmp_path, _environ(world.installed, tmp_path / "home"), world.installed) as shell:
        yield shell


def _free_ports() -> dict[str, str]:
    with_ports = [socket.socket() for _ in PORTS]
    for one in with_ports:
        one.bind(("127.0.0.1", 0))
    found = {port: str(one.getsockname()[1]) for port, one in zip(PORTS, with_ports, strict=True)}
    for one in with_ports:
        one.close()
    return found


def _adapted(command: str, ports: dict[str, str], folder: Path) -> str:
    """The command with ports that are free, and folders of the test's own."""
    for port, free in ports.items():
        command = re.sub(rf"\b{port}\b", free, command)
    command = command.replace("/tmp/try", str(folder / "try")).replace("--region us", "")
    # a person's own folders are those of the template here
    command = command.replace("unset SPRIG_TUI_HOME", f"export SPRIG_TUI_HOME={folder / 'home'}")
    for name, port in (("listen", "8722"), ("sink", "8080")):
        if re.match(rf"sprig-tui {name}\b(?!.*--(port|print-unit))", command):
            command = command.replace(f"sprig-tui {name}", f"sprig-tui {name} --port {ports[port]}")
    return re.sub(r"^python3 -m venv .*&& \.venv/bin/sprig-tui", "sprig-tui", command)


def _first(rules: dict[str, str], command: str) -> str:
    return next((value for pattern, value in rules.items() if re.match(pattern, command)), "")


@pytest.fixture
def database(postgres_server_url: str) -> Iterator[tuple[str, str]]:
    """Addresses of a database for its owner and for a role of workers."""
    url = create_database(postgres_server_url)
    roles = [f"sprig_docs_{os.getpid()}_{kind}" for kind in ("owner", "worker")]
    for role in roles:
        execute(url, f"CREATE ROLE {role} LOGIN PASSWORD 'docs'")
    execute(url, f'ALTER DATABASE "{database_name(url)}" OWNER TO {roles[0]}')
    server = url.rpartition("@")[2]
    yield f"postgresql://{roles[0]}:docs@{server}", f"postgresql://{roles[1]}:docs@{server}"
    drop_database(postgres_server_url, url)
    for role in roles:
        execute(postgres_server_url, f"DROP ROLE {role}")


PAGES_WITH_SAMPLES = sorted(page for page in PAGES if any("sample_payloads/" in command for command in commands(page)))
"""Their commands have to work where the wheel was installed, too: it has the samples, and the folder has none."""


@pytest.mark.parametrize(
    ("page", "in_checkout"),
    [
        *((page, True) for page in PAGES if commands(page)),
        *(pytest.param(page, False, id=f"{page} without a checkout") for page in PAGES_WITH_SAMPLES),
    ],
)
def test_commands_of_a_page_run_as_they_stand(
    page: str, shell: Shell, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if "--certfile cert.pem" in PAGES[page]:
        for file, name in zip(self_signed(tmp_path), ("cert.pem", "key.pem"), strict=True):
            file.rename(tmp_path / name)
    databases = request.getfixturevalue("database") if "migrate postgresql" in PAGES[page] else ()
    ports, has_workspace = _free_ports(), False
    for shown in commands(page):
        command = without_comment(_adapted(shown, ports, tmp_path))
        for role, url in zip(("owner", "worker"), databases, strict=False):
            command = command.replace(f"postgresql://sprig_{role}@db.example/sprig", url)
            command = command.replace(f"--grant sprig_{role}", f"--grant {url.split('/')[2].partition(':')[0]}")
        if "pytest" in shown or command == ". .venv/bin/activate":
            continue  # .ci/run runs the one, and there is no other Python here
        if ready := _first(READY, command):
            shell.start(command, ready=ready)
            continue
        typed = _first(TYPED, command)
        if has_workspace and re.match("sprig-tui keys set", command):
            typed = f"\n{typed}"  # no source from the list, but a pasted key
        has_workspace = has_workspace or command.startswith("sprig-tui keys workspace")
        done = shell.run(command, typed=typed)
        wanted = next((code for pattern, code in CODES.items() if re.match(pattern, shown)), 0)
        assert _first(SAYS, shown) in done.out + done.err
        assert done.code == wanted, f"{shown}\n{done.out[-2000:]}\n{done.err[-2000:]}"
    for command, ended in shell.stop_all().items():
        assert ended.code in (0, 128 + 15), f"{command}\n{ended.err[-2000:]}"
