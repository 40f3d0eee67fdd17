"""Settings: the config file, environment variables and defaults as one record."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from sprig_tui.config.environment import DeliverySettings, Environment, HmacKey, ServeToken, nearest_environment
from sprig_tui.config.journal_location import journal_location
from sprig_tui.config.oauth import key_file_warnings, key_files_digest, make_oauth
from sprig_tui.config.paths import Paths
from sprig_tui.config.retention import make_retention
from sprig_tui.config.rules import make_rules
from sprig_tui.config.saved_filters import check_saved_filters
from sprig_tui.config.schema import (
    KNOWN_TABLES,
    SECRET_KEYS,
    DeliveryTable,
    EnvironmentTable,
    JournalTable,
    ReconcileTable,
    SegmentTable,
    ServeTable,
    SprigTable,
    convert_table,
    get_table,
)
from sprig_tui.config.secret_references import SecretReference, parse_reference
from sprig_tui.config.secrets import (
    SecretKind,
    Workspace,
    make_workspace,
    resolve_api_key,
    resolve_serve_token,
    resolve_webhook_token,
    resolve_write_key,
)
from sprig_tui.config.surveys import load_survey_catalogue, merge_surveys
from sprig_tui.config.toml_file import MAX_SHOWN_KEY_CHARS, ConfigFile, dotted_key, read_config_file
from sprig_tui.config.urls import parse_api_url, parse_endpoint
from sprig_tui.config.warnings import UNUSABLE_CODES, ConfigWarning, WarningCode
from sprig_tui.errors import ConfigError
from sprig_tui.formatting import parse_duration
from sprig_tui.journal.retention import RetentionPolicy
from sprig_tui.journal.url import redact_url
from sprig_tui.mapping.records import Rules, Survey

BUILT_IN_ENVIRONMENTS = {"production": True, "development": False}
"""Environments that exist without a config, and whether they are protected."""

MAX_ENVIRONMENTS = 500
"""Limit: each environment has a lane and connections of its own."""

DEFAULT_SPRIG_API_URL = "https://api.sprig.com"
"""Address of Sprig's REST API (v2.2.1, servers)."""

MIN_RECONCILE_INTERVAL_S = 60.0
DEFAULT_HOLD_BACK_S = 300.0
"""How far Segment's counts lag behind: its own app holds back so long."""

_ENVIRONMENT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class Settings(Struct, frozen=True, kw_only=True):
    """Settings of a command. The repr of secrets is masked; those of commands and the keyring may not be read yet."""

    document: ConfigFile
    environments: dict[str, Environment]
    workspace: Workspace
    """Segment's workspace, and the token of its Public API."""
    rules: Rules
    hmac_key: HmacKey | None = None
    """The key of `rules.hmac`, which has it once it is read; None where no field needs it."""
    serve_token: ServeToken | None = None
    """Token of the console in a browser."""
    surveys: dict[str, Survey]
    """The config's own [surveys]; `rules` also has those that `pull` fetched."""
    sprig_api_url: str
    """Address for `pull`, without `/v1`."""
    delivery: DeliverySettings
    reconcile_every_s: float = 0.0
    """Seconds between two comparisons with Segment's counts in the background; 0 for none."""
    reconcile_hold_back_s: float = DEFAULT_HOLD_BACK_S
    """Seconds that Segment's counts get to be complete; 0 only where they do not lag, as those of the fake Segment."""
    retention: RetentionPolicy = RetentionPolicy()
    """How long the journal keeps deliveries and their content."""
    journal: str
    """File of the journal, or URL of a shared one."""
    console: dict[str, Any]
    keys: dict[str, str]
    """Keymap: command -> keys."""
    filters: dict[str, str]
    """Saved filters by name; their syntax is checked where they are used."""
    stored_keys: frozenset[str]
    """Environments whose Write Key is in the config file itself."""
    stored_secrets: frozenset[tuple[str, str]]
    """(environment, key) of every secret in the config file itself, including Write Keys."""
    unknown_tables: tuple[str, ...]
    """Unknown top-level tables; they are ignored."""
    warnings: tuple[ConfigWarning, ...]
    """Values that were corrected or cannot be used; warnings do not contain the values."""
    catalogue_digest: str = ""
    secrets_revision: int = 0
    """Changes whenever a secret of a command or the keyring does."""
    key_files_digest: str = ""

    @property
    def journal_name(self) -> str:
        """File or URL of the journal, without its password."""
        return redact_url(self.journal)

    @property
    def digest(self) -> str:
        """Changes whenever the config, the survey catalogue, a private key's file or a secret kept elsewhere does."""
        return f"{self.document.digest}{self.catalogue_digest}{self.key_files_digest}/{self.secrets_revision}"

    def secrets(self) -> list[str]:
        """All keys and tokens that are known here, for redaction in logs and messages."""
        secrets = [
            secret
            for environment in self.environments.values()
            for secret in (environment.write_key, environment.sprig_api_key, environment.webhook_token)
        ]
        every = (*secrets, self.workspace.token, self.workspace.profile_token, self.hmac_key, self.serve_token)
        texts = [secret.reveal() for secret in every if secret is not None and secret.is_read]
        keys = [
            environment.oauth.key.pem for environment in self.environments.values() if environment.oauth is not None
        ]
        return [*texts, *(pem.decode(errors="replace") for pem in keys if pem)]

    def environment(self, name: str) -> Environment:
        """The environment of this name; raises ConfigError with the nearest name."""
        environment = self.environments.get(name)
        if environment is None:
            raise ConfigError(
                f"no environment is called {name[:60]!r}",
                hint=f"{self._suggestion(name)} (add one with sprig-tui keys set NAME)",
            )
        return environment

    def secret_problem(self, kind: SecretKind, environment: str = "") -> ConfigWarning | None:
        """Why a secret that the config names cannot be used; None where it can be, and where none is named.

        `environment` is empty for a secret of the workspace.
        """
        for warning in self.warnings:
            is_about = (warning.secret, warning.environment) == (kind.key, environment)
            if is_about and warning.code in UNUSABLE_CODES:
                return warning
        return None

    def _suggestion(self, name: str) -> str:
        near = nearest_environment(name, self.environments)
        return f"did you mean {near}?" if near else f"there is {' and '.join(self.environments)}"


def load_settings(paths: Paths, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the config file (an absent one is fine) and the environment variables; raises ConfigError."""
    settings = make_settings(read_config_file(paths.config_file), paths, environ)
    fetched, problems, digest = load_survey_catalogue(paths)
    if not fetched and not problems:
        return settings
    rules = msgspec.structs.replace(settings.rules, surveys=merge_surveys(settings.surveys, fetched))
    warnings = (*settings.warnings, *problems)
    return msgspec.structs.replace(settings, rules=rules, catalogue_digest=digest, warnings=warnings)


def make_settings(document: ConfigFile, paths: Paths, environ: Mapping[str, str]) -> Settings:
    """The settings of a config file; raises ConfigError with file, key path and nearest valid key."""
    file, tables = str(document.file), document.tables
    warnings: list[ConfigWarning] = []
    listed = get_table(file, tables, "environments")
    if len(listed) > MAX_ENVIRONMENTS:
        raise ConfigError(f"{file}: more than {MAX_ENVIRONMENTS} environments", hint="each is one source in Segment")
    stored = {
        check_environment_name(name, file): convert_table(file, ("environments", name), value, EnvironmentTable)
        for name, value in listed.items()
    }
    rules, hmac_key = make_rules(file, tables, environ, warnings)
    order = [*BUILT_IN_ENVIRONMENTS, *(name for name in stored if name not in BUILT_IN_ENVIRONMENTS)]
    folder = document.file.parent
    environments = {
        name: _make_environment(file, name, stored.get(name) or EnvironmentTable(), environ, folder, warnings)
        for name in order
    }
    return Settings(
        document=document,
        environments=environments,
        workspace=_make_workspace(file, tables, environ, warnings),
        rules=rules,
        hmac_key=hmac_key,
        serve_token=_serve_token(file, tables, environ, warnings),
        surveys=rules.surveys,
        sprig_api_url=_sprig_api_url(file, tables, warnings),
        delivery=_delivery_settings(file, tables),
        reconcile_every_s=_reconcile_interval_s(file, tables),
        reconcile_hold_back_s=_reconcile_hold_back_s(file, tables),
        retention=_retention(file, tables, warnings),
        journal=journal_location(file, tables, folder, paths, environ),
        console=get_table(file, tables, "console"),
        keys=_keymap_table(file, tables),
        filters=check_saved_filters(file, get_table(file, tables, "filters")),
        stored_keys=frozenset(name for name, table in stored.items() if table.write_key),
        stored_secrets=frozenset(
            (name, key) for name, table in stored.items() for key in SECRET_KEYS if getattr(table, key)
        ),
        unknown_tables=tuple(name for name in tables if name not in KNOWN_TABLES),
        warnings=tuple(warnings),
        key_files_digest=key_files_digest(environments.values()),
    )


def check_environment_name(name: str, file: str = "") -> str:
    """The name, if an environment may have it; raises ConfigError."""
    if not _ENVIRONMENT_NAME.fullmatch(name):
        place = f"{file}: " if file else ""
        raise ConfigError(
            f"{place}{name[:60]!r} cannot name an environment",
            hint="use lower-case letters, digits and dashes, at most 40 characters, such as staging-eu",
        )
    return name


def _make_environment(
    file: str,
    name: str,
    table: EnvironmentTable,
    environ: Mapping[str, str],
    folder: Path,
    warnings: list[ConfigWarning],
) -> Environment:
    where = f"{file}: environments.{dotted_key(name)}"
    endpoint, note = parse_endpoint(table.endpoint, f"{where}.endpoint") if table.endpoint is not None else ("us", "")
    if note:
        warnings.append(ConfigWarning(WarningCode.ENDPOINT_CHANGED, note, name))
    key, faults = resolve_write_key(
        name, table.write_key, table.write_key_env, environ, _reference(table, "write_key", where)
    )
    warnings.extend(faults)
    token, faults = resolve_webhook_token(
        name, table.webhook_token, table.webhook_token_env, environ, _reference(table, "webhook_token", where)
    )
    warnings.extend(faults)
    api_key, faults = resolve_api_key(
        name, table.sprig_api_key, table.sprig_api_key_env, environ, _reference(table, "sprig_api_key", where)
    )
    warnings.extend(faults)
    oauth = make_oauth(table.oauth, f"{where}.oauth", folder) if table.oauth is not None else None
    if oauth is not None:
        warnings.extend(key_file_warnings(oauth, name))
    extra: dict[str, Any] = {}
    if table.requests_per_second is not None:
        extra["requests_per_second"] = table.requests_per_second
    return Environment(
        name=name,
        write_key=key,
        endpoint=endpoint,
        protected=BUILT_IN_ENVIRONMENTS.get(name, False) if table.protected is None else table.protected,
        sprig_environment_id=table.sprig_environment_id or None,
        webhook_token=token,
        sprig_api_key=api_key,
        oauth=oauth,
        setup_accepted=tuple(dict.fromkeys(table.setup_accepted)),
        **extra,
    )


def _reference(table: EnvironmentTable, key: str, where: str) -> SecretReference | None:
    return parse_reference(getattr(table, f"{key}_command"), getattr(table, f"{key}_keyring"), f"{where}.{key}")


def _make_workspace(
    file: str, tables: dict[str, Any], environ: Mapping[str, str], warnings: list[ConfigWarning]
) -> Workspace:
    table = convert_table(file, ("segment",), tables.get("segment", {}), SegmentTable)
    workspace, notes = make_workspace(table, f"{file}: segment", environ)
    warnings.extend(notes)
    return workspace


def _serve_token(
    file: str, tables: dict[str, Any], environ: Mapping[str, str], warnings: list[ConfigWarning]
) -> ServeToken | None:
    table = convert_table(file, ("serve",), tables.get("serve", {}), ServeTable)
    token, notes = resolve_serve_token(table, f"{file}: serve", environ)
    warnings.extend(notes)
    return token


def _sprig_api_url(file: str, tables: dict[str, Any], warnings: list[ConfigWarning]) -> str:
    table = convert_table(file, ("sprig",), tables.get("sprig", {}), SprigTable)
    if table.api_url is None:
        return DEFAULT_SPRIG_API_URL
    url, note = parse_api_url(table.api_url, f"{file}: sprig.api_url")
    if note:
        warnings.append(ConfigWarning(WarningCode.API_URL_CHANGED, note))
    return url


def _delivery_settings(file: str, tables: dict[str, Any]) -> DeliverySettings:
    table = convert_table(file, ("delivery",), tables.get("delivery", {}), DeliveryTable)
    chosen = {name: value for name, value in msgspec.structs.asdict(table).items() if value is not UNSET}
    for name in ("retry_window", "timeout"):
        if name in chosen:
            chosen[name] = parse_duration(chosen[name], f"{file}: delivery.{name}")
    if chosen.get("timeout") == 0:
        raise ConfigError(f"{file}: delivery.timeout is 0", hint="leave it out for 15 s")
    return DeliverySettings(**chosen)


def _reconcile_table(file: str, tables: dict[str, Any]) -> ReconcileTable:
    return convert_table(file, ("reconcile",), tables.get("reconcile", {}), ReconcileTable)


def _reconcile_hold_back_s(file: str, tables: dict[str, Any]) -> float:
    hold_back = _reconcile_table(file, tables).hold_back
    return DEFAULT_HOLD_BACK_S if hold_back is None else parse_duration(hold_back, f"{file}: reconcile.hold_back")


def _reconcile_interval_s(file: str, tables: dict[str, Any]) -> float:
    every = _reconcile_table(file, tables).every
    seconds = 0.0 if every is None else parse_duration(every, f"{file}: reconcile.every")
    if 0 < seconds < MIN_RECONCILE_INTERVAL_S:
        raise ConfigError(
            f"{file}: reconcile.every is less than {MIN_RECONCILE_INTERVAL_S:g} s",
            hint='Segment counts by the minute, and limits requests; "15m" is often enough',
        )
    return seconds


def _retention(file: str, tables: dict[str, Any], warnings: list[ConfigWarning]) -> RetentionPolicy:
    table = convert_table(file, ("journal",), tables.get("journal", {}), JournalTable)
    policy, notes = make_retention(table, f"{file}: journal")
    warnings.extend(notes)
    return policy


def _keymap_table(file: str, tables: dict[str, Any]) -> dict[str, str]:
    table = get_table(file, tables, "keys")
    for command, keys in table.items():
        if not isinstance(keys, str):
            raise ConfigError(
                f"{file}: {dotted_key('keys', command[:MAX_SHOWN_KEY_CHARS])} must be text",
                hint='write keys as "ctrl+s" or "a,b" for two',
            )
    return table
