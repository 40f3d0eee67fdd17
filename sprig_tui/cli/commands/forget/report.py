"""What `forget` prints: what was found, what it does not reach, and its outcome."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sprig_tui.cli import diagnostics, output
from sprig_tui.errors import ExitCode
from sprig_tui.journal.forgetting import counts_text
from sprig_tui.text import one_line, printable

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.forget import ForgetOutcome, FoundContent
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.persons import Identifier

MAX_LOG_BYTES = 64 * 1024 * 1024
"""Bytes of a log that are searched."""


def print_found(found: FoundContent, identifiers: Sequence[Identifier]) -> None:
    """What holds the persons, by environment."""
    number = len(identifiers)
    if found.is_empty:
        diagnostics.info(f"nothing that is stored holds {'it' if number == 1 else 'any of them'}")
    names = sorted({name for name, _ in found.states})
    for name in names:
        states = ", ".join(f"{count:,} {state.value}" for (at, state), count in found.states.items() if at == name)
        diagnostics.info(f"{one_line(name, limit=40) or '(without an environment)'}: {states}")
    for count, text in (
        (found.leftovers, "that pruned deliveries left"),
        (len(found.captures), "captured requests and copies"),
        (len(found.memories), "remembered names of files"),
    ):
        if count:
            diagnostics.info(f"{count:,} {text}")
    if found.others:
        diagnostics.warning(
            f"their answers also carry {others_text(found)}, which you did not name: answers with these alone are kept",
            "name them too, or add --linked; sprig-tui log --detail ID shows an answer",
        )
    if found.mentions:
        answers = "answer" if found.mentions == 1 else "answers"
        diagnostics.info(f"{found.mentions:,} {answers} of other people mention them within a text: these are kept")
    if found.damaged:
        diagnostics.warning(
            f"{found.damaged:,} payloads are damaged: what is in them cannot be told",
            "sprig-tui journal salvage leaves them out",
        )


def others_text(found: FoundContent) -> str:
    """Such as `1 address and 2 visitor ids`."""
    parts = []
    for kind, one, many in (
        ("user", "user id", "user ids"),
        ("email", "address", "addresses"),
        ("visitor", "visitor id", "visitor ids"),
    ):
        if number := sum(other.kind == kind for other in found.others):
            parts.append(f"{number:,} {one if number == 1 else many}")
    return ", ".join([*parts[:-2], " and ".join(parts[-2:])])


def print_untouched(settings: Settings, state_dir: Path, identifiers: Sequence[Identifier]) -> None:
    """What is not reached, and so has to be looked at by a person."""
    from sprig_tui.journal.persons import NameSearch

    search = NameSearch(identifiers)
    for number, (name, text) in enumerate(settings.filters.items(), 1):
        if search.is_in(text) or search.is_in(name):
            # by number: the name may be what names them
            diagnostics.warning(f"saved filter {number} of the config mentions them", "remove it: sprig-tui paths")
    for log in sorted(state_dir.glob("*.log*")):
        try:
            with log.open("rb") as stream:
                mentioned = search.is_in_bytes(stream.read(MAX_LOG_BYTES))
        except OSError:
            continue
        if mentioned:
            diagnostics.warning(f"{printable(str(log))} mentions them", "remove it: sprig-tui begins another")
    diagnostics.info(
        "not reached: files that you sent or exported, backups and salvaged copies of the journal, and what Segment has"
    )


async def print_key_hosts(journal: Journal) -> None:
    """On other machines the key has to be copied by a person."""
    file = journal.forget_key_file
    hosts = sorted({worker.host for worker in await journal.workers()} - {socket.gethostname()})
    if hosts and file is not None and not file.exists():
        diagnostics.warning(
            f"workers on {one_line(', '.join(hosts), limit=200)} take in nothing until they have the key of the list",
            f"copy {printable(str(file))} into their state folder (sprig-tui paths), mode 0600",
        )


def write_dry_run(found: FoundContent, *, as_json: bool) -> int:
    """The counts alone; the exit code."""
    if as_json:
        output.write_json({"dry_run": True, "found": found_json(found)})
    diagnostics.info("nothing was removed")
    return ExitCode.OK


def found_json(found: FoundContent) -> dict[str, Any]:
    """What was found, for scripts."""
    environments: dict[str, dict[str, int]] = {}
    for (name, state), count in found.states.items():
        environments.setdefault(name, {})[state.value] = count
    return {
        "environments": environments,
        "leftovers": found.leftovers,
        "captures": len(found.captures),
        "memories": len(found.memories),
        "linked": len(found.others),
        "mentions": found.mentions,
        "damaged": found.damaged,
        "scanned": found.scanned,
    }


def report_nothing_to_resume(*, as_json: bool) -> int:
    """No run was interrupted; the exit code."""
    if as_json:
        output.write_json(
            {"dry_run": False, "found": None, "receipt": None, "leased": 0, "rewritten": False, "undeleted": []}
        )
    diagnostics.info("there is nothing to resume")
    return ExitCode.OK


def print_outcome(outcome: ForgetOutcome, found: FoundContent | None, *, as_json: bool) -> int:
    """What was removed, and what is left; the exit code."""
    from sprig_tui.cli.commands.forget.records import receipt_json

    if as_json:
        output.write_json(
            {
                "dry_run": False,
                "found": found_json(found) if found is not None else None,
                "receipt": receipt_json(outcome.receipt),
                "leased": outcome.leased,
                "rewritten": outcome.is_scrubbed,
                "undeleted": list(outcome.undeleted),
            }
        )
    diagnostics.info(f"removed: {counts_text(outcome.receipt.counts)} (receipt {outcome.receipt.id})")
    if not outcome.is_scrubbed:
        diagnostics.info(
            "the rows are replaced; PostgreSQL overwrites what they held when VACUUM has been there, and it stays in"
            " the WAL and in backups for as long as you keep those"
        )
    for file in outcome.undeleted:
        diagnostics.warning(
            f"{printable(file)} could not be removed", "check its owner, then: sprig-tui forget --resume"
        )
    if outcome.leased:
        them = "it" if outcome.leased == 1 else "them"
        diagnostics.warning(
            f"{outcome.leased:,} left: a worker has {them}, and may be sending",
            "sprig-tui forget --resume removes them once it is done",
        )
    return ExitCode.REJECTED if outcome.leased or outcome.undeleted else ExitCode.OK
