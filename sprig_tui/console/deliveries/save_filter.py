"""Saving a filter: asks for its name, and writes it to `[filters]` of the config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sprig_tui.config.saved_filters import FILTER_NAME_HINT, is_filter_name
from sprig_tui.console.notify import notify, notify_error, notify_warning
from sprig_tui.console.widgets.dialogs import Prompt
from sprig_tui.errors import FilterError
from sprig_tui.journal.filter import parse_filter
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from textual.app import App

    from sprig_tui.console.environments.config_editor import ConfigEditor


async def ask_and_save(app: App[Any], editor: ConfigEditor, saved: Mapping[str, str], text: str, now_ms: int) -> None:
    """Ask for the name of a filter and save it; a name that is in use needs a second enter. Raises ConfigError."""
    text = text.strip()
    if not text:
        notify_warning(app, "there is no filter to save: type one first")
        return
    try:
        parse_filter(text, now_ms=now_ms, saved=saved)
    except FilterError as error:
        notify_error(app, error)
        return

    def check(typed: str) -> str:
        name = _name(typed)
        if not is_filter_name(name):
            return f"that cannot name a filter: {FILTER_NAME_HINT}"
        try:
            parse_filter(f"@{name}", now_ms=now_ms, saved={**saved, name: text})
        except FilterError as error:
            return error.message
        return ""

    def warn(typed: str) -> str:
        before = saved.get(_name(typed))
        return "" if before in (None, text) else f"@{_name(typed)} is {one_line(before or '', limit=100)} now"

    prompt = Prompt(
        "Save the filter under which name?",
        one_line(text, limit=300),
        placeholder="bad",
        check=check,
        warning=warn,
        saves=True,
    )
    typed = await app.push_screen_wait(prompt)
    if typed is not None:
        name = _name(typed)
        await editor.save_filter(name, text)
        notify(app, f"saved: @{name} stands for this filter, here and in every command")


def _name(typed: str) -> str:
    return typed.strip().removeprefix("@").lower()
