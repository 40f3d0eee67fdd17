"""Command `explain`: why one answer is, or is not, where it should be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.context import existing_journal_session, open_settings, read_secrets
from sprig_tui.cli.options import command, json_option
from sprig_tui.config.secrets import PROFILE_TOKEN, PUBLIC_API_TOKEN, WRITE_KEY
from sprig_tui.errors import ExitCode

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.explain.model import Explanation, Line
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.records import Delivery, DeliveryDetail

MARKS = {"yes": ("✓", "+", "good"), "no": ("✗", "x", "bad"), "cannot be known": ("?", "?", "warning")}
SHOWN_MATCHES = 5
"""Deliveries that are listed where an id is not clear."""


@command("explain")
@click.argument("delivery_id", metavar="[ID]", required=False)
@click.option(
    "--send-payload", is_flag=True, help="Send the payload to Segment, to run each destination's filters on it."
)
@click.option("--refresh-plan", is_flag=True, help="Fetch the tracking plans again, for the check before sending.")
@json_option
def explain(delivery_id: str | None, send_payload: bool, refresh_plan: bool, as_json: bool) -> int:
    """Why one answer is, or is not, where it should be: line by line, from its record to each destination.

    ID is a delivery's number, or its message id (or the beginning). Each line ends in yes, no, or cannot be known, with
    its evidence, its source and its time. The first lines need nothing; the others a token of Segment's Public API
    (sprig-tui keys workspace). The payload stays here unless --send-payload asks Segment to run filters on it. The only
    proof of a single event needs a Unify space: profile_space and profile_token in [segment].

    --refresh-plan without ID fetches the tracking plan of every environment; preview, send --dry-run and the console
    then say which field breaks it.

    With --json: one object per line. Exit code 1 when a line says no; 2 when there is no such delivery; 3 when nobody
    could be reached.
    """
    if delivery_id is None and not refresh_plan:
        raise click.UsageError("name a delivery: its number, or its message id (sprig-tui log lists them)")
    if delivery_id is None and send_payload:
        raise click.UsageError("--send-payload needs the ID of a delivery")
    settings = open_settings(quiet=True)
    if settings.workspace.token is not None:
        settings = read_secrets(settings, WRITE_KEY, PUBLIC_API_TOKEN, PROFILE_TOKEN)
    code = ExitCode.OK
    if refresh_plan:
        code = asyncio.run(_refresh_plans(settings, as_json=as_json))
    if delivery_id is None:
        return code
    return max(code, asyncio.run(_explain(settings, delivery_id.strip(), send_payload=send_payload, as_json=as_json)))


async def _explain(settings: Settings, text: str, *, send_payload: bool, as_json: bool) -> ExitCode:
    from sprig_tui.cli.workspace import print_wait
    from sprig_tui.clock import SystemClock
    from sprig_tui.config.paths import find_paths
    from sprig_tui.explain import explanation
    from sprig_tui.explain.model import Explanation

    lines: list[Line] = []
    async with existing_journal_session(settings) as journal:
        detail = await _find(journal, text)
        if detail is None:
            return ExitCode.USAGE
        if not as_json:
            output.write_lines(_heading_lines(detail.delivery))
        if send_payload and settings.workspace.token is not None:
            diagnostics.info(
                "this payload is sent to Segment's Public API, which runs the filters of each destination on it"
            )
        asked = explanation.explain(
            detail,
            settings,
            find_paths(),
            clock=SystemClock(),
            send_payload=send_payload,
            on_wait=print_wait,
            journal=journal,
        )
        async for line in asked:
            if as_json:
                output.write_json(_line_json(line, detail.delivery))
            else:
                output.write_lines(_text_lines(line, lines[-1] if lines else None))
            output.flush()
            lines.append(line)
    found = Explanation(delivery=detail.delivery, lines=tuple(lines))
    if not as_json:
        output.write_lines(_summary_lines(found))
    if found.says_no:
        return ExitCode.REJECTED
    return ExitCode.UNREACHABLE if found.is_incomplete else ExitCode.OK


async def _find(journal: Journal | None, text: str) -> DeliveryDetail | None:
    """The delivery of this number or message id; otherwise the error is reported."""
    from sprig_tui.journal.query import Query, Term

    if journal is None:
        diagnostics.failure(f"there is no delivery {text[:80]}", "there is no journal yet: the first send makes it")
        return None
    matches = (await journal.page(Query((Term("id", text),)), limit=SHOWN_MATCHES + 1)).deliveries if text else ()
    exact = [delivery for delivery in matches if delivery.message_id == text]
    if len(exact) == 1:
        matches = tuple(exact)
    if not matches:
        diagnostics.failure(f"there is no delivery {text[:80]}", "sprig-tui log lists them, the id in front")
        return None
    if len(matches) > 1:
        numbers = ", ".join(str(delivery.id) for delivery in matches[:SHOWN_MATCHES])
        more = ", ..." if len(matches) > SHOWN_MATCHES else ""
        diagnostics.failure(f"several deliveries begin with {text[:80]}", f"name one by its number: {numbers}{more}")
        return None
    return await journal.get(matches[0].id)


def _heading_lines(delivery: Delivery) -> Iterator[str]:
    from sprig_tui.cli.text_wrap import flow
    from sprig_tui.journal.records import answer_text
    from sprig_tui.text import one_line

    what = (delivery.environment, delivery.survey_name, delivery.user_id, answer_text(delivery), delivery.message_id)
    parts = [(str(delivery.id), "strong"), *((one_line(text, limit=120), "") for text in what if text)]
    yield from flow(parts, output.terminal_columns())
    yield ""


def _text_lines(line: Line, before: Line | None) -> Iterator[str]:
    """The question with its answer, then evidence, reason, source and time; a reason is said once in a row."""
    from sprig_tui.cli.text_wrap import wrap
    from sprig_tui.explain.model import title
    from sprig_tui.text import one_line

    symbol, plain, style = MARKS[line.answer.value]
    columns = output.terminal_columns()
    width = columns - 1 if columns else 1_000_000
    first, *more = wrap(f"{one_line(title(line))}: {line.answer.value}", width - 2)
    yield f"{output.paint(output.mark(symbol, plain), style)} {first}"
    yield from (f"  {piece}" for piece in more)
    if before is not None and line.why and line.why == before.why and not line.evidence:
        return
    said = "; ".join(one_line(text) for text in (line.evidence, line.why) if text)
    text = f"{said} ({line.source}, {_time_text(line.at)})" if said else f"({line.source}, {_time_text(line.at)})"
    yield from (f"    {output.paint(piece, 'dim')}" for piece in wrap(text, width - 4))


def _summary_lines(found: Explanation) -> Iterator[str]:
    """What says no, or that nothing does; many lines stand before it."""
    from sprig_tui.cli.text_wrap import wrap
    from sprig_tui.explain.model import Answer, title
    from sprig_tui.text import one_line

    stops = [one_line(title(line)) for line in found.lines if line.answer is Answer.NO]
    open_ones = sum(line.answer is Answer.UNKNOWN for line in found.lines)
    text = f"answered no: {'; '.join(stops)}" if stops else "nothing says no"
    text += f"; {open_ones:,} of {len(found.lines):,} cannot be known" if open_ones else ""
    columns = output.terminal_columns()
    yield ""
    yield from wrap(text, columns - 1) if columns else [text]


def _time_text(at: int) -> str:
    """Local time; with the date where it is not of the last hours."""
    from sprig_tui.clock import SystemClock
    from sprig_tui.formatting import local_time

    then = local_time(at)
    today = local_time(SystemClock().now()).date() == then.date()
    return f"{then:%H:%M:%S}" if today else f"{then:%Y-%m-%d %H:%M:%S}"


def _line_json(line: Line, delivery: Delivery) -> dict[str, Any]:
    from sprig_tui.explain.model import title
    from sprig_tui.formatting import iso_time

    return {
        "delivery": delivery.id,
        "message_id": delivery.message_id,
        "check": line.check,
        "subject": line.subject,
        "question": title(line),
        "answer": line.answer,
        "evidence": line.evidence,
        "source": line.source,
        "at": iso_time(line.at),
        "why": line.why,
        "obstacle": line.obstacle or None,
    }


async def _refresh_plans(settings: Settings, *, as_json: bool) -> ExitCode:
    from sprig_tui.cli.workspace import public_api
    from sprig_tui.clock import SystemClock
    from sprig_tui.config.paths import find_paths
    from sprig_tui.errors import SegmentApiUnreachableError
    from sprig_tui.explain.plan_refresh import refresh_plans
    from sprig_tui.text import one_line

    code = ExitCode.OK
    environments = list(settings.environments.values())
    if not any(environment.write_key for environment in environments):
        diagnostics.info("no environment has a write key, so there is no tracking plan to fetch")
    async with public_api(settings.workspace) as api:
        async for found in refresh_plans(api, environments, settings.rules.event, find_paths(), SystemClock()):
            if found.error is not None:
                unreachable = isinstance(found.error, SegmentApiUnreachableError)
                code = max(code, ExitCode.UNREACHABLE if unreachable else ExitCode.REJECTED)
            if as_json:
                output.write_json(
                    {
                        "environment": found.environment,
                        "segment_source": found.source or None,
                        "plan": found.plan.plan_id if found.plan else None,
                        "error": found.error.message if found.error else None,
                    }
                )
            else:
                output.write_line(one_line(f"{found.environment}: {found.text}"))
    return code
