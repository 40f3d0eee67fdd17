"""Mapping rules of the config: `[mapping]`, `[surveys]`, and the key of hashed fields."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from sprig_tui.config.environment import HmacKey
from sprig_tui.config.schema import JournalTable, MappingTable, SurveyTable, convert_table, get_table
from sprig_tui.config.secrets import resolve_hmac_key
from sprig_tui.config.warnings import ConfigWarning
from sprig_tui.errors import ConfigError
from sprig_tui.mapping.records import HashKey, Rules, StoreRaw, Survey


def make_rules(
    file: str, tables: dict[str, Any], environ: Mapping[str, str], warnings: list[ConfigWarning]
) -> tuple[Rules, HmacKey | None]:
    """The mapping rules, and the key of their hashes."""
    table = convert_table(file, ("mapping",), tables.get("mapping", {}), MappingTable)
    rules = Rules(
        integration_name=table.integration.name,
        integration_version=table.integration.version,
        omit=frozenset(table.omit),
        hash=frozenset(table.hash),
        hmac=frozenset(table.hmac),
        store_raw=_store_raw(file, tables),
        integrations=table.integrations,
        created_at=table.created_at,
        surveys={key: _make_survey(file, key, value) for key, value in get_table(file, tables, "surveys").items()},
    )
    if table.event is not UNSET:
        rules = msgspec.structs.replace(rules, event=table.event)
    if "mapping" not in tables:
        return rules, None
    # imported late: most starts do not need the table of fields
    from sprig_tui.mapping.rules import check_rules

    try:
        check_rules(rules)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error.message}", hint=error.hint) from None
    key, notes = resolve_hmac_key(table, f"{file}: mapping", environ)
    warnings.extend(notes)
    return with_hmac_key(rules, key), key


def with_hmac_key(rules: Rules, key: HmacKey | None) -> Rules:
    """The rules with this key, or without one until it is read."""
    read = HashKey(key.reveal()) if key is not None and key.is_read else None
    return msgspec.structs.replace(rules, hmac_key=read)


def _store_raw(file: str, tables: dict[str, Any]) -> StoreRaw:
    return convert_table(file, ("journal",), tables.get("journal", {}), JournalTable).store_raw


def _make_survey(file: str, key: str, value: Any) -> Survey:
    if isinstance(value, dict) and isinstance(value.get("created_at"), dt.date):
        # TOML has times of its own; a datetime is a date too.
        value = {**value, "created_at": value["created_at"].isoformat()}
    table = convert_table(file, ("surveys", key), value, SurveyTable)
    return Survey(name=table.name, created_at=table.created_at)
