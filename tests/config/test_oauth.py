"""`oauth` of an environment: its table, its key file, its token server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec.structs import replace
from support.rsa_keys import private_pem, public_pem, rsa_key, write_private_key

from sprig_tui.config.environment import Environment
from sprig_tui.config.oauth import signing_problem
from sprig_tui.config.paths import Paths, paths_in_folder
from sprig_tui.config.reload import ConfigReloader
from sprig_tui.config.save import save_environment
from sprig_tui.config.settings import Settings, load_settings
from sprig_tui.errors import ConfigError
from sprig_tui.segment.oauth.private_key import read_private_key

TABLE = 'client_id = "2Xapp"\nkey_id = "2Xkey"\nprivate_key_file = "private.pem"\n'


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return paths_in_folder(str(tmp_path))


def load(paths: Paths, table: str, endpoint: str = "us") -> Settings:
    text = f'[environments.production]\nendpoint = "{endpoint}"\n[environments.production.oauth]\n{table}'
    paths.config_file.write_text(text)
    paths.config_file.chmod(0o600)
    return load_settings(paths, {})


def production(settings: Settings) -> Environment:
    return settings.environments["production"]


@pytest.mark.parametrize(
    ("endpoint", "extra", "url"),
    [
        ("us", "", "https://oauth2.segment.io/token"),
        ("https://api.segment.io", "", "https://oauth2.segment.io/token"),
        ("eu", "", "https://oauth2.eu1.segmentapis.com/token"),
        ("http://127.0.0.1:8080", "", "http://127.0.0.1:8080/token"),
        ("us", 'token_url = "https://auth.example/"', "https://auth.example/token"),
        ("us", 'token_url = "https://auth.example/a/token"', "https://auth.example/a/token"),
    ],
)
def test_token_server_is_that_of_the_endpoint(paths: Paths, endpoint: str, extra: str, url: str) -> None:
    write_private_key(paths.config_file.parent)
    settings = load(paths, TABLE + extra, endpoint)
    credentials = production(settings).oauth_credentials
    assert credentials is not None
    assert (credentials.token_url, credentials.audience) == (url, url.removesuffix("/token"))
    assert (credentials.client_id, credentials.key_id, credentials.scope) == ("2Xapp", "2Xkey", "tracking_api:write")
    assert credentials.key.path == str(paths.config_file.parent / "private.pem")
    assert settings.warnings == ()


def test_token_of_the_configs_own_token_server_never_goes_to_another_endpoint(paths: Paths) -> None:
    write_private_key(paths.config_file.parent)
    own = production(load(paths, TABLE + 'token_url = "https://auth.example"'))
    elsewhere = replace(own, endpoint="http://127.0.0.1:8080", own_endpoint=own.endpoint)
    assert elsewhere.oauth_credentials is not None
    assert elsewhere.oauth_credentials.token_url == "http://127.0.0.1:8080/token"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('client_id = "2Xapp"', "environments.production.oauth: key_id is missing"),
        (TABLE + 'secret = "x"', "unknown key environments.production.oauth.secret"),
        (TABLE.replace("2Xapp", ""), "oauth.client_id is not the App ID of an OAuth app"),
        (TABLE.replace("2Xkey", "two words"), "oauth.key_id is not the Key ID of an OAuth app"),
        (TABLE.replace("private.pem", " "), "oauth.private_key_file names no file"),
        (TABLE + 'scope = ""', "oauth.scope is no scope"),
        (TABLE + 'token_url = "http://auth.example"', "would send the assertion readable by anyone"),
        (TABLE + 'token_url = "ftp://auth.example"', "is no https:// address"),
        (TABLE.replace('"2Xapp"', "7"), "oauth.client_id: expected text, got a whole number"),
    ],
)
def test_invalid_table_is_an_error_that_names_its_key(paths: Paths, table: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(paths, table)
    assert said in caught.value.message
    assert caught.value.hint


def test_key_that_was_pasted_in_place_of_its_file_is_not_repeated(paths: Paths) -> None:
    pem = private_pem().decode()
    with pytest.raises(ConfigError) as caught:
        load(paths, f"client_id = 'a'\nkey_id = 'b'\nprivate_key_file = '''{pem}'''")
    assert pem.splitlines()[1] not in caught.value.message + caught.value.hint


def ec_pem() -> bytes:
    form, plain = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(serialization.Encoding.PEM, form, plain)


def ec_pkcs8() -> bytes:
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(serialization.Encoding.PEM, form, plain)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "is not there"),
        (lambda: b"", "holds no private key in PEM form"),
        (lambda: b"a" * 70_000, "is too large for a private key"),
        (lambda: b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no private key in PEM form"),
        (public_pem, "holds a public key or a certificate, not the private key"),
        (lambda: private_pem(encryption=serialization.BestAvailableEncryption(b"x")), "is encrypted with a passphrase"),
        (ec_pem, "holds no RSA key"),
        (ec_pkcs8, "holds no RSA key"),
        (lambda: private_pem(rsa_key(bits=1024)), "less than 2,048 bits (1024 bits)"),
        (lambda: b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n", "in the form of OpenSSH"),
    ],
)
def test_key_file_that_cannot_sign_says_why(tmp_path: Path, content: Callable[[], bytes] | None, problem: str) -> None:
    file = tmp_path / "private.pem"
    if content is not None:
        file.write_bytes(content())
    text, hint = signing_problem(read_private_key(file))
    assert text.startswith(f"the private key {file} ")
    assert problem in text
    assert hint


def test_folder_and_pipe_are_no_key_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        assert "is not a file" in signing_problem(read_private_key(path))[0]


def test_good_key_can_sign_and_is_not_shown(tmp_path: Path) -> None:
    key = read_private_key(write_private_key(tmp_path))
    assert signing_problem(key) == ("", "")
    assert "BEGIN" not in repr(key)
    assert "MII" not in repr(key)


def test_missing_key_file_leaves_the_config_usable_and_is_a_warning(paths: Paths) -> None:
    settings = load(paths, TABLE)
    (warning,) = settings.warnings
    assert warning.code == "private_key_unusable"
    assert warning.message.startswith("production: the private key")
    save_environment(paths, "production", {"requests_per_second": 5})
    assert production(load_settings(paths, {})).oauth is not None


def test_key_file_that_others_may_read_is_a_warning(paths: Paths) -> None:
    write_private_key(paths.config_file.parent).chmod(0o640)
    (warning,) = load(paths, TABLE).warnings
    assert warning.code == "private_key_readable"
    assert "(mode 0640); chmod 600" in warning.text


def test_private_key_is_redacted_in_logs(paths: Paths) -> None:
    write_private_key(paths.config_file.parent)
    assert private_pem().decode() in load(paths, TABLE).secrets()


def test_replaced_key_file_is_taken_up(paths: Paths) -> None:
    write_private_key(paths.config_file.parent)
    settings = load(paths, TABLE)
    reloader = ConfigReloader(paths, settings, lambda: load_settings(paths, {}))
    assert reloader.poll() is None
    write_private_key(paths.config_file.parent, key=rsa_key(2))
    update = reloader.poll()
    assert update is not None
    assert update.kind == "changed"
    assert production(update.settings).oauth != production(settings).oauth


def test_library_is_imported_only_to_sign(tmp_path: Path) -> None:
    write_private_key(tmp_path)
    (tmp_path / "config.toml").write_text(f"[environments.production.oauth]\n{TABLE}")
    script = (
        "import sys; from sprig_tui.config.paths import find_paths;"
        "from sprig_tui.config.settings import load_settings;"
        "import sprig_tui.segment.client; s = load_settings(find_paths());"
        "print(sorted({'jwt', 'cryptography'} & set(sys.modules)));"
        "sys.modules['jwt'] = None; from sprig_tui.config.oauth import signing_problem;"
        "print(*signing_problem(s.environments['production'].oauth.key), sep='; ')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "SPRIG_TUI_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    imported, told = done.stdout.splitlines()
    assert imported == "[]"
    assert told.endswith(
        "OAuth needs the package pyjwt[crypto], which is not installed; install it: pip install 'sprig-tui[oauth]'"
    )
