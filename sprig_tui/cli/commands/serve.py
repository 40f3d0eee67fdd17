"""Command `serve`: the console in a browser."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.context import open_settings
from sprig_tui.cli.options import DURATION_TYPE, command
from sprig_tui.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    import socket

    from sprig_tui.browser.access import Access
    from sprig_tui.browser.session import Sessions
    from sprig_tui.config.settings import Settings
    from sprig_tui.server.tls import Certificate

DEFAULT_PORT = 8723
_TOKEN_HINT = "set SPRIG_TUI_SERVE_TOKEN, such as openssl rand -hex 32 makes one; or serve on 127.0.0.1 alone"  # noqa: S105
_TERMINAL = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TEXTUAL_COLOR_SYSTEM": "truecolor"}
"""What a browser's terminal can do, whatever the server was started on."""
_OF_OTHER_TERMINAL = ("TEXTUAL_DRIVER", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TMUX", "TMUX_PANE", "STY")


@command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="0: any that is free."
)
@click.option("--public-url", metavar="URL", help="Address that people type, where a proxy in front has another.")
@click.option("--certfile", type=click.Path(path_type=Path), metavar="FILE", help="Serve TLS with this certificate.")
@click.option("--keyfile", type=click.Path(path_type=Path), metavar="FILE", help="Its key, where it is not beside it.")
@click.option("--plain-http", is_flag=True, help="Let others reach it without TLS: token and answers can be read.")
@click.option("--read-only", is_flag=True, help="Nobody acts, also not with the token.")
@click.option("--no-engine", is_flag=True, help="The consoles do not deliver: others do.")
@click.option("--max-sessions", type=click.IntRange(1, 100), default=4, show_default=True, help="Consoles at once.")
@click.option(
    "--idle-timeout",
    type=DURATION_TYPE,
    default=1800.0,
    show_default="30m",
    metavar="DURATION",
    help="End a console in which nothing was typed for so long.",
)
@click.option("--print-unit", is_flag=True, help="Print a systemd unit for this command line, and do nothing else.")
def serve(  # noqa: PLR0913 - one parameter per option
    *,
    host: str,
    port: int,
    public_url: str | None,
    certfile: Path | None,
    keyfile: Path | None,
    plain_http: bool,
    read_only: bool,
    no_engine: bool,
    max_sessions: int,
    idle_timeout: float,
    print_unit: bool,
) -> int:
    """Open the console in a browser, until stopped. It needs the extra `serve`.

    Without a token it is read-only, for the browsers of this machine alone. With one, in SPRIG_TUI_SERVE_TOKEN or in
    the table [serve] of the config, a browser has to show it once, and its user may act as at a terminal.

    Each browser window has a console of its own, which ends with it. Files, editor and keys of this machine are out of
    its reach. Ctrl-C or SIGTERM ends them all.
    """
    if keyfile and not certfile:
        raise click.UsageError("--keyfile needs --certfile")
    if idle_timeout <= 0:
        raise click.UsageError("--idle-timeout is 0; give a long one, such as 12h, in its place")
    if print_unit:
        from sprig_tui.cli.systemd import SERVE_SERVICE, unit_text

        files = [file for file in (certfile, keyfile) if file is not None]
        output.write_line(unit_text(SERVE_SERVICE, files=files, port=port).rstrip())
        return ExitCode.OK
    from sprig_tui.browser import assets
    from sprig_tui.browser.access import Access, origin_of
    from sprig_tui.browser.session import SessionLimits, Sessions
    from sprig_tui.cli.commands.listen import warn_key_mode
    from sprig_tui.server.server import bind, is_bound_to_loopback
    from sprig_tui.server.tls import Certificate

    assets.check_installed()
    if public_url and not origin_of(public_url):
        raise click.UsageError("--public-url is no address such as https://sprig.example.com")
    settings = open_settings()
    token = read_token(settings)
    certificate = Certificate(certfile, keyfile) if certfile else None
    if certificate is not None:
        warn_key_mode(keyfile or certfile)
    bound = bind(host, port)
    with bound:
        loopback = is_bound_to_loopback(bound)
        _check_exposure(
            token,
            loopback=loopback,
            public_url=public_url or "",
            secure=certificate is not None or plain_http,
        )
        access = Access(
            token, secure=certificate is not None, loopback=loopback, host=host, public_url=public_url or ""
        )
        acts = bool(token) and not read_only
        options = [*(["--acts"] if acts else []), *(["--no-engine"] if no_engine else [])]
        command_line = (sys.executable, "-m", "sprig_tui.cli.browser_session", *options)
        limits = SessionLimits(sessions=max_sessions, idle_seconds=idle_timeout)
        sessions = Sessions(command_line, session_environ(settings), limits)
        if not token:
            diagnostics.warning(
                "no token is set: every user and every program on this machine may look, and nobody may act",
                "SPRIG_TUI_SERVE_TOKEN sets one; sprig-tui help security has more",
            )
        return asyncio.run(_serve(bound, access, sessions, certificate, acts=acts, public_url=public_url or ""))


def session_environ(settings: Settings) -> dict[str, str]:
    """Variables of a console's process: those of this one without the token, and with a browser's terminal."""
    from sprig_tui.config.secrets import SERVE_TOKEN

    named = settings.document.tables.get("serve", {}).get("token_env")
    hidden = {SERVE_TOKEN.variable_name(""), named, *_OF_OTHER_TERMINAL}
    return {**{name: value for name, value in os.environ.items() if name not in hidden}, **_TERMINAL}


def read_token(settings: Settings) -> str:
    """The token; empty where none is named. Raises ConfigError for one that cannot be used."""
    from sprig_tui.config.secret_reader import read_reference
    from sprig_tui.config.secrets import SERVE_TOKEN, lint_read_secret

    found = settings.serve_token
    if found is None:
        return ""
    text, problem = found.reveal() if found.is_read else "", settings.secret_problem(SERVE_TOKEN)
    if not found.is_read and found.reference is not None:
        read = read_reference(found.reference, os.environ, terminal=sys.stderr.isatty())
        text, notes = lint_read_secret(SERVE_TOKEN, "", read, found.reference.label)
        problem = notes[0] if notes and not text else None
    if not text:
        raise ConfigError(problem.text if problem else "the token cannot be used", hint=_TOKEN_HINT)
    return text


def _check_exposure(token: str, *, loopback: bool, public_url: str, secure: bool) -> None:
    """Raise ConfigError where strangers could come in, or read along."""
    from urllib.parse import urlsplit

    from sprig_tui.http.proxies import is_loopback

    published = bool(public_url) and not is_loopback(urlsplit(public_url).hostname or "")
    if loopback and not published:
        return
    if not token:
        raise ConfigError("no token is set, and this console is reached from elsewhere", hint=_TOKEN_HINT)
    if not secure and not public_url.startswith("https:"):
        raise ConfigError(
            "without TLS everybody on the way can read the token and the answers",
            hint="give --certfile, or --public-url https://... of a proxy with TLS; --plain-http serves without TLS",
        )


async def _serve(
    bound: socket.socket,
    access: Access,
    sessions: Sessions,
    certificate: Certificate | None,
    *,
    acts: bool,
    public_url: str,
) -> int:
    from sprig_tui.browser.app import BROWSER_LIMITS, BrowserConsole
    from sprig_tui.cli.commands.listen import reload_certificate
    from sprig_tui.cli.shutdown import STOP_DEADLINE_S, ShutdownRequested, ShutdownSignals
    from sprig_tui.server.server import running_server

    console = BrowserConsole(access, sessions)
    tls = certificate.context if certificate is not None else None
    with ShutdownSignals(reload_on_hangup=True, deadline_s=STOP_DEADLINE_S) as signals:
        async with running_server(console, bound, BROWSER_LIMITS, tls, traffic=console.traffic) as server:
            rights = "who has the token may act" if acts else "read-only"
            diagnostics.info(f"the console is at {public_url or server.url}, {rights}; Ctrl-C stops")
            renewing = (
                asyncio.create_task(reload_certificate(certificate, signals.hangup_event())) if certificate else None
            )
            with suppress(ShutdownRequested):
                await signals.guard(server.wait_closed())
            if renewing is not None:
                renewing.cancel()
            with suppress(ShutdownRequested):
                await signals.complete(sessions.stop())
            await server.shut_down()
            diagnostics.info("stopped")
    return ExitCode.OK if signals.requested.is_set() else ExitCode.USAGE
