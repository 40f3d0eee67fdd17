"""List and audit of `forget`: who is forgotten, and what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.context import existing_journal_session
from sprig_tui.errors import ExitCode
from sprig_tui.journal.forgetting import counts_text

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.forgetting import ForgetReceipt, ForgottenIdentifier

_SHOWN_HASH_DIGITS = 12


async def has_unfinished(journal: Journal) -> bool:
    """Whether a run was interrupted."""
    return any(not one.ended_at for one in await journal.forget_receipts())


def report_no_journal(*, as_json: bool) -> int:
    """There is no journal, so nobody's data is in it; the exit code."""
    diagnostics.info("there is no journal yet: nothing is stored of anybody")
    if as_json:
        output.write_json({"journal": None})
    return ExitCode.OK


async def show(settings: Settings, *, audit: bool, as_json: bool) -> int:
    """Print the list, or the receipts."""
    async with existing_journal_session(settings) as journal:
        if journal is None:
            return report_no_journal(as_json=as_json)
        listed, receipts = await journal.forgotten(), await journal.forget_receipts()
    if as_json:
        output.write_json({"receipts" if audit else "forgotten": _json(receipts) if audit else _list_json(listed)})
    elif audit:
        for receipt in receipts:
            output.write_line(_receipt_line(receipt))
        if not receipts:
            diagnostics.info("nobody asked to forget anybody")
    else:
        _print_list(listed)
    for one in receipts:
        if not one.ended_at:
            diagnostics.warning(f"receipt {one.id} was not finished", "sprig-tui forget --resume ends it")
    return ExitCode.OK


def _print_list(listed: tuple[ForgottenIdentifier, ...]) -> None:
    from sprig_tui.formatting import iso_time

    for one in listed:
        digits = one.hash.hex()[:_SHOWN_HASH_DIGITS]
        output.write_line(f"{one.kind:<8}{iso_time(one.since)}  receipt {one.receipt:<5} {digits}")
    diagnostics.info(
        f"{'1 identifier is' if len(listed) == 1 else f'{len(listed):,} identifiers are'} forgotten; only keyed hashes"
        " are stored, which name nobody"
        if listed
        else "nobody is forgotten"
    )


def _receipt_line(receipt: ForgetReceipt) -> str:
    from sprig_tui.formatting import iso_time
    from sprig_tui.text import printable

    state = "" if receipt.ended_at else "  NOT FINISHED"
    regulation = f"  regulation {receipt.regulation}" if receipt.regulation else ""
    line = (
        f"{receipt.id:>4}  {iso_time(receipt.started_at)}  {receipt.action:<7}{receipt.actor:<24}"
        f"{counts_text(receipt.counts)}{regulation}{state}"
    )
    return printable(line)


def _list_json(listed: tuple[ForgottenIdentifier, ...]) -> list[dict[str, Any]]:
    from sprig_tui.formatting import iso_time

    return [
        {"kind": one.kind, "since": iso_time(one.since), "receipt": one.receipt, "hash": one.hash.hex()}
        for one in listed
    ]


def _json(receipts: tuple[ForgetReceipt, ...]) -> list[dict[str, Any]]:
    return [receipt_json(one) for one in receipts]


def receipt_json(receipt: ForgetReceipt) -> dict[str, Any]:
    """A receipt for scripts."""
    from sprig_tui.formatting import iso_time

    return {
        "receipt": receipt.id,
        "action": receipt.action,
        "actor": receipt.actor,
        "started_at": iso_time(receipt.started_at),
        "ended_at": iso_time(receipt.ended_at) if receipt.ended_at else None,
        "counts": receipt.counts,
        "regulation": receipt.regulation or None,
    }
