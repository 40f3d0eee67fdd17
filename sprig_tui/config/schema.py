"""Tables of the config file as strict records: an unknown key is an error."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from sprig_tui.config.toml_file import MAX_SHOWN_KEY_CHARS, dotted_key, nearest_key_hint
from sprig_tui.errors import ConfigError

SECRET_KEYS = frozenset({"write_key", "webhook_token", "sprig_api_key"})
"""Keys of `[environments.NAME]` whose values are never shown."""
WORKSPACE_SECRET_KEYS = frozenset({"public_api_token", "profile_token"})
"""Keys of `[segment]` whose values are never shown."""
MAPPING_SECRET_KEYS = frozenset({"hmac_key"})
"""Keys of `[mapping]` whose values are never shown."""
SERVE_SECRET_KEYS = frozenset({"token"})
"""Keys of `[serve]` whose values are never shown."""

KEEP_KEYS = ("keep", "keep_failed", "keep_withheld", "keep_content")
"""Keys of `[journal]` that say how long something is kept."""

Rate = Annotated[float, Meta(gt=0, le=1000)]
Duration = str | float


class OAuthTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`oauth` in `[environments.NAME]`: OAuth 2.0 on the Tracking API."""

    client_id: str
    key_id: str
    private_key_file: str
    scope: str | None = None
    token_url: str | None = None


class EnvironmentTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[environments.NAME]`."""

    write_key: str | None = None
    write_key_env: str | None = None
    write_key_command: list[str] | None = None
    write_key_keyring: str | None = None
    endpoint: str | None = None
    requests_per_second: Rate | None = None
    protected: bool | None = None
    sprig_environment_id: str | None = None
    webhook_token: str | None = None
    webhook_token_env: str | None = None
    webhook_token_command: list[str] | None = None
    webhook_token_keyring: str | None = None
    sprig_api_key: str | None = None
    sprig_api_key_env: str | None = None
    sprig_api_key_command: list[str] | None = None
    sprig_api_key_keyring: str | None = None
    oauth: OAuthTable | None = None
    setup_accepted: list[str] = []

    def __repr__(self) -> str:
        # keys must not reach a log through a record
        return f"EnvironmentTable(endpoint={self.endpoint!r})"


class SprigTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[sprig]`: Sprig's API."""

    api_url: str | None = None


class SegmentTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[segment]`: the workspace that the sources of all environments belong to."""

    public_api_token: str | None = None
    public_api_token_env: str | None = None
    public_api_token_command: list[str] | None = None
    public_api_token_keyring: str | None = None
    region: str | None = None
    profile_space: str | None = None
    """Unify space whose Profile API is asked."""
    profile_token: str | None = None
    profile_token_env: str | None = None
    profile_token_command: list[str] | None = None
    profile_token_keyring: str | None = None
    suppressed_every: Duration | None = None

    def __repr__(self) -> str:
        return f"SegmentTable(region={self.region!r})"


class IntegrationTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[mapping.integration]`: content of `context.integration`."""

    name: str = "sprig"
    version: str = "1.0.0"


class SurveyTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[surveys.ID]`: facts on a survey that its responses do not contain."""

    name: str | None = None
    created_at: str | None = None


class MappingTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[mapping]`."""

    event: str | UnsetType = UNSET
    integration: IntegrationTable = IntegrationTable()
    omit: list[str] = []
    hash: list[str] = []
    hmac: list[str] = []
    hmac_key: str | None = None
    hmac_key_env: str | None = None
    hmac_key_command: list[str] | None = None
    hmac_key_keyring: str | None = None
    integrations: dict[str, bool] | None = None
    created_at: Literal["survey", "response"] = "survey"

    def __repr__(self) -> str:
        return f"MappingTable(event={self.event!r})"


class DeliveryTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[delivery]`."""

    max_retries: Annotated[int, Meta(ge=0, le=1000)] | UnsetType = UNSET
    retry_window: Duration | UnsetType = UNSET
    timeout: Duration | UnsetType = UNSET
    connections: Annotated[int, Meta(ge=1, le=64)] | UnsetType = UNSET
    gzip: bool | UnsetType = UNSET


class ReconcileTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[reconcile]`: comparisons with Segment's counts, in the background and in the console."""

    every: Duration | None = None
    hold_back: Duration | None = None


class ServeTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[serve]`: the console in a browser."""

    token: str | None = None
    token_env: str | None = None
    token_command: list[str] | None = None
    token_keyring: str | None = None

    def __repr__(self) -> str:
        return "ServeTable()"


class JournalTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[journal]`: a file, or the URL of a PostgreSQL database."""

    path: str | None = None
    url: str | None = None
    store_raw: Literal["full", "mapped", "none"] = "full"
    keep: str | None = None
    keep_failed: str | None = None
    keep_withheld: str | None = None
    keep_content: str | None = None


KNOWN_TABLES = (
    "environments",
    "segment",
    "sprig",
    "mapping",
    "surveys",
    "delivery",
    "reconcile",
    "journal",
    "serve",
    "console",
    "keys",
    "filters",
)
"""Known top-level tables; others are ignored, because they may belong to another tool or a newer version."""


TableT = TypeVar("TableT", bound=Struct)


def convert_table(file: str, keys: tuple[str, ...], value: Any, kind: type[TableT]) -> TableT:
    """One table as its record; raises ConfigError with file, key path and nearest valid key."""
    if not isinstance(value, dict):
        raise ConfigError(f"{file}: {dotted_key(*keys)} must be a table", hint=f"write it as [{dotted_key(*keys)}]")
    if not value:
        with suppress(TypeError):  # a key of it is required
            return kind()
    _reject_unknown_keys(file, keys, value, kind)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at ")
        where = dotted_key(*keys) + place.strip("`").removeprefix("$")
        # the message names only types, never the value, which could be a key
        raise ConfigError(f"{file}: {where}: {_plain_type_names(what)}", hint=_choices_hint(where)) from error


TYPE_NAMES = {"array": "a list", "str": "text", "bool": "true or false", "int": "a whole number", "float": "a number"}


def _plain_type_names(what: str) -> str:
    """The message with plain type names instead of Python's."""
    if missing := re.fullmatch(r"Object missing required field `([^`]*)`", what):
        return f"{missing[1]} is missing"
    text = what[:1].lower() + what[1:]
    for kinds in re.findall(r"`([^`]*)`", text):
        kept = [
            TYPE_NAMES.get(kind, "a table" if kind == "object" else kind)
            for kind in kinds.split(" | ")
            if kind != "null"
        ]
        text = text.replace(f"`{kinds}`", " or ".join(kept))
    return text


_CHOICES = {
    "mapping.created_at": "one of survey, response",
    "journal.store_raw": 'one of full, mapped, none, such as store_raw = "mapped"',
    **{f"journal.{key}": f'write it with its unit: {key} = "90d"' for key in KEEP_KEYS},
    "mapping.hash": 'name the fields: hash = ["properties.email"], or hmac = ["properties.email"] for one with a key',
}
"""Hints for values that are none of the choices, or of the wrong type."""


def _choices_hint(where: str) -> str:
    if where in _CHOICES:
        return _CHOICES[where]
    return "see the tables of settings in sprig-tui help environments"


@cache
def _field_types(kind: type[Struct]) -> dict[str, Any]:
    return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}


def _reject_unknown_keys(file: str, keys: tuple[str, ...], value: dict[str, Any], kind: type[Struct]) -> None:
    fields = _field_types(kind)
    for key, inner in value.items():
        if key not in fields:
            named = dotted_key(*keys, key if len(key) <= MAX_SHOWN_KEY_CHARS else f"{key[:MAX_SHOWN_KEY_CHARS]}…")
            raise ConfigError(f"{file}: unknown key {named}", hint=nearest_key_hint(key, fields))
        for inner_kind in (fields[key], *get_args(fields[key])):
            if isinstance(inner_kind, type) and issubclass(inner_kind, Struct) and isinstance(inner, dict):
                _reject_unknown_keys(file, (*keys, key), inner, inner_kind)


def get_table(file: str, tables: dict[str, Any], name: str) -> dict[str, Any]:
    """A table of the config, empty where there is none; raises ConfigError for another value."""
    value = tables.get(name, {})
    if not isinstance(value, dict):
        raise ConfigError(f"{file}: {name} must be a table", hint=f"write it as [{name}]")
    return value
