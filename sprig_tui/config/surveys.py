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

SURVEYS_FOLDER = "surveys"
SURVEYS_FILE_VERSION = 1


class EnvironmentSurveys(Struct, frozen=True, kw_only=True):
    """What is known of the surveys of one environment."""

    version: int = SURVEYS_FILE_VERSION
    source: str = ""
    """The API that told."""
    fetched_at: int = 0
    """Wall time, milliseconds since 1970 UTC."""
    surveys: dict[str, Survey] = {}
    """By id as text."""


def surveys_file(paths: Paths, environment: str) -> Path:
    """Where the catalogue of an environment stands."""
    return paths.state_dir / SURVEYS_FOLDER / f"{environment}.json"


def read_surveys_file(file: Path) -> EnvironmentSurveys:
    """The catalogue in a file; empty where there is none. Raises ConfigError for one that cannot be used."""
    data = _read_bytes(file)
    return _parse_surveys(file, data) if data is not None else EnvironmentSurveys()


def _read_bytes(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}", hint="check its owner and mode") from error


def _parse_surveys(file: Path, data: bytes) -> EnvironmentSurveys:
    try:
        found = msgspec.json.decode(data, type=EnvironmentSurveys)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file} is no survey catalogue: {error}", hint="remove it: the next sprig-tui pull makes it anew"
        ) from error
    if found.version > SURVEYS_FILE_VERSION:
        raise ConfigError(f"{file} was written by a newer version of sprig-tui", hint="use that version, or remove it")
    return found


def write_surveys_file(file: Path, catalogue: EnvironmentSurveys) -> None:
    """Replace the file, whole or not at all, mode 0600. Raises ConfigError."""
    from sprig_tui.files import make_folder, write_atomically

    make_folder(file.parent)
    write_atomically(file, msgspec.json.format(msgspec.json.encode(catalogue), indent=1))


class SurveyCatalogue(NamedTuple):
    """What all catalogues say together."""

    surveys: dict[str, Survey]
    problems: tuple[ConfigWarning, ...] = ()
    """Which catalogues cannot be used."""
    digest: str = ""
    """Tells whether any of them changed; empty where there are none."""


def load_survey_catalogue(paths: Paths) -> SurveyCatalogue:
    """The surveys of every environment."""
    surveys: dict[str, Survey] = {}
    troubles: list[ConfigWarning] = []
    digest = hashlib.blake2b(digest_size=8)
    try:
        files = sorted((paths.state_dir / SURVEYS_FOLDER).glob("*.json"))
    except OSError as error:
        said = f"cannot read {paths.state_dir / SURVEYS_FOLDER}: {error.strerror}"
        return SurveyCatalogue(surveys, (ConfigWarning(WarningCode.CATALOGUE_UNUSABLE, said),))
    for file in files:
        try:
            data = _read_bytes(file)
            if data is not None:
                digest.update(data)
                surveys.update(_parse_surveys(file, data).surveys)
        except ConfigError as error:
            troubles.append(ConfigWarning(WarningCode.CATALOGUE_UNUSABLE, f"{error.message} ({error.hint})"))
    return SurveyCatalogue(surveys, tuple(troubles), digest.hexdigest() if files else "")


def merge_surveys(configured: Mapping[str, Survey], fetched: Mapping[str, Survey]) -> dict[str, Survey]:
    """One catalogue: what the config says of a survey, and what Sprig says where the config does not."""
    together = dict(fetched)
    for key, mine in configured.items():
        theirs = fetched.get(key, Survey())
        together[key] = Survey(
            name=theirs.name if mine.name is None else mine.name,
            created_at=theirs.created_at if mine.created_at is None else mine.created_at,
        )
    return together
