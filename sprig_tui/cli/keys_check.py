"""`sprig-tui keys check`."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import click

from sprig_tui.cli import asking, diagnostics, output
from sprig_tui.cli.commands import ENVIRONMENT, Command, json_option, yes_option
from sprig_tui.cli.opening import open_settings
from sprig_tui.errors import ExitCode
from sprig_tui.text import printable

if TYPE_CHECKING:
    from sprig_tui.config.environment import Environment
    from sprig_tui.config.settings import Settings
    from sprig_tui.segment.client import SendResult

TEST_EVENT = "sprig-tui test event"
TEST_USER = "sprig-tui-test"


@click.command("check", cls=Command, short_help="Look at the format of keys; send a test event.")
@click.argument("environment", required=False, type=ENVIRONMENT, metavar="[ENV]")
@click.option("--send-test-event", is_flag=True, help="Send one recognisable event, to look for in Segment's debugger.")
@yes_option
@json_option
def check(environment: str | None, send_test_event: bool, yes: bool, as_json: bool) -> int:
    """Look at the format of each key; with --send-test-event also send one event.

    Segment answers 200 to a wrong key, so no program can verify one: after a test event, look into the debugger of
    the source. With a token of Segment's Public API (sprig-tui keys workspace) it is looked up which source each key
    belongs to, whether it is enabled, and which destinations are connected. Exit code 1 when a key is missing, odd or
    of the wrong source, or the event was refused; 3 when no answer came.
    """
    settings = open_settings(quiet=True)
    chosen = [settings.environment(environment)] if environment else list(settings.environments.values())
    if send_test_event and environment is None:
        raise click.UsageError("--send-test-event needs ENV: the environment whose source is to get the event")
    rows = [_checked(settings, found) for found in chosen]
    asked = ExitCode.OK
    if settings.workspace.token is not None:
        from sprig_tui.cli.workspace_checks import look_up

        asked = look_up(settings, chosen, rows)
    code = ExitCode.REJECTED if any(row["faults"] for row in rows) else asked
    if send_test_event and chosen[0].write_key is not None:
        if not yes and not _consented(chosen[0]):
            return ExitCode.USAGE
        row, code = asyncio.run(_send_test(settings, chosen[0]))
        rows[0]["test_event"] = row
    for row in rows:
        said = row.pop("said", ())
        if not as_json:
            said_of_it = printable("; ".join(row["faults"])) or "looks like a key"
            output.write_line(f"{row['name']:<14}{row['key'] or 'no key':<12}{said_of_it}")
            output.write_lines(f"{'':<14}{printable(line)}" for line in said)
    if as_json:
        output.write_json({"environments": rows})
    return code


def _checked(settings: Settings, found: Environment) -> dict[str, Any]:
    from sprig_tui.config.keylint import lint_write_key

    key = found.write_key
    faults = [fault.message for fault in lint_write_key(key.reveal()).faults] if key else []
    faults.extend(warning.text for warning in settings.warnings if warning.environment == found.name)
    for name, other in settings.environments.items():
        if key is not None and name != found.name and other.write_key == key:
            faults.append(f"{name} has the same key")
    if key is None and not faults:
        faults.append(f"set one with sprig-tui keys set {found.name}")
    return {
        "name": found.name,
        "key": key.masked() if key else None,
        "source": key.read_from if key else None,
        "faults": faults,
    }


def _consented(found: Environment) -> bool:
    if not found.protected:
        return True
    if not asking.can_ask():
        diagnostics.fault(f"{found.name} is protected, and nobody is there to ask", "add --yes")
        return False
    return asking.confirm_name(f"{found.name} is protected: one test event will be sent there", found.name)


async def _send_test(settings: Settings, found: Environment) -> tuple[dict[str, Any], ExitCode]:
    import msgspec

    from sprig_tui.cli.log_lines import iso_time
    from sprig_tui.clock import SystemClock
    from sprig_tui.delivery.means import make_tracking_client

    message_id = f"sprig-tui-test-{uuid.uuid4().hex}"
    track = {
        "messageId": message_id,
        "userId": TEST_USER,
        "event": TEST_EVENT,
        "type": "track",
        "properties": {"sentBy": "sprig-tui keys check"},
        "context": {
            "integration": {"name": settings.rules.integration_name, "version": settings.rules.integration_version}
        },
        "timestamp": iso_time(SystemClock().now()),
    }
    client = make_tracking_client(found, settings.delivery, SystemClock())
    try:
        answer: SendResult = await client.send_batch(msgspec.json.encode(track), 0)
    finally:
        await client.close()
    return _verdict(found, message_id, answer)


def _verdict(found: Environment, message_id: str, answer: SendResult) -> tuple[dict[str, Any], ExitCode]:
    row = {
        "message_id": message_id,
        "status": answer.status,
        "error": answer.error,
        "latency_ms": round(answer.latency_ms, 1),
    }
    if answer.kind == "delivered":
        diagnostics.good(f"{found.name}: {answer.status} after {answer.latency_ms:.0f} ms")
        diagnostics.note(
            f"that does not prove the key: look for {TEST_EVENT!r} by user {TEST_USER!r} in the debugger of the source;"
            " not there after a minute means a wrong key or region"
        )
        return row, ExitCode.OK
    if not answer.status:
        diagnostics.fault(
            f"{found.name}: no answer from {found.base_url}: {answer.error}", "sprig-tui doctor looks into it"
        )
        return row, ExitCode.UNREACHABLE
    diagnostics.fault(f"{found.name}: {answer.status} {answer.error}", answer.excerpt[:200])
    return row, ExitCode.REJECTED
