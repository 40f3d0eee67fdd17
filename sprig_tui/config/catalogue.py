"""The survey catalogue: names and creation times that `pull` learnt from Sprig, one file per environment.

The files stand in the state folder, `surveys/ENVIRONMENT.json`. What the config's own [surveys] say goes first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from sprig_tui.config.paths import Paths
from sprig_tui.config.warnings import ConfigWarning, WarningCode
from sprig_tui.errors import ConfigError
from sprig_tui.mapping.records import Survey

FOLDER = "surveys"
VERSION = 1


class Catalogue(Struct, frozen=True, kw_only=True):
    """What is known of the surveys of one environment."""

    version: int = VERSION
    source: str = ""
    """The API that told."""
    fetched_at: int = 0
    """Wall time, milliseconds since 1970 UTC."""
    surveys: dict[str, Survey] = {}
    """By id as text."""


def catalogue_file(paths: Paths, environment: str) -> Path:
    """Where the catalogue of an environment stands."""
    return paths.state_dir / FOLDER / f"{environment}.json"


def read_catalogue(file: Path) -> Catalogue:
    """The catalogue in a file; empty where there is none. Raises ConfigError for one that cannot be used."""
    data = _bytes(file)
    return _parsed(file, data) if data is not None else Catalogue()


def _bytes(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}", hint="check its owner and mode") from error


def _parsed(file: Path, data: bytes) -> Catalogue:
    try:
        found = msgspec.json.decode(data, type=Catalogue)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file} is no survey catalogue: {error}", hint="remove it: the next sprig-tui pull makes it anew"
        ) from error
    if found.version > VERSION:
        raise ConfigError(f"{file} was written by a newer version of sprig-tui", hint="use that version, or remove it")
    return found


def write_catalogue(file: Path, catalogue: Catalogue) -> None:
    """Replace the file, whole or not at all, mode 0600. Raises ConfigError."""
    from sprig_tui.config.atomically import make_folder, write_atomically

    make_folder(file.parent)
    write_atomically(file, msgspec.json.format(msgspec.json.encode(catalogue), indent=1))


class Known(NamedTuple):
    """What all catalogues say together."""

    surveys: dict[str, Survey]
    troubles: tuple[ConfigWarning, ...] = ()
    """Which catalogues cannot be used."""
    digest: str = ""
    """Tells whether any of them changed; empty where there are none."""


def known_surveys(paths: Paths) -> Known:
    """The surveys of every environment."""
    surveys: dict[str, Survey] = {}
    troubles: list[ConfigWarning] = []
    digest = hashlib.blake2b(digest_size=8)
    try:
        files = sorted((paths.state_dir / FOLDER).glob("*.json"))
    except OSError as error:
        said = f"cannot read {paths.state_dir / FOLDER}: {error.strerror}"
        return Known(surveys, (ConfigWarning(WarningCode.CATALOGUE_UNUSABLE, said),))
    for file in files:
        try:
            data = _bytes(file)
            if data is not None:
                digest.update(data)
                surveys.update(_parsed(file, data).surveys)
        except ConfigError as error:
            troubles.append(ConfigWarning(WarningCode.CATALOGUE_UNUSABLE, f"{error.message} ({error.hint})"))
    return Known(surveys, tuple(troubles), digest.hexdigest() if files else "")


def merged(own: Mapping[str, Survey], learnt: Mapping[str, Survey]) -> dict[str, Survey]:
    """One catalogue: what the config says of a survey, and what Sprig says where the config does not."""
    together = dict(learnt)
    for key, mine in own.items():
        theirs = learnt.get(key, Survey())
        together[key] = Survey(
            name=theirs.name if mine.name is None else mine.name,
            created_at=theirs.created_at if mine.created_at is None else mine.created_at,
        )
    return together
