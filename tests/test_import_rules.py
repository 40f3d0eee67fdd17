"""Who may import whom, seen in fresh processes: import-linter sees what is written, this sees what is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sprig_tui.cli.program import COMMANDS

FACES = {"textual", "rich", "click"}
SAMPLES = Path(__file__).parents[1] / "sample_payloads"


def loaded_by(code: str, tmp_path: Path) -> set[str]:
    """Top-level packages, and modules of ours, that the code leaves in `sys.modules`."""
    marker = "\nimport sys; sys.stderr.write('LOADED ' + ' '.join(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code + marker],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SPRIG_TUI_HOME": str(tmp_path / "home")},
    )
    assert done.returncode == 0, done.stderr
    modules = done.stderr.rpartition("LOADED ")[2].split()
    return {name for name in modules if name.startswith("sprig_tui")} | {name.partition(".")[0] for name in modules}


def command(*argv: str) -> str:
    return f"from sprig_tui.cli.program import run; run({list(argv)!r})"


def test_help_loads_next_to_nothing(tmp_path: Path) -> None:
    loaded = loaded_by(command("--help"), tmp_path)
    assert "click" in loaded
    assert not loaded & {
        "textual",
        "rich",
        "httpx",
        "msgspec",
        "sqlite3",
        "platformdirs",
        "tomllib",
        "asyncio",
        "logging",
    }


def test_a_topic_in_a_pipe_loads_neither_screen_nor_network_nor_markdown(tmp_path: Path) -> None:
    loaded = loaded_by(command("help", "replay"), tmp_path)
    assert not loaded & {"textual", "rich", "httpx", "markdown_it", "sqlite3", "asyncio"}


def test_preview_loads_neither_screen_nor_network_nor_database(tmp_path: Path) -> None:
    sample = next(file for file in sorted(SAMPLES.iterdir()) if file.suffix == ".jsonl")
    views = (command("preview", str(sample), "-e", "development", "--as", view) for view in ("fields", "json", "curl"))
    loaded = loaded_by("\n".join(views), tmp_path)
    assert "sprig_tui.mapping.mapper" in loaded
    assert not loaded & {"textual", "rich", "httpx", "sqlite3", "tomli_w", "asyncio"}


HELPED = [name for name in COMMANDS if name not in ("completion", "help")]


def test_help_of_a_command_loads_no_screen_and_no_network(tmp_path: Path) -> None:
    heavy = ("textual", "rich", "httpx", "sqlite3", "httptools", "prometheus_client")
    code = (
        "import sys\n"
        "from sprig_tui.cli.program import run\n"
        f"for name in {HELPED!r}:\n"
        "    run([name, '--help'])\n"
        f"    if found := [module for module in {heavy!r} if module in sys.modules]:\n"
        "        sys.exit(f'{name} loads {found}')\n"
    )
    assert loaded_by(code, tmp_path) >= {f"sprig_tui.cli.commands.{name}" for name in HELPED}


def test_the_first_paint_loads_only_what_it_shows(tmp_path: Path) -> None:
    loaded = loaded_by(
        "from sprig_tui.cli.commands.console import open_console; import sprig_tui.console.app", tmp_path
    )
    assert not loaded & {
        "sprig_tui.cli.commands.listen",
        "sprig_tui.cli.setup_services",
        "sprig_tui.config.reload",
        "sprig_tui.console.deliveries.log",
        "sprig_tui.console.payload.inspection",
        "sprig_tui.console.payload.inspector",
        "sprig_tui.journal.base",
        "sprig_tui.journal.filter",
        "sprig_tui.mapping.mapper",
        "sprig_tui.segment.public_api_models",
        "email",
        "json",
        "sqlite3",
        "backports.zstd",
        "compression.zstd",
    }


def test_the_log_needs_no_network(tmp_path: Path) -> None:
    assert not loaded_by(command("log"), tmp_path) & {"textual", "rich", "httpx"}


@pytest.mark.parametrize(
    ("packages", "forbidden"),
    [
        (["journal.sqlite", "delivery.engine", "ingest.ingest"], {"textual", "rich", "click"}),
        (["mapping.mapper"], {*FACES, "httpx", "sqlite3", "asyncio", "sprig_tui.config.settings"}),
        (["sprig.reader"], {*FACES, "httpx", "sqlite3", "sprig_tui.segment", "sprig_tui.mapping"}),
        (["webhooks.app", "server.server"], {"textual", "httpx", "sqlite3"}),
        # httpx brings click and rich along, where they are installed: http.lean keeps them out
        (["segment.client", "segment.sink"], {*FACES, "pygments", "sqlite3", "sprig_tui.sprig", "sprig_tui.mapping"}),
        (["config.settings"], {*FACES, "httpx", "sqlite3"}),
    ],
)
def test_what_a_part_brings_along(tmp_path: Path, packages: list[str], forbidden: set[str]) -> None:
    code = "\n".join(f"import sprig_tui.{package}" for package in packages)
    assert not loaded_by(code, tmp_path) & forbidden


def test_garbage_is_collected_while_a_command_runs_but_not_among_what_is_loaded(tmp_path: Path) -> None:
    code = (
        "import atexit, gc, sys\n"
        "from sprig_tui.cli import main, output\n"
        "write = output.write_line\n"
        "output.write_line = lambda *words: (print(gc.isenabled(), gc.get_freeze_count() > 5_000), write(*words))\n"
        "atexit.register(lambda: print(gc.isenabled(), len(gc.get_objects())))\n"
        "sys.argv[1:] = ['paths']\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "SPRIG_TUI_HOME": str(tmp_path / "home")},
    )
    assert done.stdout.splitlines()[0] == "True True"
    enabled, left = done.stdout.splitlines()[-1].split()
    assert enabled == "True"
    assert int(left) < 500, "the exit looks through what is loaded"
