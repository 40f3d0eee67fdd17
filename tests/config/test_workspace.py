"""`[segment]`: token and region of the Public API."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from sprig_tui.config.checks import check_keys
from sprig_tui.config.paths import Paths, paths_in_folder
from sprig_tui.config.save import save_workspace
from sprig_tui.config.secret_lint import PUBLIC_API_TOKEN_RULES, lint_secret
from sprig_tui.config.settings import Settings, load_settings
from sprig_tui.errors import ConfigError

TOKEN = "sgp_inventedTokenOfTheWorkspace0123456789abcdefghijk"
PROFILE = "inventedTokenOfTheProfileApiOfOneSpace"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = paths_in_folder(str(tmp_path / "home"))
    found.config_file.parent.mkdir()
    return found


def loaded(paths: Paths, text: str = "", **environ: str) -> Settings:
    if text:
        paths.config_file.write_text(text)
    return load_settings(paths, environ)


def test_settings_secrets_contain_every_secret(paths: Paths) -> None:
    environment = {"write_key": "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx", "sprig_api_key": "spk_1", "webhook_token": "w" * 40}
    rows = "".join(f'{name} = "{value}"\n' for name, value in environment.items())
    settings = loaded(paths, f'[environments.production]\n{rows}[segment]\npublic_api_token = "{TOKEN}"\n')
    assert sorted(settings.secrets()) == sorted((*environment.values(), TOKEN))


def test_workspace_settings_without_a_token(paths: Paths) -> None:
    workspace = loaded(paths).workspace
    assert workspace.token is None
    assert workspace.base_url == "https://api.segmentapis.com"


def test_workspace_token_precedence_variable_named_config(paths: Paths) -> None:
    text = f'[segment]\npublic_api_token = "{TOKEN}"\npublic_api_token_env = "MINE"\nregion = "EU"\n'
    for environ, source in (
        ({"SPRIG_TUI_SEGMENT_TOKEN": TOKEN, "MINE": "sgp_otherTokenOfAnotherWorkspace"}, "SPRIG_TUI_SEGMENT_TOKEN"),
        ({"MINE": f"Bearer {TOKEN}"}, "MINE"),
        ({}, "config"),
    ):
        workspace = loaded(paths, text, **environ).workspace
        assert workspace.token is not None
        assert (workspace.token.reveal(), workspace.token.read_from) == (TOKEN, source)
        assert workspace.base_url == "https://eu1.api.segmentapis.com"
        assert workspace.stored


def test_profile_token_is_a_secret_like_the_workspace_token(paths: Paths) -> None:
    text = (
        f'[segment]\nregion = "eu"\nprofile_space = "spa_1"\nprofile_token = "{PROFILE}"\nprofile_token_env = "MINE"\n'
    )
    for environ, source in (
        ({"SPRIG_TUI_PROFILE_TOKEN": PROFILE, "MINE": "x"}, "SPRIG_TUI_PROFILE_TOKEN"),
        ({}, "config"),
    ):
        settings = loaded(paths, text, **environ)
        workspace = settings.workspace
        assert workspace.profile_token is not None
        assert (workspace.profile_token.reveal(), workspace.profile_token.read_from) == (PROFILE, source)
        assert (workspace.profile_space, workspace.profile_url) == ("spa_1", "https://profiles.euw1.segment.com")
        assert settings.secrets() == [PROFILE]
        assert PROFILE not in repr(settings) + repr(workspace) + repr(settings.document)
        assert workspace.profile_stored
        assert not workspace.stored
    paths.config_file.chmod(0o644)
    assert any("others may read it" in problem.message for problem in check_keys(settings))


def test_a_space_without_its_token_is_a_warning(paths: Paths) -> None:
    [problem] = check_keys(loaded(paths, '[segment]\nprofile_space = "spa_1"\n'))
    assert problem.message == "[segment] has a profile_space and no profile_token: the Profile API is not asked"
    assert check_keys(load_settings(paths, {"SPRIG_TUI_PROFILE_TOKEN": PROFILE})) == ()


def test_unusable_profile_token_is_named_and_not_shown(paths: Paths) -> None:
    settings = loaded(paths, f'[segment]\nprofile_token = "{PROFILE} {PROFILE}"\n')
    assert settings.workspace.profile_token is None
    [warning] = settings.warnings
    assert warning.message == "segment: the profile token in the config cannot be used: there are spaces inside"


def test_workspace_token_prints_masked(paths: Paths) -> None:
    settings = loaded(paths, f'[segment]\npublic_api_token = "{TOKEN}"\n')
    assert TOKEN not in repr(settings) + str(settings.workspace) + repr(settings.document)
    assert settings.workspace.token is not None
    assert settings.workspace.token.masked() == "sgp_…hijk"


def test_unusable_workspace_token_is_named(paths: Paths) -> None:
    settings = loaded(paths, '[segment]\npublic_api_token = "two words"\n')
    assert settings.workspace.token is None
    [warning] = settings.warnings
    assert (warning.code, warning.environment) == ("secret_unusable", "")
    assert warning.message == "segment: the public api token in the config cannot be used: there are spaces inside"


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ("asia", "neither a region"),
        ("http://api.segmentapis.com", "readable by anyone on the way"),
        ("https://me@api.segmentapis.com", "user or password"),
        ("https://events.eu1.segmentapis.com", "the Public API is elsewhere"),
        ("https://api.segment.io/", "the Public API is elsewhere"),
    ],
)
def test_invalid_region_is_rejected(paths: Paths, region: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        loaded(paths, f'[segment]\nregion = "{region}"\n')
    assert "segment.region" in caught.value.message


@pytest.mark.parametrize(
    ("region", "address"),
    [
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("https://proxy.example/segment/sources", "https://proxy.example/segment"),
        (" us ", "https://api.segmentapis.com"),
    ],
)
def test_region_may_be_an_address(paths: Paths, region: str, address: str) -> None:
    assert loaded(paths, f'[segment]\nregion = "{region}"\n').workspace.base_url == address


def test_saving_a_token_keeps_the_rest_and_sets_mode_0600(paths: Paths) -> None:
    before = '# mine\n[environments.production]\nwrite_key = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx" # theirs\n'
    paths.config_file.write_text(before)
    save_workspace(paths, {"public_api_token": TOKEN, "region": "eu"})
    text = paths.config_file.read_text()
    assert text.startswith(before)
    assert tomllib.loads(text)["segment"] == {"public_api_token": TOKEN, "region": "eu"}
    assert stat.S_IMODE(paths.config_file.stat().st_mode) == 0o600
    save_workspace(paths, {"public_api_token": None})
    assert tomllib.loads(paths.config_file.read_text())["segment"] == {"region": "eu"}


def test_removing_a_missing_token_writes_nothing(paths: Paths) -> None:
    save_workspace(paths, {"public_api_token": None})
    assert not paths.config_file.exists() or not paths.config_file.read_text()


@pytest.mark.parametrize("text", ["segment = {}\n", "segment.region = 'eu'\n", "segment = 3\n"])
def test_workspace_config_that_cannot_be_edited_is_left_unquoted(paths: Paths, text: str) -> None:
    paths.config_file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        save_workspace(paths, {"public_api_token": TOKEN})
    assert "segment is not written as a [segment] table" in caught.value.message
    assert TOKEN not in caught.value.message + caught.value.hint
    assert paths.config_file.read_text() == text


@pytest.mark.parametrize(
    ("text", "token", "names"),
    [
        (TOKEN, TOKEN, []),
        (f"{TOKEN}\n", TOKEN, []),
        (f' "{TOKEN}" ', TOKEN, ["spaces", "quotes"]),
        (f"Authorization: Bearer {TOKEN}", TOKEN, ["scheme"]),
        ("", "", ["empty"]),
        ("Bearer ", "", ["spaces", "scheme", "empty"]),
        ("https://app.segment.com", "", ["url"]),
        ("{}", "", ["json"]),
        ("one\ntwo", "", ["lines"]),
        ("sgp_täken", "", ["characters"]),
        ("two words", "", ["inner-spaces"]),
        ("x" * 100_000, "", ["too-long"]),
        ("short", "short", ["short"]),
        ("Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx", "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx", ["write-key"]),
    ],
)
def test_workspace_token_lint(text: str, token: str, names: list[str]) -> None:
    lint = lint_secret(text, PUBLIC_API_TOKEN_RULES)
    assert lint.secret == token
    assert [fault.name for fault in lint.faults] == names


def test_config_with_a_token_readable_by_others_is_a_problem(paths: Paths) -> None:
    paths.config_file.write_text(f'[segment]\npublic_api_token = "{TOKEN}"\n')
    paths.config_file.chmod(0o644)
    assert any("others may read it" in finding.message for finding in check_keys(load_settings(paths, {})))


def test_comparisons_that_lack_the_token_are_a_warning(paths: Paths) -> None:
    every = '[reconcile]\nevery = "15m"\n'
    (problem,) = check_keys(loaded(paths, every))
    assert "no token of Segment's Public API" in problem.message
    assert "sprig-tui keys workspace" in problem.hint
    assert check_keys(loaded(paths, every, SPRIG_TUI_SEGMENT_TOKEN=TOKEN)) == ()
    assert check_keys(loaded(paths, '[reconcile]\nevery = "0s"\n')) == ()
