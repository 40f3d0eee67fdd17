"""Extras: the optional parts of an installation, what each is for, and how a person installs it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from sprig_tui.errors import ConfigError


class Extra(NamedTuple):
    """One extra of pyproject.toml."""

    name: str
    purpose: str
    """Subject of a message: what needs it."""
    package: str
    """Its requirement as pyproject.toml has it, without the version; several are separated by blanks."""


POSTGRES = Extra("postgres", "a journal on PostgreSQL", "asyncpg")
KEYRING = Extra("keyring", "a secret in the system's keyring", "keyring")
OAUTH = Extra("oauth", "OAuth", "pyjwt[crypto]")
SERVE = Extra("serve", "the console in a browser", "textual-serve websockets")
EXTRAS = (POSTGRES, KEYRING, OAUTH, SERVE)
"""Those that people install; `test` and `release` are for those who work on sprig-tui."""


def missing_extra_error(extra: Extra, error: type[ConfigError] = ConfigError) -> ConfigError:
    """The error of what cannot run without the extra."""
    packages = extra.package.replace(" ", " and ")
    needed = f"the packages {packages}, which are" if " " in extra.package else f"the package {packages}, which is"
    text = f"{extra.purpose} needs {needed} not installed"
    return error(text, hint=install_hint(extra))


def install_hint(extra: Extra, prefix: Path | None = None) -> str:
    """The command that adds the extra to this installation; pipx and uv keep a file in `prefix` that tells them."""
    prefix = prefix or Path(sys.prefix)
    if (prefix / "pipx_metadata.json").is_file():
        packages = " ".join(f"'{package}'" for package in extra.package.split())
        return f"install it: pipx inject sprig-tui {packages}"
    if (prefix / "uv-receipt.toml").is_file():
        return f"install it: uv tool install 'sprig-tui[{extra.name}]'"
    return f"install it: pip install 'sprig-tui[{extra.name}]'"
