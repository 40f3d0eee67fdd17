"""Files of the pages: our own, and the terminal of textual-serve. Nothing comes from another server."""

from __future__ import annotations

import gzip
import hashlib
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from sprig_tui.errors import ConfigError
from sprig_tui.extras import SERVE, missing_extra_error

_OWN = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}
_OF_TERMINAL = {
    "textual.js": ("js/textual.js", "text/javascript; charset=utf-8"),
    "xterm.css": ("css/xterm.css", "text/css; charset=utf-8"),
    "mono.ttf": ("fonts/RobotoMono-VariableFont_wght.ttf", "font/ttf"),
}
NAMES = frozenset((*_OWN, *_OF_TERMINAL))


class Asset(NamedTuple):
    """One file as it is sent."""

    kind: str
    """Its media type."""
    plain: bytes
    zipped: bytes
    """The same with gzip."""
    tag: str
    """Its ETag."""


@lru_cache
def asset(name: str) -> Asset:
    """The file of one of `NAMES`."""
    if name in _OWN:
        return _make_asset(_OWN[name], _own_folder() / name)
    place, kind = _OF_TERMINAL[name]
    return _make_asset(kind, _terminal_folder() / place)


def page(name: str) -> str:
    """The text of one of our pages."""
    return (_own_folder() / name).read_text("utf-8")


def check_installed() -> None:
    """Raise ConfigError unless the extra `serve` is installed."""
    if find_spec("websockets") is None:
        raise missing_extra_error(SERVE)
    for place, _ in _OF_TERMINAL.values():
        if not (_terminal_folder() / place).is_file():
            raise ConfigError(
                f"textual-serve has no file {place}", hint="install it again, in the version that is asked for"
            )


def _make_asset(kind: str, file: Traversable | Path) -> Asset:
    data = file.read_bytes()
    return Asset(kind, data, gzip.compress(data, mtime=0), f'"{hashlib.sha256(data).hexdigest()[:32]}"')


def _own_folder() -> Traversable:
    return files("sprig_tui.browser") / "static"


def _terminal_folder() -> Path:
    # found, and not imported: its server is not used, and would load another one
    found = find_spec("textual_serve")
    if found is None or not found.submodule_search_locations:
        raise missing_extra_error(SERVE)
    return Path(found.submodule_search_locations[0]) / "static"
