"""Screenshot file: an SVG in the folder for downloads, or in the state folder where there is none."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sprig_tui.console.notify import notify, notify_warning
from sprig_tui.errors import ConfigError
from sprig_tui.files import make_folder, write_atomically

if TYPE_CHECKING:
    from textual.app import App


def save_screenshot(
    svg: str, name: str | None = None, folder: str | None = None, *, state_dir: Path
) -> tuple[Path | None, str]:
    """Save a screenshot; returns its file, or None and the reason. It never overwrites a file: the name is changed."""
    name = name or f"sprig-tui {time.strftime('%Y-%m-%d %H.%M.%S')}.svg"
    fault = ""
    for place in _folders(folder, state_dir):
        try:
            if place == state_dir:
                make_folder(place)
            file = _unused_name(place / name)
            write_atomically(file, svg.encode())
        except ConfigError as error:
            fault = error.message
        else:
            return file, ""
    return None, fault


def save_and_report(app: App[Any], name: str | None, folder: str | None, *, state_dir: Path, elsewhere: bool) -> None:
    """Save a screenshot of the app, and say where it is, or why it is nowhere; with `elsewhere` it is not saved."""
    if elsewhere:
        notify_warning(app, "a console in a browser writes no file: the browser can save its page")
        return
    file, fault = save_screenshot(app.export_screenshot(), name, folder, state_dir=state_dir)
    if file is None:
        notify_warning(app, f"the screenshot was not saved: {fault}")
    else:
        notify(app, f"the screenshot is in {file}")


def _folders(wanted: str | None, state_dir: Path) -> list[Path]:
    if wanted is not None:
        return [Path(wanted).expanduser()]
    import platformdirs

    downloads = Path(platformdirs.user_downloads_dir())
    return [*([downloads] if downloads.is_dir() else []), state_dir]


def _unused_name(file: Path) -> Path:
    number = 1
    free = file
    while free.exists():
        number += 1
        free = file.with_stem(f"{file.stem} {number}")
    return free
