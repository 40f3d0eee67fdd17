"""Identifiers on the command line of `forget`, and in its file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import click

from sprig_tui.errors import InputError
from sprig_tui.journal.persons import IDENTIFIER_KINDS, Identifier, IdentifierKind, make_identifier

MAX_LINES = 100_000
"""Lines of a file of identifiers."""


def read_identifiers(
    users: Sequence[str], emails: Sequence[str], visitors: Sequence[str], file: str | None
) -> tuple[Identifier, ...]:
    """All that are named, each once. Raises InputError and UsageError; no message quotes one."""
    named = [
        *_made("user", users, "--user"),
        *_made("email", emails, "--email"),
        *_made("visitor", visitors, "--visitor"),
    ]
    if file is not None:
        named += _read_file(file)
        if not named:
            raise InputError("the file names nobody", hint="one a line: user:ID, email:ADDRESS or visitor:ID")
    # a user id that is an address is found in other members too
    addresses = [make_identifier("email", one.value) for one in named if one.kind == "user" and _is_address(one.value)]
    return tuple(dict.fromkeys((*named, *addresses)))


def _is_address(text: str) -> bool:
    with suppress(InputError):
        return bool(make_identifier("email", text))
    return False


def undo_identifiers(texts: Sequence[str]) -> tuple[Identifier, ...]:
    """Each text as every kind that it may be: the list holds hashes, and does not tell which it was."""
    found: list[Identifier] = []
    for text in texts:
        for kind in IDENTIFIER_KINDS:
            with suppress(InputError):
                found.append(make_identifier(kind, text))
    if not found:
        raise click.UsageError("--undo needs the ID or the address that was forgotten")
    return tuple(found)


def _made(kind: IdentifierKind, texts: Iterable[str], option: str) -> list[Identifier]:
    made = []
    for text in texts:
        try:
            made.append(make_identifier(kind, text))
        except InputError as error:
            raise click.UsageError(f"{option}: {error.message}") from error
    return made


def _read_file(file: str) -> list[Identifier]:
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the file of identifiers: {error.strerror}") from error
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError("the file of identifiers is no UTF-8 text") from error
    if len(lines) > MAX_LINES:
        raise InputError(f"the file of identifiers has more than {MAX_LINES:,} lines", hint="divide it")
    return [_of_line(line.strip(), number) for number, line in enumerate(lines, 1) if line.strip()]


def _of_line(line: str, number: int) -> Identifier:
    kind, colon, value = line.partition(":")
    for known in IDENTIFIER_KINDS:
        if colon and kind.strip().lower() == known:
            try:
                return make_identifier(known, value)
            except InputError as error:
                raise InputError(f"line {number} of the file: {error.message}") from error
    raise InputError(
        f"line {number} of the file does not say what it is", hint="write user:ID, email:ADDRESS, visitor:ID"
    )
