"""Settings: strict validation, environment variables, and secrets that never appear in texts."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.config.environment import Environment
from sprig_tui.config.paths import Paths, find_paths, paths_in_folder
from sprig_tui.config.settings import Settings, load_settings
from sprig_tui.errors import ConfigError

KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
OTHER = "k2222222222aaaaa2222222222222222"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return paths_in_folder(str(tmp_path))


def load(paths: Paths, text: str, **environ: str) -> Settings:
    paths.config_file.write_text(text, encoding="utf-8")
    return load_settings(paths, environ)


def test_settings_without_a_file_have_two_environments(paths: Paths) -> None:
    settings = load_settings(paths, {})
    assert settings.environments == {
        "production": Environment(name="production", protected=True),
        "development": Environment(name="development", protected=False),
    }
    assert settings.journal == str(paths.journal_file)
    assert settings.warnings == ()


def test_every_setting_is_read(paths: Paths) -> None:
    settings = load(
        paths,
        """
        [environments.production]
        endpoint = "eu"
        protected = false
        [environments.staging-eu]
        endpoint = "http://127.0.0.1:8080/v1/"
        requests_per_second = 5
        sprig_environment_id = "QmK7x2dTfa"
        [mapping]
        event = "Answered"
        omit = ["properties.email"]
        hash = ["properties.attributes.phone"]
        created_at = "response"
        integrations = { All = false, Amplitude = true }
        integration = { name = "acme", version = "2" }
        [surveys.5120]
        name = "Checkout effort"
        created_at = 2025-01-01T00:00:00Z
        [delivery]
        max_retries = 3
        retry_window = "1h30m"
        timeout = 2
        gzip = true
        [reconcile]
        every = "15m"
        hold_back = "30s"
        [journal]
        path = "j/my.db"
        [console]
        theme = "nord"
        [keys]
        send = "ctrl+s"
        [filters]
        mine = "status:failed since:2d"
        [tool.other]
        x = 1
        """,
    )
    staging = settings.environments["staging-eu"]
    assert staging.base_url == "http://127.0.0.1:8080"
    assert staging.requests_per_second == 5
    assert not settings.environments["production"].protected
    assert settings.rules.event == "Answered"
    assert settings.rules.integration_name == "acme"
    assert settings.rules.surveys["5120"].created_at == "2025-01-01T00:00:00+00:00"
    assert settings.delivery.retry_window == 5400
    assert settings.delivery.connections == 4
    assert settings.reconcile_every_s == 900
    assert settings.reconcile_hold_back_s == 30
    assert settings.journal == str(paths.config_file.parent / "j/my.db")
    assert settings.console == {"theme": "nord"}
    assert settings.keys == {"send": "ctrl+s"}
    assert settings.filters == {"mine": "status:failed since:2d"}
    assert settings.unknown_tables == ("tool",)
    assert len(settings.warnings) == 1
    assert "staging-eu: http://127.0.0.1:8080/v1/ was taken as http://127.0.0.1:8080" in settings.warnings[0].message


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[environments.production]\nwrite_kye = 'x'", "environments.production.write_kye", "did you mean write_key?"),
        ("[mapping]\nevnt = 'x'", "unknown key mapping.evnt", "did you mean event?"),
        ("[mapping.integration]\nnme = 'x'", "unknown key mapping.integration.nme", "did you mean name?"),
        ("[delivery]\nzzzzz = 1", "unknown key delivery.zzzzz", "valid here: connections"),
        ("[delivery]\nmax_retries = 'many'", "delivery.max_retries: expected a whole number", "sprig-tui help"),
        ("[delivery]\nmax_retries = -1", "delivery.max_retries: expected a whole number >= 0", "sprig-tui help"),
        ("[delivery]\nretry_window = 'soon'", "delivery.retry_window: 'soon' is not a duration", "12h"),
        ("[reconcile]\nevery = 'soon'", "reconcile.every: 'soon' is not a duration", "12h"),
        ("[reconcile]\nevery = 59", "reconcile.every is less than 60 s", "15m"),
        ("[reconcile]\nevry = '15m'", "unknown key reconcile.evry", "every"),
        ("[delivery]\ntimeout = 0", "delivery.timeout is 0", "15 s"),
        (
            "[environments.production]\nrequests_per_second = 0",
            "requests_per_second: expected a number > 0",
            "sprig-tui help",
        ),
        (
            "[environments.production]\nrequests_per_second = 1001",
            "requests_per_second: expected a number <=",
            "sprig-tui help",
        ),
        ("[environments.production]\nrequests_per_second = nan", "requests_per_second", ""),
        ("[environments.Production]\nprotected = true", "'Production' cannot name an environment", "lower-case"),
        ("[environments.production]\nendpoint = 'http://segment.example'", "readable by anyone", "https"),
        ("[environments.production]\nendpoint = 'https://u:p@x.example'", "user or password", "@"),
        ("[environments.production]\nendpoint = 'https://x.example?a=1'", "query", "us, eu"),
        ("[environments.production]\nendpoint = 'mars'", "neither a region", "us, eu"),
        ("[environments.production]\nendpoint = 'https://'", "names no host", "us, eu"),
        ("[environments.production]\nendpoint = 'https://x:99999'", "is no address", "us, eu"),
        ("environments = 3", "environments must be a table", "[environments]"),
        ("[environments]\nproduction = 3", "environments.production must be a table", "[environments.production]"),
        ("[mapping]\nomit = ['userId']", "mapping.omit: userId is required", "only properties"),
        ("[mapping]\nomit = ['email']", "mapping.omit: there is no field email", "did you mean properties.email?"),
        ("[mapping]\ncreated_at = 'now'", "mapping.created_at: invalid enum value", "survey, response"),
        ("[mapping]\nevent = ' '", "mapping.event is empty", "leave it out"),
        ("[journal]\npath = 'a'\nurl = 'b'", "both a path and a url", "keep one"),
        ("[journal]\npath = 'postgresql://u:secret@db/x'", "journal.path is a URL, and not a file", "call it url"),
        ("[keys]\nsend = 3", "keys.send must be text", "ctrl+s"),
        ("[filters]\nmine = 3", "filters.mine must be text", "status:failed"),
        ("[filters]\nMine = 'slow'", "'Mine' cannot name a filter", "lower-case"),
        ("[environments.production\n", "not valid TOML", "correct that line"),
        ("a = 1\na = 2\n", "not valid TOML", "correct that line"),
    ],
)
def test_invalid_setting_error_names_file_key_and_next_step(paths: Paths, text: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(paths, text)
    assert str(paths.config_file) in caught.value.message
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_invalid_setting_error_does_not_contain_the_value(paths: Paths) -> None:
    for text in (
        f"[environments.production]\nwrite_key = ['{KEY}']",
        f"[environments.production]\nprotected = '{KEY}'",
    ):
        with pytest.raises(ConfigError) as caught:
            load(paths, text)
        assert KEY not in str(caught.value) + caught.value.hint


def test_write_key_precedence_variable_named_config(paths: Paths) -> None:
    text = f"[environments.staging-eu]\nwrite_key = '{KEY}'\nwrite_key_env = 'SEG'"

    def source(**environ: str) -> str:
        key = load(paths, text, **environ).environments["staging-eu"].write_key
        assert key is not None
        return key.read_from

    assert source() == "config"
    assert source(SEG=OTHER) == "SEG"
    assert source(SEG=OTHER, SPRIG_TUI_WRITE_KEY_STAGING_EU=OTHER) == "SPRIG_TUI_WRITE_KEY_STAGING_EU"
    assert source(SPRIG_TUI_WRITE_KEY_STAGING_EU=" ") == "config"


def test_named_variable_that_is_not_set_is_a_warning(paths: Paths) -> None:
    settings = load(paths, "[environments.production]\nwrite_key_env = 'SEG'")
    assert settings.environments["production"].write_key is None
    [warning] = settings.warnings
    assert (warning.code, warning.environment) == ("variable_not_set", "production")
    assert warning.message == "production: write_key_env names 'SEG', which is not set"


def test_unusable_write_key_is_ignored_with_a_warning(paths: Paths) -> None:
    settings = load(
        paths, f"[environments.production]\nwrite_key = '{KEY}'", SPRIG_TUI_WRITE_KEY_PRODUCTION="two words"
    )
    assert settings.environments["production"].write_key is None
    assert "cannot be used: there are spaces inside" in settings.warnings[0].message


def test_write_key_is_trimmed_with_a_warning(paths: Paths) -> None:
    settings = load(paths, f"[environments.production]\nwrite_key = ' {KEY} '")
    key = settings.environments["production"].write_key
    assert key is not None
    assert key.reveal() == KEY
    assert "spaces around" in settings.warnings[0].message


def test_settings_never_print_a_key(paths: Paths) -> None:
    settings = load(paths, f"[environments.production]\nwrite_key = '{KEY}'")
    assert KEY not in repr(settings)
    assert settings.stored_keys == {"production"}


def test_unknown_environment_error_names_the_nearest(paths: Paths) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(paths, {}).environment("prodution")
    assert caught.value.hint.startswith("did you mean production?")


def test_unreadable_config_error_names_the_file(paths: Paths, tmp_path: Path) -> None:
    paths.config_file.write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(ConfigError, match="line 2: not UTF-8"):
        load_settings(paths, {})
    paths.config_file.write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="larger than 1 MB"):
        load_settings(paths, {})
    paths.config_file.write_text("x = " + "[" * 100_000)
    with pytest.raises(ConfigError, match=r"nested too deeply|not valid TOML"):
        load_settings(paths, {})
    paths.config_file.unlink()
    paths.config_file.mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        load_settings(paths, {})
    paths.config_file.rmdir()
    paths.config_file.symlink_to(tmp_path / "gone")
    with pytest.raises(ConfigError, match="is not there"):
        load_settings(paths, {})
    with pytest.raises(ConfigError, match="is not a file"):
        load_settings(Paths(Path("/dev/null"), paths.journal_file, paths.state_dir), {})


@given(st.binary(max_size=200))
def test_config_of_any_bytes_is_settings_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    paths = paths_in_folder(str(tmp_path_factory.getbasetemp()))
    paths.config_file.write_bytes(data)
    with suppress(ConfigError):  # anything else is the failure
        load_settings(paths, {})


def test_home_variable_moves_all_paths(tmp_path: Path) -> None:
    paths = find_paths({"SPRIG_TUI_HOME": str(tmp_path)})
    assert {Path(place).parent for place in paths.as_dict().values()} <= {tmp_path, tmp_path / "state"}
    assert find_paths({"SPRIG_TUI_HOME": "here"}).config_file == Path.cwd() / "here" / "config.toml"
    assert find_paths({}).config_file.name == "config.toml"


def test_invalid_home_variable_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for home in ("", "  ", str(tmp_path / "file")):
        with pytest.raises(ConfigError, match="SPRIG_TUI_HOME"):
            find_paths({"SPRIG_TUI_HOME": home})


ABSURD = {
    "a number of 5,000 digits": "[delivery]\nmax_retries = " + "9" * 5_000 + "\n",
    "a number of 900,000 digits": "[delivery]\nmax_retries = " + "9" * 900_000 + "\n",
    "a hexadecimal one": "[delivery]\nmax_retries = 0x" + "f" * 900_000 + "\n",
    "a key of 100,000 parts": "a" + ".a" * 100_000 + " = 1\n",
    "with spaces and quotes between": "[a" + " . 'a' . \"a\"" * 10_000 + "]\n",
    "deep lists": "a = " + "[" * 100_000 + "]" * 100_000 + "\n",
    "deep tables": "a = " + "{b=" * 3_000 + "1" + "}" * 3_000 + "\n",
    "100,000 environments": "".join(f"[environments.e{number}]\n" for number in range(40_000)),
    "10 MB": "# " + "x" * 10_000_000 + "\n",
    "a key of 900,000 characters": '[environments.production]\n"' + "x" * 900_000 + '" = 1\n',
    "a key that is no text for a terminal": '[environments.production]\n"\\u0000\\u001b[31m" = 1\n',
    "a year beyond all": "[surveys.1]\ncreated_at = 0000-00-00\n",
}


@pytest.mark.parametrize("what", ABSURD)
def test_absurd_setting_is_a_short_config_error(tmp_path, what):
    paths = paths_in_folder(str(tmp_path))
    paths.config_file.write_text(ABSURD[what])
    with pytest.raises(ConfigError) as caught:
        load_settings(paths, {})
    said = caught.value.message + caught.value.hint
    assert len(said) < 600
    assert "\x1b" not in said
