"""Secrets of environments and of the workspace, and which of several places counts.

Of each kind, such as the Write Key of `staging-eu`, the first of these that is set counts, even if it cannot be used or
read: a fallback would use the wrong one.

1. the variable of its name, SPRIG_TUI_WRITE_KEY_STAGING_EU, or the credential of that name
2. the variable that the config names (`write_key_env`), or the credential of that name, if one is there
3. the command of the config (`write_key_command`)
4. the entry of the keyring that the config names (`write_key_keyring`)
5. the config itself (`write_key`)

A command or the keyring is not asked here: such a secret has a reference and no text until `secret_reader` reads it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct, structs

from sprig_tui.config.credentials import credential_label, read_credential
from sprig_tui.config.environment import (
    HmacKey,
    ProfileToken,
    PublicApiToken,
    ServeToken,
    SprigApiKey,
    WebhookToken,
    WriteKey,
)
from sprig_tui.config.schema import MappingTable, SegmentTable, ServeTable
from sprig_tui.config.secret_lint import (
    HMAC_KEY_RULES,
    PROFILE_TOKEN_RULES,
    PUBLIC_API_TOKEN_RULES,
    SERVE_TOKEN_RULES,
    SPRIG_API_KEY_RULES,
    WEBHOOK_TOKEN_RULES,
    WRITE_KEY_RULES,
    LintRules,
    lint_secret,
)
from sprig_tui.config.secret_references import SecretReference, parse_reference
from sprig_tui.config.urls import parse_region
from sprig_tui.config.warnings import ConfigWarning, WarningCode
from sprig_tui.errors import ConfigError, SecretReadError
from sprig_tui.formatting import parse_duration
from sprig_tui.segment.limits import PROFILE_API_URLS, PUBLIC_API_URLS


class SecretKind(NamedTuple):
    """One kind of secret."""

    noun: str
    key: str
    """Its key in `[environments.NAME]`; with the suffix `_env` the key that names a variable."""
    prefix: str
    """Prefix of the variable that takes precedence over the config."""
    rules: LintRules
    table: str = "segment"
    """Its table in the config, where it is of no environment."""

    def variable_name(self, environment: str) -> str:
        """The variable of an environment, such as SPRIG_TUI_WRITE_KEY_STAGING_EU for `staging-eu`."""
        return self.prefix + environment.upper().replace("-", "_")


class FoundSecret(NamedTuple):
    """A secret and where it comes from."""

    text: str | None
    """None until it is read by its reference."""
    source: str
    """`config`, a variable, the label of a credential, or that of the reference."""
    reference: SecretReference | None = None


WRITE_KEY = SecretKind("write key", "write_key", "SPRIG_TUI_WRITE_KEY_", WRITE_KEY_RULES)
WEBHOOK_TOKEN = SecretKind("webhook token", "webhook_token", "SPRIG_TUI_WEBHOOK_TOKEN_", WEBHOOK_TOKEN_RULES)
SPRIG_API_KEY = SecretKind("sprig api key", "sprig_api_key", "SPRIG_TUI_SPRIG_API_KEY_", SPRIG_API_KEY_RULES)
PUBLIC_API_TOKEN = SecretKind("public api token", "public_api_token", "SPRIG_TUI_SEGMENT_TOKEN", PUBLIC_API_TOKEN_RULES)
"""One for all environments: its variable is the prefix alone."""
PROFILE_TOKEN = SecretKind("profile token", "profile_token", "SPRIG_TUI_PROFILE_TOKEN", PROFILE_TOKEN_RULES)
"""One for all environments, as the space is."""
HMAC_KEY = SecretKind("hmac key", "hmac_key", "SPRIG_TUI_HMAC_KEY", HMAC_KEY_RULES, "mapping")
"""One for all environments: a person has the same hash in each."""
SERVE_TOKEN = SecretKind("token", "token", "SPRIG_TUI_SERVE_TOKEN", SERVE_TOKEN_RULES, "serve")
"""Of the console in a browser."""
SECRET_KINDS = (WRITE_KEY, WEBHOOK_TOKEN, SPRIG_API_KEY, PUBLIC_API_TOKEN, PROFILE_TOKEN, HMAC_KEY, SERVE_TOKEN)
WRITE_KEY_PREFIX = WRITE_KEY.prefix
write_key_variable = WRITE_KEY.variable_name
_named_variables: set[str] = set()


def named_variables() -> frozenset[str]:
    """Variables that the configs read so far name for a secret (`write_key_env` and its like)."""
    return frozenset(_named_variables)


def resolve_write_key(
    environment: str,
    stored: str | None,
    env_variable: str | None,
    environ: Mapping[str, str],
    reference: SecretReference | None = None,
) -> tuple[WriteKey | None, list[ConfigWarning]]:
    """The Write Key to use, and its warnings."""
    secret, notes = resolve_secret(WRITE_KEY, environment, stored, env_variable, environ, reference)
    return (WriteKey(*secret) if secret else None), notes


def resolve_webhook_token(
    environment: str,
    stored: str | None,
    env_variable: str | None,
    environ: Mapping[str, str],
    reference: SecretReference | None = None,
) -> tuple[WebhookToken | None, list[ConfigWarning]]:
    """The webhook token to require, and its warnings.

    A token that is set but unusable becomes empty, which no webhook matches: it must not admit everyone.
    """
    secret, notes = resolve_secret(WEBHOOK_TOKEN, environment, stored, env_variable, environ, reference)
    if secret:
        return WebhookToken(*secret), notes
    return (WebhookToken("", "config") if notes else None), notes


def resolve_api_key(
    environment: str,
    stored: str | None,
    env_variable: str | None,
    environ: Mapping[str, str],
    reference: SecretReference | None = None,
) -> tuple[SprigApiKey | None, list[ConfigWarning]]:
    """The key of Sprig's REST API to use, and its warnings."""
    secret, notes = resolve_secret(SPRIG_API_KEY, environment, stored, env_variable, environ, reference)
    return (SprigApiKey(*secret) if secret else None), notes


def resolve_secret(
    kind: SecretKind,
    environment: str,
    stored: str | None,
    env_variable: str | None,
    environ: Mapping[str, str],
    reference: SecretReference | None = None,
) -> tuple[FoundSecret | None, list[ConfigWarning]]:
    """The secret to use and where it comes from, and its warnings; the first one that is not blank counts."""
    notes: list[ConfigWarning] = []
    if env_variable:
        _named_variables.add(env_variable)
    for variable in (kind.variable_name(environment), env_variable):
        if variable and environ.get(variable, "").strip():
            return _lint_secret(kind, environment, environ[variable], variable)
        try:
            credential = read_credential(variable, environ) if variable else None
        except SecretReadError as error:
            text = f"the {kind.noun} cannot be used: {error.message}"
            return None, [ConfigWarning(WarningCode.SECRET_UNUSABLE, text, environment, secret=kind.key)]
        if variable and credential is not None:
            return _lint_secret(kind, environment, credential, credential_label(variable))
    if env_variable:
        text = f"{kind.key}_env names {env_variable[:80]!r}, which is not set"
        notes.append(ConfigWarning(WarningCode.VARIABLE_NOT_SET, text, environment, secret=kind.key))
    if reference is not None:
        return FoundSecret(None, reference.label, reference), notes
    if stored is not None and stored.strip():
        secret, faults = _lint_secret(kind, environment, stored, "config")
        return secret, [*notes, *faults]
    return None, notes


def _lint_secret(
    kind: SecretKind, environment: str, text: str, source: str
) -> tuple[FoundSecret | None, list[ConfigWarning]]:
    secret, notes = _lint_at(kind, environment, text, "in the config" if source == "config" else f"in {source}")
    return (FoundSecret(secret, source) if secret else None), notes


def lint_read_secret(kind: SecretKind, environment: str, text: str, label: str) -> tuple[str, list[ConfigWarning]]:
    """A secret that a command or the keyring gave, as it is used; empty if it cannot be, and its warnings."""
    return _lint_at(kind, environment, text, f"of {label}")


def _lint_at(kind: SecretKind, environment: str, text: str, place: str) -> tuple[str, list[ConfigWarning]]:
    lint = lint_secret(text, kind.rules)
    unusable = [f"the {kind.noun} {place} cannot be used: {fault.message}" for fault in lint.errors]
    trimmed = [f"the {kind.noun} {place}: {fault.message}" for fault in lint.faults if fault.level == "stripped"]
    notes = [ConfigWarning(WarningCode.SECRET_UNUSABLE, text, environment, secret=kind.key) for text in unusable]
    notes += [ConfigWarning(WarningCode.SECRET_TRIMMED, text, environment, secret=kind.key) for text in trimmed]
    return lint.secret, notes


def resolve_hmac_key(
    table: MappingTable, label: str, environ: Mapping[str, str]
) -> tuple[HmacKey | None, list[ConfigWarning]]:
    """The key of `mapping.hmac`, and its warnings; None without fields to hash.

    Raises ConfigError, which names the key after `label`, where fields are named and no usable key is set: the values
    must be sent neither as they are nor under another hash. Where only its variable is not set, as in the shell of
    somebody who looks at the log, the key is one that cannot be read: `Mapper` raises ConfigError.
    """
    if not table.hmac:
        return None, []
    reference = parse_reference(table.hmac_key_command, table.hmac_key_keyring, f"{label}.hmac_key")
    secret, notes = resolve_secret(HMAC_KEY, "", table.hmac_key, table.hmac_key_env, environ, reference)
    unset = [note for note in notes if note.code is WarningCode.VARIABLE_NOT_SET]
    if secret is None and unset == notes and notes:
        return HmacKey(None), [structs.replace(note, table="mapping") for note in notes]
    if secret is None:
        fault = notes[-1].text if notes else f"{label}.hmac names fields, and there is no hmac_key"
        raise ConfigError(
            f"{label}.hmac cannot be used: {fault}" if notes else fault,
            hint='make a key with openssl rand -hex 32, and name its variable: hmac_key_env = "SPRIG_HMAC_KEY"',
        )
    return HmacKey(*secret), [structs.replace(note, table="mapping") for note in notes]


def resolve_serve_token(
    table: ServeTable, label: str, environ: Mapping[str, str]
) -> tuple[ServeToken | None, list[ConfigWarning]]:
    """The token of the console in a browser, and its warnings; None where none is named.

    One that is named and cannot be used is empty: the console must not open to everybody.
    """
    reference = parse_reference(table.token_command, table.token_keyring, f"{label}.token")
    secret, notes = resolve_secret(SERVE_TOKEN, "", table.token, table.token_env, environ, reference)
    notes = [structs.replace(note, table="serve") for note in notes]
    if secret is None:
        return (ServeToken("", "config") if notes else None), notes
    return ServeToken(*secret), notes


DEFAULT_SUPPRESSED_EVERY_S = 3600.0
MIN_SUPPRESSED_EVERY_S = 60.0


class Workspace(Struct, frozen=True):
    """The Segment workspace; without a token its Public API is not used."""

    token: PublicApiToken | None = None
    region: str = "us"
    """`us`, `eu`, or a base URL."""
    stored: bool = False
    """Whether the config file itself contains a token."""
    profile_space: str = ""
    """Id of a Unify space; empty for none."""
    profile_token: ProfileToken | None = None
    """Token of the Profile API of that space."""
    profile_stored: bool = False
    """Whether the config file itself contains that token."""
    suppressed_every_s: float = DEFAULT_SUPPRESSED_EVERY_S
    """Age in seconds at which the list of suppressed users is read again."""

    @property
    def base_url(self) -> str:
        """The Public API as a URL without a trailing slash."""
        return PUBLIC_API_URLS.get(self.region, self.region).rstrip("/")

    @property
    def profile_url(self) -> str:
        """The Profile API as a URL without a trailing slash; at an address of one's own it is beside the Public API."""
        return PROFILE_API_URLS.get(self.region, self.region).rstrip("/")


def make_workspace(
    table: SegmentTable, label: str, environ: Mapping[str, str]
) -> tuple[Workspace, list[ConfigWarning]]:
    """The workspace of `[segment]`, and its warnings; raises ConfigError, which names the key after `label`."""
    region = "us" if table.region is None else parse_region(table.region, f"{label}.region")
    every = DEFAULT_SUPPRESSED_EVERY_S
    if table.suppressed_every is not None:
        every = parse_duration(table.suppressed_every, f"{label}.suppressed_every")
        if every < MIN_SUPPRESSED_EVERY_S:
            raise ConfigError(f"{label}.suppressed_every is less than a minute", hint="leave it out for an hour")
    secret, notes = resolve_secret(
        PUBLIC_API_TOKEN,
        "",
        table.public_api_token,
        table.public_api_token_env,
        environ,
        parse_reference(table.public_api_token_command, table.public_api_token_keyring, f"{label}.public_api_token"),
    )
    token = PublicApiToken(*secret) if secret else None
    secret, faults = resolve_secret(
        PROFILE_TOKEN,
        "",
        table.profile_token,
        table.profile_token_env,
        environ,
        parse_reference(table.profile_token_command, table.profile_token_keyring, f"{label}.profile_token"),
    )
    warnings = [structs.replace(note, table="segment") for note in (*notes, *faults)]
    workspace = Workspace(
        token,
        region,
        bool(table.public_api_token),
        (table.profile_space or "").strip(),
        ProfileToken(*secret) if secret else None,
        bool(table.profile_token),
        every,
    )
    return workspace, warnings


DATABASE_VARIABLES = ("SPRIG_TUI_JOURNAL_URL", "PGPASSWORD")
"""Variables that may contain a database password."""


def child_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """A copy for child processes, without the variables that hold keys, tokens and passwords."""
    prefixes = tuple(kind.prefix for kind in SECRET_KINDS)
    hidden = named_variables()
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(prefixes) and name not in DATABASE_VARIABLES and name not in hidden
    }
