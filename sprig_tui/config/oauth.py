"""OAuth credentials of environments: the `oauth` table of the config, and the problems of its private key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sprig_tui.config.schema import OAuthTable
from sprig_tui.config.urls import parse_token_url
from sprig_tui.config.warnings import ConfigWarning, WarningCode
from sprig_tui.errors import ConfigError
from sprig_tui.segment.oauth.credentials import DEFAULT_SCOPE, OAuthCredentials
from sprig_tui.segment.oauth.private_key import (
    PrivateKeyFile,
    SigningKeyError,
    problem_hint,
    problem_text,
    read_private_key,
)
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from sprig_tui.config.environment import Environment

MAX_ID_CHARS = 200
"""Characters of an App ID or Key ID; Segment's have 27."""


def make_oauth(table: OAuthTable, label: str, folder: Path) -> OAuthCredentials:
    """The credentials of a table; a relative key file is below `folder`, that of the config.

    A key that cannot be used raises nothing: its environment waits, and the others deliver. Raises ConfigError, which
    names the key of the config after `label`, for everything else.
    """
    return OAuthCredentials(
        client_id=_check_id(table.client_id, f"{label}.client_id", "App ID"),
        key_id=_check_id(table.key_id, f"{label}.key_id", "Key ID"),
        key=read_private_key(_key_path(table.private_key_file, f"{label}.private_key_file", folder)),
        scope=DEFAULT_SCOPE if table.scope is None else _check_scope(table.scope, f"{label}.scope"),
        token_url="" if table.token_url is None else parse_token_url(table.token_url, f"{label}.token_url"),
    )


def _check_id(text: str, label: str, name: str) -> str:
    given = text.strip()
    if not given or len(given) > MAX_ID_CHARS or not (given.isascii() and given.isprintable()) or " " in given:
        raise ConfigError(
            f"{label} is not the {name} of an OAuth app",
            hint="in Segment: Settings > Workspace settings > Access Management > OAuth applications",
        )
    return given


def _check_scope(text: str, label: str) -> str:
    given = " ".join(text.split())
    if not given or len(given) > MAX_ID_CHARS or not (given.isascii() and given.isprintable()):
        raise ConfigError(f"{label} is no scope", hint=f"leave it out for {DEFAULT_SCOPE}")
    return given


def _key_path(text: str, label: str, folder: Path) -> Path:
    if not text.strip() or "\0" in text or "\n" in text:
        # a key that was pasted in place of its file's name is not quoted
        raise ConfigError(f"{label} names no file", hint="name the file of the private key, in PEM form")
    try:
        return folder / Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{label}: {error}", hint="write the whole path") from error


def key_file_warnings(credentials: OAuthCredentials, environment: str) -> Iterator[ConfigWarning]:
    """What can be told of the key file without a library."""
    key = credentials.key
    if key.problem is not None:
        text = f"{problem_text(one_line(key.path), key.problem, key.detail)}; {problem_hint(key.problem)}"
        yield ConfigWarning(WarningCode.PRIVATE_KEY_UNUSABLE, text, environment)
    elif key.is_readable_by_others:
        path = one_line(key.path)
        text = f"others may read the private key {path} (mode {key.mode:04o}); chmod 600 {path}"
        yield ConfigWarning(WarningCode.PRIVATE_KEY_READABLE, text, environment)


def signing_problem(key: PrivateKeyFile) -> tuple[str, str]:
    """Why the key cannot sign, and the next step, as the library finds it; two empty texts where it can."""
    try:
        key.load()
    except SigningKeyError as error:
        return problem_text(one_line(key.path), error.problem, error.detail), problem_hint(error.problem)
    return "", ""


def describe_oauth(environment: Environment) -> str:
    """Such as `OAuth app 1XyZ, key 2AbC, token from https://oauth2.segment.io/token`; empty without OAuth."""
    oauth = environment.oauth_credentials
    return "" if oauth is None else f"OAuth app {oauth.client_id}, key {oauth.key_id}, token from {oauth.token_url}"


def key_files_digest(environments: Iterable[Environment]) -> str:
    """Changes with each private key's file; empty without OAuth."""
    keys = [environment.oauth.key for environment in environments if environment.oauth is not None]
    if not keys:
        return ""
    parts = (f"{key.path}\0{key.fingerprint}\0{key.problem}\0{key.mode}" for key in keys)
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


def oauth_json(environment: Environment) -> Mapping[str, str] | None:
    """The credentials for `--json`; None without OAuth."""
    oauth = environment.oauth_credentials
    if oauth is None:
        return None
    return {
        "client_id": oauth.client_id,
        "key_id": oauth.key_id,
        "private_key_file": oauth.key.path,
        "scope": oauth.scope,
        "token_url": oauth.token_url,
    }
