"""`sprig-tui preview`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.commands import FILES, command, environment_option, json_option
from sprig_tui.cli.opening import open_settings
from sprig_tui.cli.reading import read_files
from sprig_tui.errors import ExitCode

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.mapping.records import FieldTrace, Mapping
    from sprig_tui.sprig.records import Record, Unsendable

View = Literal["fields", "json", "curl"]
MARKS = {"ok": ("✓", "ok", "good"), "warning": ("!", "!", "warning"), "error": ("✗", "x", "bad")}
PATH_WIDTH, ORIGIN_WIDTH = 26, 22
NOTE_WIDTH = 30
"""Left at least for a note, on a terminal."""


@command("preview")
@click.argument("files", nargs=-1, required=True, type=FILES, metavar="FILE...")
@environment_option
@click.option("--as", "view", type=click.Choice(["fields", "json", "curl"]), default="fields", show_default=True)
@json_option
def preview(files: tuple[str, ...], environment: str | None, view: View, as_json: bool) -> int:
    """Show the mapped track call of each answer; sends nothing, stores nothing.

    fields: where each value came from and what is off. json: the call as it will be sent. curl: a command that sends
    it, with the key as $SEGMENT_WRITE_KEY. With --json: one object per record and line.

    Exit code 1 when something would be withheld.
    """
    settings = open_settings()
    if environment is not None:
        settings.environment(environment)
    from sprig_tui.clock import SystemClock
    from sprig_tui.intake import Intake
    from sprig_tui.sprig.records import Unsendable

    intake = Intake(settings.rules, settings.environments, environment)
    clock = SystemClock()
    withheld = number = 0
    for number, record in enumerate(read_files(files), 1):
        if isinstance(record, Unsendable):
            withheld += 1
            if as_json:
                output.write_json(_unsendable_json(record))
            else:
                _show_unsendable(record, view)
            continue
        route = intake.route(record)
        mapping = intake.mapper.map(record, environment=route.environment, now_ms=clock.now())
        withheld += mapping.withheld is not None
        detail = route.detail if mapping.withheld is None or not route.environment else mapping.detail
        if as_json:
            output.write_json(_mapping_json(record, mapping, detail))
        elif view == "json":
            if mapping.withheld is not None:
                diagnostics.note(f"would be withheld: {_place(record)}: {detail or mapping.withheld.value}")
            output.write_lines(_pretty(mapping.body))
        else:
            lines = _curl(settings, mapping) if view == "curl" else _fields(settings, mapping, detail)
            output.write_lines([("# " if view == "curl" else "") + _title(record, number), *lines, ""])
    if not number:
        diagnostics.note("the input holds no records")
    elif withheld:
        diagnostics.note(f"{withheld:,} of {number:,} would be withheld")
    return ExitCode.REJECTED if withheld else ExitCode.OK


def _pretty(body: bytes) -> Iterator[str]:
    from sprig_tui.cli.log_lines import pretty

    return pretty(body)


def _place(record: Record) -> str:
    origin = record.origin
    line = f":{origin.line}" if origin.line else ""
    return f"{origin.name}{line}{f' {origin.path}' if origin.path else ''}"


def _title(record: Record, number: int) -> str:
    from sprig_tui.text import one_line

    origin = record.origin.format
    return output.paint(f"{number}  {one_line(_place(record))}", "strong") + (f"  {origin}" if origin else "")


def _show_unsendable(record: Unsendable, view: View) -> None:
    from sprig_tui.text import one_line

    detail = f"{record.path}: {record.detail}" if record.path and record.detail else record.detail or record.path
    if view != "fields":
        # What goes to stdout there is read by other programs.
        diagnostics.note(f"would be withheld: {_place(record)}: {detail or record.reason.value}")
        return
    mark = output.paint(output.mark("✗", "x"), "bad")
    output.write_line(f"{mark} {one_line(_place(record))}  withheld, {record.reason.value}: {one_line(detail)}")


def _fields(settings: Settings, mapping: Mapping, detail: str) -> Iterator[str]:
    from sprig_tui.segment.limits import MAX_EVENT_BYTES
    from sprig_tui.text import one_line

    columns = output.columns()
    width = min(44, max(18, columns - PATH_WIDTH - ORIGIN_WIDTH - NOTE_WIDTH - 8)) if columns else 44
    for field in mapping.fields:
        yield from _field(field, width, columns)
    counts = {level: sum(field.level == level for field in mapping.fields) for level in ("warning", "error")}
    said = [f"{number} {level}{'s' if number > 1 else ''}" for level, number in counts.items() if number]
    said.append(f"{len(mapping.body):,} of {MAX_EVENT_BYTES:,} bytes")
    if mapping.withheld is not None:
        verdict = f"would be withheld, {mapping.withheld.value}" + (f": {one_line(detail)}" if detail else "")
        said.append(output.paint(verdict, "warning"))
    else:
        found = settings.environments[mapping.environment]
        keyless = output.paint(", which has no write key yet", "warning") if found.write_key is None else ""
        said.append(output.paint(f"would be sent to {found.name}", "good") + f" ({found.base_url}){keyless}")
        if detail:
            said.append(one_line(detail))
    yield f"  {'  '.join(said)}"


def _field(field: FieldTrace, width: int, columns: int) -> Iterator[str]:
    """One line; a note that the terminal has no room for follows on lines of its own."""
    from textwrap import wrap

    from sprig_tui.cli.log_lines import fit
    from sprig_tui.text import one_line

    symbol, plain, style = MARKS[field.level]
    mark = output.paint(output.mark(symbol, plain), style)
    cells = (
        fit(field.path, PATH_WIDTH),
        fit(one_line(value_text(field.value)), width),
        fit(one_line(field.origin), ORIGIN_WIDTH),
    )
    line, note = f"{mark} {'  '.join(cells)}", one_line(field.note)
    used = PATH_WIDTH + width + ORIGIN_WIDTH + 8
    if columns and used + len(note) > columns:
        yield line.rstrip()
        yield from wrap(note, max(20, columns - 1), initial_indent="    ", subsequent_indent="    ")
    else:
        yield f"{line}  {note}".rstrip()


def value_text(value: Any) -> str:
    """A field's value on one line: text as it is, other JSON as it is written."""
    import msgspec

    if value is msgspec.UNSET:
        return "(omitted)"
    if isinstance(value, msgspec.Raw):
        text = bytes(value).decode(errors="replace")
        return str(msgspec.json.decode(text)) if text.startswith('"') else text
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _curl(settings: Settings, mapping: Mapping) -> Iterator[str]:
    from sprig_tui.segment.curl import curl_lines
    from sprig_tui.segment.limits import ENDPOINTS

    if mapping.withheld is not None:
        yield f"# would be withheld: {mapping.withheld.value}"
    found = settings.environments.get(mapping.environment)
    yield from curl_lines(found.base_url if found else ENDPOINTS["us"], mapping.body)


def _mapping_json(record: Record, mapping: Mapping, detail: str) -> dict[str, Any]:
    import msgspec

    return {
        "source": msgspec.structs.asdict(record.origin),
        "environment": mapping.environment or None,
        "withheld": mapping.withheld,
        "detail": detail,
        "bytes": len(mapping.body),
        "track": msgspec.Raw(mapping.body),
        "fields": [
            {
                "path": field.path,
                **({} if field.value is msgspec.UNSET else {"value": field.value}),
                "origin": field.origin,
                "note": field.note,
                "level": field.level,
            }
            for field in mapping.fields
        ],
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
