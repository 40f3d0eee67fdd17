"""Survey catalogue: names and creation times that `pull` fetched from Sprig, one file per environment.

The files are in the state folder, `surveys/ENVIRONMENT.json`. The config's own [surveys] take precedence.
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
    """Surveys of one environment."""

    version: int = SURVEYS_FILE_VERSION
    source: str = ""
    """Address of the API that they come from."""
    fetched_at: int = 0
    """Wall time, milliseconds since 1970 UTC."""
    surveys: dict[str, Survey] = {}
    """By id, as text."""


def surveys_file(paths: Paths, environment: str) -> Path:
    """The catalogue file of an environment."""
    return paths.state_dir / SURVEYS_FOLDER / f"{environment}.json"


def read_surveys_file(file: Path) -> EnvironmentSurveys:
    """The catalogue in a file; empty if there is no file. Raises ConfigError for an unusable one."""
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
        catalogue = msgspec.json.decode(data, type=EnvironmentSurveys)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file} is no survey catalogue: {error}", hint="remove it: the next sprig-tui pull writes it again"
        ) from error
    if catalogue.version > SURVEYS_FILE_VERSION:
        raise ConfigError(f"{file} was written by a newer version of sprig-tui", hint="use that version, or remove it")
    return catalogue


def write_surveys_file(file: Path, catalogue: EnvironmentSurveys) -> None:
    """Replace the file atomically, mode 0600. Raises ConfigError."""
    from sprig_tui.files import make_folder, write_atomically

    make_folder(file.parent)
    write_atomically(file, msgspec.json.format(msgspec.json.encode(catalogue), indent=1))


class SurveyCatalogue(NamedTuple):
    """The catalogues of all environments."""

    surveys: dict[str, Survey]
    problems: tuple[ConfigWarning, ...] = ()
    """Catalogues that cannot be used."""
    digest: str = ""
    """Changes whenever a catalogue does; empty without catalogues."""


def load_survey_catalogue(paths: Paths) -> SurveyCatalogue:
    """The surveys of every environment."""
    surveys: dict[str, Survey] = {}
    problems: list[ConfigWarning] = []
    digest = hashlib.blake2b(digest_size=8)
    try:
        files = sorted((paths.state_dir / SURVEYS_FOLDER).glob("*.json"))
    except OSError as error:
        text = f"cannot read {paths.state_dir / SURVEYS_FOLDER}: {error.strerror}"
        return SurveyCatalogue(surveys, (ConfigWarning(WarningCode.CATALOGUE_UNUSABLE, text),))
    for file in files:
        try:
            data = _read_bytes(file)
            if data is not None:
                digest.update(data)
                surveys.update(_parse_surveys(file, data).surveys)
        except ConfigError as error:
            problems.append(ConfigWarning(WarningCode.CATALOGUE_UNUSABLE, f"{error.message} ({error.hint})"))
    return SurveyCatalogue(surveys, tuple(problems), digest.hexdigest() if files else "")


def merge_surveys(configured: Mapping[str, Survey], fetched: Mapping[str, Survey]) -> dict[str, Survey]:
    """One catalogue; for each field of a survey the config takes precedence over Sprig."""
    merged = dict(fetched)
    for key, own in configured.items():
        from_sprig = fetched.get(key, Survey())
        merged[key] = Survey(
            name=from_sprig.name if own.name is None else own.name,
            created_at=from_sprig.created_at if own.created_at is None else own.created_at,
        )
    return merged
