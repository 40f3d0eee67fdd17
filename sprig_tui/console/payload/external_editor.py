"""External editor: edits a record in $VISUAL or $EDITOR and parses the result."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET
from textual.app import SuspendNotSupported

from sprig_tui.config.secrets import child_environ
from sprig_tui.console.payload.inspection import Inspection
from sprig_tui.console.payload.views.json import is_json
from sprig_tui.errors import InputError
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.records import Origin, Record, StudyResponse

if TYPE_CHECKING:
    from textual.app import App


try:
    import fcntl
except ImportError:  # Windows has no locks: every old folder counts as left by a killed console
    fcntl = None  # type: ignore[assignment]

MAX_EDIT_BYTES = 10_000_000
"""Largest edited text that is read back."""
FOLDER_PREFIX = "edit-"
"""Prefix of the folders that editors work in."""
MIN_AGE_S = 60.0
"""Age up to which a folder without a lock may be one that another console is creating."""
_EDITORS = ("nano", "vim", "vi")


def editor_command(environ: Mapping[str, str] = os.environ) -> list[str]:
    """The editor and its arguments: $VISUAL, $EDITOR, or an installed one. Raises InputError where there is none."""
    for name in ("VISUAL", "EDITOR"):
        if chosen := environ.get(name, "").strip():
            try:
                return shlex.split(chosen)
            except ValueError as error:
                raise InputError(f"{name} cannot be understood: {error}", hint=f"put {name} right") from error
    for name in _EDITORS:
        if shutil.which(name, path=environ.get("PATH")):
            return [name]
    raise InputError("no editor is known", hint="set EDITOR, such as EDITOR=nano, and start again")


def editable_text(raw: bytes, record: Record | None) -> bytes:
    """What is put before the person: JSON with indentation; what is no JSON as it is.

    A row of a CSV export cannot be read without its file, so that it becomes the canonical flat record of one answer.
    """
    if isinstance(record, StudyResponse) and record.origin.format == "csv":
        raw = flat_record(record)
    if not is_json(raw):
        return raw
    try:
        return msgspec.json.format(raw, indent=2) + b"\n"
    except (ValueError, RecursionError):
        return raw


def flat_record(response: StudyResponse) -> bytes:
    """The canonical flat record of a response: the same answer, in the one format that can say all of it."""
    fields: dict[str, Any] = {
        "responseGroupId": response.response_group_id,
        "question": response.question,
        "questionType": response.question_type,
        "response": response.response,
        "questionId": response.question_id or None,
        "userId": response.user_id,
        "respondedAt": response.answered_at,
        "updatedAt": response.updated_at,
        "deletedAt": response.deleted_at,
        "surveyId": response.survey_id,
        "surveyName": response.survey_name,
        "surveyCreatedAt": response.survey_created_at,
        "visitorId": response.visitor_id,
        "oldVisitorId": response.old_visitor_id,
        "email": response.email,
        "attributes": response.attributes,
        "triggeringEvent": response.triggering_event,
        "environment": response.environment,
        "environmentId": response.environment_id,
    }
    present = {name: value for name, value in fields.items() if value is not UNSET and value is not None}
    return msgspec.json.encode(present)


def read_edited(data: bytes, origin: Origin) -> Record:
    """The record in an edited text, valid or not; raises InputError for none, or several."""
    records = []
    for record in parse_document(data, Origin(origin.name, "", origin.line, origin.path)):
        records.append(record)
        if len(records) > 1:
            raise InputError(
                "the edited text holds more than one record", hint="nothing was changed; keep one and edit again"
            )
    if not records:
        raise InputError("the edited text is empty", hint="nothing was changed")
    return records[0]


async def run_editor(data: bytes, command: list[str], state_dir: Path) -> bytes | None:
    """Run the editor on the data, in a folder of its own (0700) that is gone afterwards; None when nothing changed.

    The terminal must be the editor's while this runs; the event loop goes on, and with it the deliveries. Raises
    InputError when the editor cannot be started, ends with a fault, or leaves nothing to read.
    """
    remove_stale_edit_folders(state_dir)
    folder = _make_folder(state_dir)
    held = _lock_folder(folder)
    try:
        file = folder / ("payload.json" if is_json(data) else "payload.txt")
        _write(file, data)
        with _interrupts_ignored():
            await _run([*command, str(file)])
        return _read_back(file, data)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            os.close(held)


def remove_stale_edit_folders(state_dir: Path) -> None:
    """Remove folders of consoles that were killed during an edit: they hold answers."""
    try:
        folders = [found for found in state_dir.glob(f"{FOLDER_PREFIX}*") if found.is_dir() and not found.is_symlink()]
    except OSError:
        return
    for folder in folders:
        with contextlib.suppress(OSError):
            young = time.time() - folder.stat().st_mtime < MIN_AGE_S
            held = None if young else _lock_folder(folder)
            if held is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(held)


def _lock_folder(folder: Path) -> int | None:
    """Lock the folder until this process ends; None where another process has the lock."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _make_folder(state_dir: Path) -> Path:
    try:
        state_dir.mkdir(parents=True, mode=0o700, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=state_dir))
    except OSError as error:
        raise InputError(f"cannot write in {state_dir}: {error.strerror}", hint="check its owner and space") from error


def _write(file: Path, data: bytes) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
    except OSError as error:
        raise InputError(f"cannot write {file}: {error.strerror}", hint="check the space there is") from error


async def _run(command: list[str]) -> None:
    try:
        process = await asyncio.create_subprocess_exec(*command, env=child_environ())
    except OSError as error:
        raise InputError(
            f"the editor {command[0]} cannot be started: {error.strerror}", hint="set VISUAL or EDITOR to one that can"
        ) from error
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if code:
        how = f"ended with status {code}" if code > 0 else f"was ended by signal {-code}"
        raise InputError(f"the editor {command[0]} {how}", hint="nothing was changed")


def _read_back(file: Path, before: bytes) -> bytes | None:
    try:
        with file.open("rb") as stream:
            after = stream.read(MAX_EDIT_BYTES + 1)
    except OSError as error:
        raise InputError(f"the edited text cannot be read: {error.strerror}", hint="nothing was changed") from error
    if len(after) > MAX_EDIT_BYTES:
        raise InputError(f"the edited text is larger than {MAX_EDIT_BYTES:,} bytes", hint="nothing was changed")
    return None if after == before else after


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Leave Ctrl-C to the editor; unlike SIG_IGN, a handler is not inherited by it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def edited_record(
    app: App[object], inspection: Inspection, state_dir: Path, environ: Mapping[str, str] = os.environ
) -> Record | None:
    """Let the user edit the record; None when nothing changed. Raises InputError without a change."""
    command = editor_command(environ)
    before = editable_text(inspection.raw, inspection.record)
    after: bytes | None = None
    fault: InputError | None = None
    try:
        # batch_update prevents painting while the editor has the screen; suspend alone does not
        with app.batch_update(), app.suspend():
            try:
                after = await run_editor(before, command, state_dir)
            except InputError as error:
                # raised below: suspend restores the terminal only when its block ends without an exception
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
