"""Config file: reading TOML, its digest, and errors that name the line and key."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from sprig_tui.errors import ConfigError

MAX_CONFIG_BYTES = 1024 * 1024
"""A larger file is not a config."""

MAX_SHOWN_KEY_CHARS = 80
"""Characters of a key in messages."""
MAX_KEY_PARTS = 32
"""Parts of a dotted key; the time that the parser takes grows with their square."""
_DOTTED_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_TOO_MANY_PARTS = re.compile(
    rf"(?<![A-Za-z0-9_.-]){_DOTTED_PART}(?:[ \t]*+\.[ \t]*+{_DOTTED_PART}){{{MAX_KEY_PARTS},}}"
)


class ConfigFile(NamedTuple):
    """Content of the config file; an absent file has no tables."""

    file: Path
    data: bytes
    tables: dict[str, Any]
    mode: int | None
    """Permission bits; None without a file."""

    def __repr__(self) -> str:
        # the bytes contain keys
        return f"ConfigFile({self.file}, {len(self.data)} bytes)"

    @property
    def digest(self) -> str:
        """Changes whenever the file does; passed back with a change, to detect conflicts."""
        return content_digest(self.data if self.mode is not None else None)

    @property
    def is_readable_by_others(self) -> bool:
        """Whether group or others may read or write it (always false on Windows)."""
        return os.name == "posix" and self.mode is not None and bool(self.mode & 0o077)


def content_digest(data: bytes | None) -> str:
    """Hex digest of the file's bytes; `absent` without a file."""
    return "absent" if data is None else hashlib.blake2b(data, digest_size=16).hexdigest()


def read_config_file(file: Path) -> ConfigFile:
    """Read and parse a config file; raises ConfigError with file and position."""
    try:
        with file.open("rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError(f"{file} is not a file", hint="the config is a TOML file; see sprig-tui paths")
            data = stream.read(MAX_CONFIG_BYTES + 1)
    except FileNotFoundError:
        if file.is_symlink():
            raise ConfigError(
                f"{file} points to {file.readlink()}, which is not there", hint="correct the link"
            ) from None
        return ConfigFile(file, b"", {}, None)
    except NotADirectoryError as error:
        raise ConfigError(f"{file.parent} is not a folder", hint="see sprig-tui paths") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{file} is a folder", hint="the config is a TOML file; see sprig-tui paths") from error
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}", hint="check its owner and mode") from error
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigError(f"{file} is larger than 1 MB", hint="this is hardly a config; see sprig-tui paths")
    return ConfigFile(file, data, parse_toml(data, file), stat.S_IMODE(status.st_mode))


def parse_toml(data: bytes, file: Path) -> dict[str, Any]:
    """The tables of TOML bytes; raises ConfigError with the position of the mistake."""
    # imported late: without a config file nothing is parsed
    import tomllib

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}, line {line}: not UTF-8", hint="save the file as UTF-8") from error
    if _TOO_MANY_PARTS.search(text):
        raise ConfigError(f"{file}: a key has more than {MAX_KEY_PARTS} parts", hint="a config has four levels at most")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # the parser's messages quote only characters and positions, so no key can leak
        raise ConfigError(f"{file}: not valid TOML: {error}", hint="correct that line; nothing was changed") from error
    except ValueError as error:
        raise ConfigError(f"{file}: a number or a date in it is out of range", hint="correct it") from error
    except RecursionError as error:
        raise ConfigError(f"{file}: nested too deeply", hint="a config has four levels at most") from error


def nearest_key_hint(key: str, valid: Iterable[str]) -> str:
    """A hint with the nearest valid key, or with all of them."""
    choices = sorted(valid)
    close = difflib.get_close_matches(key[:MAX_SHOWN_KEY_CHARS].lower(), choices, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"valid here: {', '.join(choices)}"


def dotted_key(*keys: str) -> str:
    """A key path in TOML notation, quoted where necessary."""
    return ".".join(key if key and _is_bare(key) else toml_string(key) for key in keys)


def toml_string(text: str) -> str:
    """A TOML basic string."""
    import tomli_w

    return tomli_w.dumps({"k": text}).removeprefix("k = ").rstrip("\n")


def _is_bare(key: str) -> bool:
    return key.isascii() and all(letter.isalnum() or letter in "-_" for letter in key)
