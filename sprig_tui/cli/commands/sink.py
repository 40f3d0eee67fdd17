"""Command `sink`: runs the fake Segment."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.options import command, json_option
from sprig_tui.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from sprig_tui.segment.sink import FaultRule, RequestRecord, Sink
    from sprig_tui.segment.sink.workspace import DescribedWorkspace


@command("sink")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: any that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--fault", "faults", multiple=True, metavar="RULE", help="Such as 503@2-4 or 429+retry-after=2:5%; repeatable."
)
@click.option("--faults", "fault_file", type=click.Path(path_type=Path), metavar="FILE", help="Fault rules as JSON.")
@click.option("--keys", "key_file", type=click.Path(path_type=Path), metavar="FILE", help="JSON object: key to source.")
@click.option(
    "--keep", type=click.IntRange(min=0), default=10_000, show_default=True, help="Events held; 0: count only."
)
@click.option("--count", is_flag=True, help="Hold no events, only count them, repeats told apart: for millions.")
@click.option("--seed", type=int, default=0, show_default=True, help="Makes faults by rate repeatable.")
@click.option("--workspace", is_flag=True, help="With a workspace's Public API at the same address; see above.")
@click.option(
    "--workspace-file", type=click.Path(path_type=Path), metavar="FILE", help="Its sources and destinations, as JSON."
)
@click.option(
    "--workspace-fault",
    "workspace_faults",
    multiple=True,
    metavar="RULE",
    help="Such as lost=3 or disabled@source:NAME; repeatable.",
)
@click.option(
    "--workspace-delay",
    type=click.FloatRange(0, 86_400),
    default=None,
    show_default="30",
    metavar="SECONDS",
    help="Until an event is counted.",
)
@click.option(
    "--oauth", "public_key", type=click.Path(path_type=Path), metavar="FILE", help="Require OAuth; FILE: public key."
)
@click.option("--token-fault", "token_faults", multiple=True, metavar="RULE", help="As --fault, at /token.")
@click.option(
    "--token-life",
    "token_life_s",
    type=click.IntRange(1, 30 * 86_400),
    default=None,
    show_default="a day",
    metavar="SECONDS",
    help="Until a token is no longer taken.",
)
@json_option
def sink(  # noqa: PLR0913, PLR0917 - click passes each option by name
    port: int,
    host: str,
    faults: tuple[str, ...],
    fault_file: Path | None,
    key_file: Path | None,
    keep: int,
    count: bool,
    seed: int,
    workspace: bool,
    workspace_file: Path | None,
    workspace_faults: tuple[str, ...],
    workspace_delay: float | None,
    public_key: Path | None,
    token_faults: tuple[str, ...],
    token_life_s: int | None,
    as_json: bool,
) -> int:
    """Run the fake Segment alone, until stopped; stdout lists each request.

    It takes any key, answers as Segment's documentation says, and shows what it got at GET /events and /stats. Send to
    it with `sprig-tui send FILE -e development --endpoint http://127.0.0.1:8080`.

    A fault is a status or a word (reset, close, hang, slow=0.5, trickle, truncate, html), then conditions: @2-4 the
    second to fourth request, @every:10, :5% a share, ~text events that hold the text. --fault may be given again.

    With --workspace it is also Segment's Public API, at the same address: sources with Write Keys, destinations, and
    the counts of what came, 30 seconds later; stderr tells the token and what to type. Everything ends with it.

    A workspace fault happens behind a 200: lost=3 counts the first three events of a source nowhere, late=600 counts
    ten minutes later; repeats, failed=401, retried=2, disabled, unknown, suppressed=USER, unplanned, violating,
    filtered and unmapped. Then conditions: @100-102 these events of a source, @every:10, @source:NAME,
    @destination:NAME.

    Faults of set-up, without conditions: slug-taken=SLUG (409) and slug-rejected=SLUG (422) for a new source,
    read-only=STATUS for all that changes something, no-answer=N (the first N sources or Write Keys are made without an
    answer), no-rename=STATUS, no-label=STATUS and no-new-key=STATUS. Each value may be left out.

    With --oauth, tracking requests need a token: POST /token, at the same address, gives one for an assertion that is
    signed with the private half of this public key (PEM).
    """
    from sprig_tui.segment.sink import Sink, parse_rules, read_rules
    from sprig_tui.segment.sink.workspace import DEFAULT_DELAY_S

    rules: list[FaultRule | str] = list(parse_rules(faults))
    if fault_file is not None:
        rules.extend(read_rules(fault_file))

    def seen(request: RequestRecord) -> None:
        _print_request(request, as_json=as_json)

    workspace = workspace or bool(workspace_file or workspace_faults) or workspace_delay is not None
    described = _describe_workspace(workspace_file) if workspace else None
    if described is not None and key_file is not None:
        raise ConfigError(
            "--keys and a workspace exclude each other", hint="its sources have the keys: --workspace-file"
        )
    if (token_faults or token_life_s) and public_key is None:
        option = "--token-fault" if token_faults else "--token-life"
        raise ConfigError(f"{option} needs --oauth", hint="--oauth public.pem requires OAuth")
    oauth_key = None
    if public_key is not None:
        from sprig_tui.segment.sink.token_server import read_public_key

        oauth_key = read_public_key(public_key)
    made = Sink(
        host=host,
        port=port,
        keys=_read_keys(key_file) if key_file else None,
        faults=rules,
        seed=seed,
        keep=0 if count else keep,
        count=count,
        on_request=seen,
        workspace=described.workspace if described is not None else None,
        workspace_faults=[*described.faults, *workspace_faults] if described is not None else (),
        workspace_delay_s=DEFAULT_DELAY_S if workspace_delay is None else workspace_delay,
        oauth_key=oauth_key,
        token_faults=parse_rules(token_faults),
        token_life_s=token_life_s,
    )
    return asyncio.run(_run_sink(made, described, tells_duplicates=bool(keep) or count))


async def _run_sink(server: Sink, described: DescribedWorkspace | None, *, tells_duplicates: bool) -> int:
    from sprig_tui.cli.shutdown import ShutdownSignals
    from sprig_tui.segment.sink import serve

    with ShutdownSignals() as interrupts:

        def ready(listening: Sink) -> None:
            diagnostics.info(f"listening on {listening.url}; GET /events and /stats show what came; Ctrl-C stops")
            if listening.token_server is not None:
                diagnostics.info(f"OAuth is required: tokens come from {listening.url}/token")
            if described is not None:
                _tell_workspace(listening.url, described)

        await serve(server, stop=interrupts.requested, on_ready=ready)
    stats = server.stats
    rejected = sum(stats.rejected.values())
    repeats = (
        f"{stats.duplicates:,} {'duplicate' if stats.duplicates == 1 else 'duplicates'}"
        if tells_duplicates
        else "duplicates not told apart (--count does)"
    )
    requests = "request" if stats.requests == 1 else "requests"
    events = "event" if stats.accepted == 1 else "events"
    diagnostics.info(
        f"{stats.requests:,} {requests}: {stats.accepted:,} {events} taken, {repeats}, {rejected:,} rejected"
    )
    return ExitCode.OK


def _describe_workspace(file: Path | None) -> DescribedWorkspace:
    from sprig_tui.segment.sink.workspace import DescribedWorkspace, Workspace, read_workspace

    return read_workspace(file) if file is not None else DescribedWorkspace(Workspace.example())


def _tell_workspace(url: str, described: DescribedWorkspace) -> None:
    """Tell the invented secrets whole, since they protect nothing; those of a file are masked."""
    import shlex
    from urllib.parse import urlsplit

    from sprig_tui.http.proxies import is_loopback
    from sprig_tui.segment.sink.workspace import Role
    from sprig_tui.text import mask, one_line

    host = urlsplit(url).hostname or ""
    if not is_loopback(host):
        diagnostics.warning(
            f"{host} is not this machine alone: others can read the Write Keys of this workspace",
            hint="--host 127.0.0.1 is this machine alone",
        )
    workspace = described.workspace

    def shown(secret: str) -> str:
        return mask(secret) if secret in described.given_secrets else secret

    token = next(iter(workspace.tokens))
    diagnostics.info(f"workspace {one_line(workspace.record['name'])}: its Public API has the same address")
    diagnostics.info(f"  token {shown(token)}")
    members = [one for one, role in workspace.tokens.items() if role is Role.MEMBER]
    if members:
        diagnostics.info(f"  token of a member, who sees no Write Keys: {' '.join(members)}")
    for source in workspace.sources:
        names = [one["name"] for one in workspace.destinations_of(source["id"])]
        connected = f", connected to {' and '.join(names)}" if names else ""
        keys = " ".join(map(shown, source["writeKeys"]))
        diagnostics.info("  " + one_line(f"source {source['name']}: Write Key {keys}{connected}"))
    for rule in described.faults:
        diagnostics.info("  " + one_line(f"fault {rule.text}"))
    space, space_token = workspace.space, workspace.space_token
    diagnostics.info(
        f'  Profile API, in [segment] of a config: profile_space = "{space}", profile_token = "{space_token}"'
    )
    given = f"echo {token} |" if token not in described.given_secrets else "echo TOKEN |"
    diagnostics.info("then, in a second terminal:")
    diagnostics.info("  export SPRIG_TUI_HOME=/tmp/try")
    diagnostics.info(f"  {given} sprig-tui keys workspace --region {url}")
    for name, source in zip(("production", "development"), workspace.sources, strict=False):
        typed = f"sprig-tui keys set {name} --source {shlex.quote(source['name'])} --endpoint {url}"
        diagnostics.info("  " + one_line(typed))


def _read_keys(file: Path) -> dict[str, str]:
    import msgspec

    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, str])
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}", hint="give a JSON file") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file} is no JSON object of keys and names", hint='such as {"the write key": "source name"}'
        ) from error


def _print_request(request: RequestRecord, *, as_json: bool) -> None:
    if as_json:
        output.write_json(request)
    else:
        from sprig_tui.cli.log_format import clock_time
        from sprig_tui.text import one_line

        style = "good" if 200 <= request.status < 300 else "bad"
        when = output.paint(clock_time(request.at)[11:], "dim")
        status = output.paint(one_line(f"{request.status or request.fault or '-':<4}"), style)
        parts = [
            request.path,
            f"{request.events} event{'' if request.events == 1 else 's'}  {request.body_bytes:,} bytes",
            f"duplicates {request.duplicates}" if request.duplicates else "",
            f"rejected {request.rejected}" if request.rejected else "",
            request.reason,
            f"retry {request.retry_count}" if request.retry_count else "",
            f"fault {request.fault}" if request.fault else "",
        ]
        output.write_line("  ".join([when, status, *(one_line(part) for part in parts if part)]))
    output.flush()
