"""Preferences of the user: what `[console]` and `[keys]` of the config say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from textual.theme import BUILTIN_THEMES

from sprig_tui.config.environment import Environment
from sprig_tui.config.toml_file import MAX_SHOWN_KEY_CHARS, dotted_key, nearest_key_hint
from sprig_tui.console.alerts import AlertMethod, choose_alerts
from sprig_tui.console.glyphs import Glyphs, choose_glyphs, terminal_encoding
from sprig_tui.console.theme import DEFAULT_THEME, THEMES, choose_theme
from sprig_tui.errors import KeymapError

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.console.widgets.columns import ChosenColumn


def initial_environment(remembered: str, environments: Mapping[str, Environment]) -> str:
    """The environment to select at the start: the saved one, else one with a key, unprotected ones first."""
    if remembered in environments:
        return remembered
    keyed = [environment for environment in environments.values() if environment.write_key is not None]
    free = [environment for environment in keyed if not environment.protected]
    return next((environment.name for environment in [*free, *keyed, *environments.values()]), "")


KEYS = ("columns", "glyphs", "notify", "record_columns", "remember", "theme")
"""Keys of `[console]`."""


class Preferences(NamedTuple):
    """Theme, keymap and columns in use; key bar, help and doctor show the same."""

    theme: str
    keymap: dict[str, str]
    """Command id to keys, separated by commas; empty where the config has none, or an invalid one."""
    faults: tuple[str, ...]
    """Problems of `[console]` and the keymap, a sentence each."""
    columns: Mapping[str, tuple[ChosenColumn, ...]] = {}
    """Columns of the lists by their keys in `[console]`; none for those that the width suggests."""
    remembers: bool = True
    """Whether what is shown is kept for the next start."""
    glyphs: Glyphs = "unicode"
    alerts: AlertMethod = "off"


def preferences(settings: Settings, *, usual_theme: str = DEFAULT_THEME) -> Preferences:
    """Preferences in the config; one problem in the keymap rejects all of it.

    `usual_theme` is the one where the config names none.
    """
    theme, theme_fault = choose_theme(
        settings.console.get("theme"), {*BUILTIN_THEMES, *(theme.name for theme in THEMES)}, usual_theme
    )
    glyphs, glyphs_fault = choose_glyphs(settings.console.get("glyphs"), os.environ, terminal_encoding())
    unknown = next((key for key in settings.console if key not in KEYS), None)
    unknown_fault = (
        f"unknown key {dotted_key('console', unknown[:MAX_SHOWN_KEY_CHARS])}; {nearest_key_hint(unknown, KEYS)}"
        if unknown is not None
        else ""
    )
    faults = [fault for fault in (unknown_fault, theme_fault, glyphs_fault) if fault]
    keymap: dict[str, str] = {}
    if settings.keys:
        from sprig_tui.console.commands.keymap import check_keymap
        from sprig_tui.console.commands.registry import key_slots

        try:
            keymap = check_keymap(settings.keys, key_slots())
        except KeymapError as error:
            faults.append(f"{error.message}; {error.hint}; the default keys are in use")
    columns, column_faults = _columns(settings.console)
    alerts, alert_fault = choose_alerts(settings.console.get("notify"))
    faults += [alert_fault] if alert_fault else []
    remembers = settings.console.get("remember", True)
    if not isinstance(remembers, bool):
        faults.append("console.remember: it must be true or false; it is taken as true")
        remembers = True
    return Preferences(theme, keymap, (*faults, *column_faults), columns, remembers, glyphs, alerts)


def _columns(table: Mapping[str, object]) -> tuple[dict[str, tuple[ChosenColumn, ...]], list[str]]:
    """The columns of each list that the config names, and the problems with them."""
    columns: dict[str, tuple[ChosenColumn, ...]] = {}
    faults: list[str] = []
    if not {"columns", "record_columns"} & set(table):
        return columns, faults
    from sprig_tui.console.deliveries.row_format import COLUMNS
    from sprig_tui.console.payload.records.row_format import COLUMNS as RECORD_COLUMNS
    from sprig_tui.console.widgets.columns import parse_columns

    for key, known in (("columns", COLUMNS), ("record_columns", RECORD_COLUMNS)):
        if key in table:
            columns[key], fault = parse_columns(key, table[key], [column.name for column in known])
            faults += [f"{fault}; the columns are those that the width suggests"] if fault else []
    return columns, faults
