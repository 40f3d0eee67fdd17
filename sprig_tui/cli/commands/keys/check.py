"""Command `keys check`: checks write keys, and sends a test event."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from sprig_tui.cli import diagnostics, output, prompts
from sprig_tui.cli.context import open_settings, read_secrets
from sprig_tui.cli.options import ENVIRONMENT_TYPE, CliCommand, json_option, yes_option
from sprig_tui.config.oauth import describe_oauth, oauth_json
from sprig_tui.config.secrets import PUBLIC_API_TOKEN, WRITE_KEY
from sprig_tui.errors import ExitCode
from sprig_tui.text import printable

if TYPE_CHECKING:
    from sprig_tui.config.environment import Environment
    from sprig_tui.config.settings import Settings
    from sprig_tui.segment.client import SendResult


@click.command("check", cls=CliCommand, short_help="Which source each key belongs to; sends a test event.")
@click.argument("environment", required=False, type=ENVIRONMENT_TYPE, metavar="[ENV]")
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
    if environment is not None:
        settings.environment(environment)
    settings = read_secrets(settings, WRITE_KEY, PUBLIC_API_TOKEN, quiet=True)
    chosen = [settings.environment(environment)] if environment else list(settings.environments.values())
    if send_test_event and environment is None:
        raise click.UsageError("--send-test-event needs ENV: the environment whose source is to get the event")
    rows = [_check_key(settings, found) for found in chosen]
    asked = ExitCode.OK
    if settings.workspace.token is not None:
        from sprig_tui.cli.commands.doctor.workspace import add_lookups

        asked = add_lookups(settings, chosen, rows)
    code = ExitCode.REJECTED if any(row["faults"] for row in rows) else asked
    if send_test_event and chosen[0].write_key is not None:
        if not yes and not _confirm_send(chosen[0]):
            return ExitCode.USAGE
        row, code = asyncio.run(send_event(settings, chosen[0]))
        rows[0]["test_event"] = row
    for row in rows:
        lookup_lines = row.pop("said", ())
        if not as_json:
            verdict = printable("; ".join(row["faults"])) or "looks like a key"
            output.write_line(f"{row['name']:<14}{row['key'] or 'no key':<12}{verdict}")
            if oauth := describe_oauth(settings.environments[row["name"]]):
                output.write_line(f"{'':<14}{printable(oauth)}")
            output.write_lines(f"{'':<14}{printable(line)}" for line in lookup_lines)
    if as_json:
        output.write_json({"environments": rows})
    return code


def _check_key(settings: Settings, environment: Environment) -> dict[str, Any]:
    from sprig_tui.config.secret_lint import WRITE_KEY_RULES, lint_secret

    key = environment.write_key
    faults = [fault.message for fault in lint_secret(key.reveal(), WRITE_KEY_RULES).faults] if key else []
    faults.extend(warning.text for warning in settings.warnings if warning.environment == environment.name)
    for name, other in settings.environments.items():
        if key is not None and name != environment.name and other.write_key == key:
            faults.append(f"{name} has the same key")
    if environment.oauth is not None and environment.oauth.key.problem is None:
        # what the library says; the settings' warnings say the rest
        from sprig_tui.config.oauth import signing_problem

        faults.extend(filter(None, ["; ".join(filter(None, signing_problem(environment.oauth.key)))]))
    if key is None and not faults:
        faults.append(f"set one with sprig-tui keys set {environment.name}")
    return {
        "name": environment.name,
        "key": key.masked() if key else None,
        "source": key.read_from if key else None,
        "oauth": oauth_json(environment),
        "faults": faults,
    }


def _confirm_send(environment: Environment) -> bool:
    if not environment.protected:
        return True
    if not prompts.is_interactive():
        diagnostics.failure(f"{environment.name} is protected, and there is no terminal to ask at", "add --yes")
        return False
    return prompts.confirm_name(f"{environment.name} is protected: one test event will be sent there", environment.name)


async def send_event(settings: Settings, environment: Environment) -> tuple[dict[str, Any], ExitCode]:
    """Send one test event, and report its result; for programs, and as an exit code."""
    from sprig_tui.clock import SystemClock
    from sprig_tui.delivery.context import make_tracking_client
    from sprig_tui.ingest.test_event import make_test_event

    clock = SystemClock()
    event = make_test_event(environment.name, clock.now())
    client = make_tracking_client(environment, settings.delivery, clock)
    try:
        answer: SendResult = await client.send_batch(event.body, 0)
    finally:
        await client.close()
    return _describe_result(environment, event.message_id, answer)


def _describe_result(environment: Environment, message_id: str, answer: SendResult) -> tuple[dict[str, Any], ExitCode]:
    from sprig_tui.ingest.test_event import EVENT_NAME, TEST_USER_ID
    from sprig_tui.segment.oauth.token_response import TokenFailureKind

    row = {
        "message_id": message_id,
        "status": answer.status,
        "error": answer.error,
        "latency_ms": round(answer.latency_ms, 1),
    }
    if answer.kind == "delivered":
        diagnostics.success(f"{environment.name}: {answer.status} after {answer.latency_ms:.0f} ms")
        diagnostics.info(
            f"that does not prove the key: look for {EVENT_NAME!r} by user {TEST_USER_ID!r} in the "
            f"debugger of the source;"
            " not there after a minute means a wrong key or region"
        )
        return row, ExitCode.OK
    if (failure := answer.token_failure) is not None:
        oauth = environment.oauth_credentials
        asked = failure.kind is not TokenFailureKind.KEY_UNUSABLE
        place = f" from {oauth.token_url}" if oauth is not None and asked else ""
        status = f" ({failure.status})" if failure.status else ""
        diagnostics.failure(f"{environment.name}: nothing was sent: no OAuth token{place}{status}: {failure.error}")
        return row, ExitCode.REJECTED if failure.is_final else ExitCode.UNREACHABLE
    if not answer.status:
        diagnostics.failure(
            f"{environment.name}: no answer from {environment.base_url}: {answer.error}",
            "sprig-tui doctor looks into it",
        )
        return row, ExitCode.UNREACHABLE
    diagnostics.failure(f"{environment.name}: {answer.status} {answer.error}", answer.excerpt[:200])
    return row, ExitCode.REJECTED
