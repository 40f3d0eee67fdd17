"""Editing while the console is suspended: the terminal is the editor's, deliveries go on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from sprig_tui.console.payload.editing import editable_text, editor_command, read_edited, run_editor
from sprig_tui.console.payload.inspection import Inspection
from sprig_tui.errors import InputError
from sprig_tui.sprig.records import Origin, Record

if TYPE_CHECKING:
    from textual.app import App


async def edited_record(
    app: App[object], inspection: Inspection, state_dir: Path, environ: Mapping[str, str] = os.environ
) -> Record | None:
    """The record as a person changed it; None when nothing changed. Raises InputError, and then nothing changed."""
    command = editor_command(environ)
    before = editable_text(inspection.raw, inspection.record)
    after: bytes | None = None
    fault: InputError | None = None
    try:
        # Nothing may be painted while another program has the screen; suspend alone does not see to that.
        with app.batch_update(), app.suspend():
            try:
                after = await run_editor(before, command, state_dir)
            except InputError as error:
                # Not let through: suspend gives the terminal back only when its block ends well.
                fault = error
    except SuspendNotSupported:
        raise InputError(
            "this terminal cannot be handed to an editor", hint="open the console in a terminal of its own to edit"
        ) from None
    if fault is not None:
        raise fault
    if after is None:
        return None
    record, delivery = inspection.record, inspection.delivery
    if record is not None:
        origin = record.origin
    elif delivery is not None:
        origin = Origin(delivery.source, "", delivery.line)
    else:
        origin = Origin("edited")
    return read_edited(after, origin)
