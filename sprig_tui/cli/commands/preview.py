"""Command `preview`: shows mapped track calls, and sends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.context import load_suppressed, open_settings, read_files, read_secrets
from sprig_tui.cli.options import FILES_TYPE, command, environment_option, force_option, json_option
from sprig_tui.cli.text_wrap import flow, pad, text_width, wrap
from sprig_tui.config.secrets import HMAC_KEY
from sprig_tui.errors import ExitCode
from sprig_tui.reasons import Reason
from sprig_tui.sprig.missing_fields import MINIMAL_RECORD

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.config.tracking_plans import PlanFinding, PlanLints
    from sprig_tui.delivery.suppressed_users import SuppressedUsers
    from sprig_tui.mapping.records import FieldTrace, Mapping
    from sprig_tui.sprig.records import Record, Unsendable

PreviewFormat = Literal["fields", "json", "curl"]
LEVEL_MARKS = {"ok": ("✓", "ok", "good"), "warning": ("!", "!", "warning"), "error": ("✗", "x", "bad")}
PATH_WIDTH, ORIGIN_WIDTH = 26, 22
MIN_WIDE_COLUMNS = 84
"""Columns that path, value and origin need beside each other."""


@command("preview", epilog=f"\b\nThe least that JSON of your own has to say:\n{MINIMAL_RECORD}")
@click.argument("files", nargs=-1, required=True, type=FILES_TYPE, metavar="FILE...")
@environment_option
@click.option("--as", "view", type=click.Choice(["fields", "json", "curl"]), default="fields", show_default=True)
@force_option
@json_option
def preview(files: tuple[str, ...], environment: str | None, view: PreviewFormat, force: bool, as_json: bool) -> int:
    """Show the mapped track call of each answer; sends nothing, stores nothing.

    fields: where each value came from and its problems. json: the call as it will be sent. curl: a command that sends
    it, with the key as $SEGMENT_WRITE_KEY, and with OAuth a token as $SEGMENT_ACCESS_TOKEN. With --json: one object
    per record and line.

    With a token of Segment's Public API, fields that break the tracking plan are marked, by the plan that
    sprig-tui explain stored last; nothing is asked here.

    Exit code 1 when something would be withheld.
    """
    settings = read_secrets(open_settings(), HMAC_KEY)
    if environment is not None:
        settings.environment(environment)
    from sprig_tui.clock import SystemClock
    from sprig_tui.ingest import EntryBuilder
    from sprig_tui.sprig.records import Unsendable

    intake = EntryBuilder(settings.rules, settings.environments, environment)
    clock, users = SystemClock(), load_suppressed(settings)
    plans = _open_plans(settings)
    withheld = number = 0
    for number, record in enumerate(read_files(files, force=force), 1):
        if isinstance(record, Unsendable):
            withheld += 1
            if as_json:
                output.write_json(_unsendable_json(record))
            else:
                _show_unsendable(record, view)
            continue
        route = intake.route(record)
        mapping = _withhold_suppressed(
            intake.mapper.map(record, environment=route.environment, now_ms=clock.now()), users
        )
        withheld += mapping.withheld is not None
        detail = route.detail if mapping.withheld is None or not route.environment else mapping.detail
        finding = plans.check(mapping.environment, mapping.body) if plans is not None else None
        if as_json:
            output.write_json(_mapping_json(record, mapping, detail, finding))
        else:
            output.write_lines(_record_lines(settings, record, mapping, detail, view, number, finding))
    if not number:
        diagnostics.info("the input holds no records")
    elif withheld:
        diagnostics.info(f"{withheld:,} of {number:,} would be withheld")
    return ExitCode.REJECTED if withheld else ExitCode.OK


def _open_plans(settings: Settings) -> PlanLints | None:
    """The stored tracking plans; without a token nothing is imported for them."""
    if settings.workspace.token is None:
        return None
    from sprig_tui.cli.plan_check import open_plan_lints

    return open_plan_lints(settings)


def _fields_with_plan(mapping: Mapping, finding: PlanFinding | None) -> tuple[FieldTrace, ...]:
    if finding is None:
        return mapping.fields
    from sprig_tui.mapping.trace import add_plan_lints

    return add_plan_lints(mapping.fields, finding.lints)


def _withhold_suppressed(mapping: Mapping, users: SuppressedUsers) -> Mapping:
    """The mapping, withheld if it is of a suppressed user, as the engine does before it sends."""
    from msgspec.structs import replace

    if mapping.withheld is not None or not users.is_of(mapping.body):
        return mapping
    return replace(mapping, withheld=Reason.SUPPRESSED, detail=users.detail)


def _record_lines(
    settings: Settings,
    record: Record,
    mapping: Mapping,
    detail: str,
    view: PreviewFormat,
    number: int,
    finding: PlanFinding | None,
) -> Iterator[str]:
    """The record for people, or for programs that read the call or the command."""
    if view == "json":
        if mapping.withheld is not None:
            diagnostics.info(f"would be withheld: {record.origin.text}: {detail or mapping.withheld.value}")
        yield from _pretty_lines(mapping.body)
        return
    if view == "curl":
        yield from (f"# {line}" for line in _title_lines(record, number))
        yield from _curl_lines(settings, mapping)
    else:
        yield from _title_lines(record, number, output.terminal_columns())
        yield from _fields_lines(settings, mapping, detail, finding)
    yield ""


def _pretty_lines(body: bytes) -> Iterator[str]:
    from sprig_tui.cli.log_format import pretty_lines

    return pretty_lines(body)


def _title_lines(record: Record, number: int, columns: int = 0) -> Iterator[str]:
    from sprig_tui.text import one_line

    return flow(((f"{number}  {one_line(record.origin.text)}", "strong"), (record.origin.format, "")), columns)


def _show_unsendable(record: Unsendable, view: PreviewFormat) -> None:
    from sprig_tui.text import one_line

    detail = record.explanation
    if view != "fields":
        # What goes to stdout there is read by other programs.
        diagnostics.info(f"would be withheld: {record.origin.text}: {detail or record.reason.value}")
        return
    mark = output.paint(output.mark("✗", "x"), "bad")
    text = f"{one_line(record.origin.text)}  withheld, {record.reason.value}" + (
        f": {one_line(detail)}" if detail else ""
    )
    columns = output.terminal_columns()
    first, *more = wrap(text, columns - 5) if columns else (text,)
    output.write_lines([f"{mark} {first}", *(f"    {piece}" for piece in more)])


def _fields_lines(settings: Settings, mapping: Mapping, detail: str, finding: PlanFinding | None) -> Iterator[str]:
    from sprig_tui.segment.limits import MAX_EVENT_BYTES
    from sprig_tui.text import one_line

    columns = output.terminal_columns()
    fields = _fields_with_plan(mapping, finding)
    longest = max((len(field.path) for field in mapping.fields), default=0)
    for field in fields:
        yield from (
            _narrow_field_lines(field, columns)
            if 0 < columns < MIN_WIDE_COLUMNS
            else _field_lines(field, longest, columns)
        )
    counts = {level: sum(field.level == level for field in fields) for level in ("warning", "error")}
    parts = [(f"{number} {level}{'s' if number > 1 else ''}", "") for level, number in counts.items() if number]
    parts.append((f"{len(mapping.body):,} of {MAX_EVENT_BYTES:,} bytes", ""))
    if mapping.withheld is not None:
        verdict = f"would be withheld, {mapping.withheld.value}" + (f": {one_line(detail)}" if detail else "")
        parts.append((verdict, "warning"))
    else:
        found = settings.environments[mapping.environment]
        keyless = ", which has no write key yet" if found.write_key is None else ""
        parts.append((f"would be sent to {found.name} ({found.base_url}){keyless}", "warning" if keyless else "good"))
        if detail:
            parts.append((one_line(detail), ""))
    if finding is not None:
        from sprig_tui.cli.plan_check import finding_text

        parts.append((one_line(finding_text(finding)), "warning" if finding.lints else ""))
    yield from flow(parts, columns, "  ")


def _field_lines(field: FieldTrace, value_width: int, columns: int) -> Iterator[str]:
    """One line; a note that the terminal has no room for follows on lines of its own. In a pipe nothing is cut."""
    from sprig_tui.cli.log_format import fit_text
    from sprig_tui.text import one_line

    path, value, origin = one_line(field.path), one_line(value_text(field.value)), one_line(field.origin)
    note = one_line(field.note)
    path_width = max(PATH_WIDTH, value_width)
    if columns:
        path_width = min(path_width, max(PATH_WIDTH, columns // 4))
        width = min(44, max(18, columns - path_width - ORIGIN_WIDTH - 8))
        texts = [fit_text(path, path_width), fit_text(value, width), pad(origin, ORIGIN_WIDTH)]
    else:
        texts = [pad(path, path_width), pad(value, 44), pad(origin, ORIGIN_WIDTH)]
    line = f"{_level_mark(field)} {'  '.join(texts)}"
    used = 2 + sum(text_width(text) + 2 for text in texts)
    if columns and used + text_width(note) > columns:
        yield line.rstrip()
        yield from (f"    {piece}" for piece in wrap(note, columns - 5))
    else:
        yield f"{line}  {note}".rstrip()


def _narrow_field_lines(field: FieldTrace, columns: int) -> Iterator[str]:
    """Path and value, then what is to be said of them: for terminals without room for columns."""
    from sprig_tui.cli.log_format import fit_text
    from sprig_tui.text import one_line

    path, value = one_line(field.path), one_line(value_text(field.value))
    room = columns - 3
    if text_width(path) + 2 + min(text_width(value), 12) > room:
        first, *more = wrap(path, room)
        yield f"{_level_mark(field)} {first}"
        yield from (f"  {piece}" for piece in more)
        if value:
            yield f"    {fit_text(value, room - 2).rstrip()}"
    else:
        yield f"{_level_mark(field)} {path}  {fit_text(value, room - text_width(path) - 2).rstrip()}".rstrip()
    origin = one_line(field.origin)
    if path.rpartition(".")[2] == origin:
        origin = ""  # it says no more than the path
    parts = [(text, style) for text, style in ((origin, "dim"), (one_line(field.note), "")) if text]
    yield from flow(parts, columns, "    ")


def _level_mark(field: FieldTrace) -> str:
    symbol, plain, style = LEVEL_MARKS[field.level]
    return output.paint(output.mark(symbol, plain), style)


def value_text(value: Any) -> str:
    """A field's value on one line: text as it is, other JSON as it is written."""
    import msgspec

    if value is msgspec.UNSET:
        return "(omitted)"
    if isinstance(value, msgspec.Raw):
        text = bytes(value).decode(errors="replace")
        return str(msgspec.json.decode(text)) if text.startswith('"') else text
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _curl_lines(settings: Settings, mapping: Mapping) -> Iterator[str]:
    from sprig_tui.segment.curl import curl_lines
    from sprig_tui.segment.limits import ENDPOINT_URLS

    environment = settings.environments.get(mapping.environment)
    base_url = environment.base_url if environment else ENDPOINT_URLS["us"]
    oauth = environment.oauth_credentials if environment else None
    yield from curl_lines(base_url, mapping.body, withheld=mapping.withheld or "", oauth=oauth)


def _mapping_json(record: Record, mapping: Mapping, detail: str, finding: PlanFinding | None) -> dict[str, Any]:
    import msgspec

    from sprig_tui.cli.json_text import embed_json

    plan: dict[str, Any] = {}
    if finding is not None:
        from sprig_tui.cli.plan_check import finding_json

        plan = {"tracking_plan": finding_json(finding)}

    return {
        "source": msgspec.structs.asdict(record.origin),
        "environment": mapping.environment or None,
        "withheld": mapping.withheld,
        "detail": detail,
        "bytes": len(mapping.body),
        "track": embed_json(mapping.body),
        "fields": [
            {
                "path": field.path,
                **({} if field.value is msgspec.UNSET else {"value": field.value}),
                "origin": field.origin,
                "note": field.note,
                "level": field.level,
            }
            for field in _fields_with_plan(mapping, finding)
        ],
        **plan,
    }


def _unsendable_json(record: Unsendable) -> dict[str, Any]:
    import msgspec

    return {
        "source": msgspec.structs.asdict(record.origin),
        "environment": record.environment,
        "withheld": record.reason,
        "detail": f"{record.path}: {record.detail}" if record.path else record.detail,
        "bytes": 0,
        "track": None,
        "fields": [],
    }
