"""Command `listen`: receives webhooks, and delivers."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.context import open_settings, read_secrets
from sprig_tui.cli.options import DURATION_TYPE, command
from sprig_tui.cli.run_options import (
    RunOptions,
    hold_at_start,
    hold_option,
    report_elsewhere,
    standing_terms_options,
)
from sprig_tui.config.secrets import HMAC_KEY, PUBLIC_API_TOKEN, WEBHOOK_TOKEN, WRITE_KEY
from sprig_tui.errors import ConfigError, ExitCode
from sprig_tui.text import printable

if TYPE_CHECKING:
    import socket

    from sprig_tui.cli.session import DeliverySession
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.delivery.metrics import DeliveryMetrics
    from sprig_tui.journal.base import Journal
    from sprig_tui.reconcile.periodic import PeriodicComparison
    from sprig_tui.server.server import RunningServer
    from sprig_tui.server.tls import Certificate
    from sprig_tui.webhooks.app import WebhookReceiver
    from sprig_tui.webhooks.body import WebhookLimits
    from sprig_tui.webhooks.capture import RequestCapture

DEFAULT_PORT = 8722
STOP_TIMEOUT_S = 6.0
"""Seconds for requests in flight at a stop: Docker kills after 10 s. Aborted requests are queued again."""
CERTIFICATE_CHECK_INTERVAL_S = 2.0
"""Seconds between two checks of the certificate's files."""


@command("listen")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="0: any that is free."
)
@click.option("--certfile", type=click.Path(path_type=Path), metavar="FILE", help="Serve TLS with this certificate.")
@click.option("--keyfile", type=click.Path(path_type=Path), metavar="FILE", help="Its key, where it is not beside it.")
@click.option("--no-engine", is_flag=True, help="Only receive; others deliver.")
@click.option("--max-body", type=click.IntRange(1_000, 10_000_000), metavar="BYTES", help="Longest body (1,000,000).")
@click.option("--max-connections", type=click.IntRange(1, 20_000), metavar="N", help="At once (500).")
@click.option(
    "--idle-timeout",
    type=DURATION_TYPE,
    metavar="DURATION",
    help="Close connections that bring nothing for so long (75s); longer than a proxy in front keeps them.",
)
@click.option("--capture", type=click.Path(path_type=Path), metavar="FOLDER", help="Keep raw requests, without tokens.")
@click.option(
    "--status-every", type=DURATION_TYPE, default=30.0, show_default="30s", help="A status line so often; 0: never."
)
@click.option("--print-unit", is_flag=True, help="Print a systemd unit for this command line, and do nothing else.")
@click.option("-v", "--verbose", is_flag=True, help="Also what lanes and replays do.")
@hold_option
@standing_terms_options
def listen(  # noqa: PLR0913 - one parameter per option
    *,
    terms: RunOptions,
    host: str,
    port: int,
    certfile: Path | None,
    keyfile: Path | None,
    no_engine: bool,
    hold: bool,
    max_body: int | None,
    max_connections: int | None,
    idle_timeout: float | None,
    capture: Path | None,
    status_every: float,
    print_unit: bool,
    verbose: bool,
) -> int:
    """Receive Sprig's webhooks, and deliver, until stopped.

    Webhooks go to /webhooks/ENVIRONMENT, or to /webhooks, where the environment id in the body tells whose they are.
    They carry the environment's token (sprig-tui keys token ENV), which is asked for unless the address is loopback.
    A webhook is answered 200 when the journal has it, safe from a power cut; 503 when it cannot be stored.

    With --hold it begins with the queues of all environments that have a Write Key held, as by sprig-tui hold: webhooks
    are accepted, and nothing is sent until sprig-tui resume ENV. Each start with the option holds again.

    Monitors ask /healthz, /readyz and /metrics. SIGTERM or Ctrl-C: what was accepted is finished first; a second one
    stops at once. A changed config is taken up while it runs.
    """
    if keyfile and not certfile:
        raise click.UsageError("--keyfile needs --certfile")
    if print_unit:
        from sprig_tui.cli.systemd import LISTEN_SERVICE, unit_text

        files = [file for file in (certfile, keyfile, capture) if file is not None]
        output.write_line(unit_text(LISTEN_SERVICE, files=files, writes=capture, port=port).rstrip())
        return ExitCode.OK
    import msgspec

    from sprig_tui.config.checks import check_file_mode
    from sprig_tui.server.server import bind, is_bound_to_loopback, raise_open_files_limit
    from sprig_tui.server.tls import Certificate
    from sprig_tui.webhooks.body import WebhookLimits

    settings = open_settings()
    asks_segment = not no_engine or settings.reconcile_every_s
    settings = read_secrets(settings, WEBHOOK_TOKEN, HMAC_KEY, *((WRITE_KEY, PUBLIC_API_TOKEN) if asks_segment else ()))
    given = {"body_bytes": max_body, "connections": max_connections, "idle_seconds": idle_timeout or None}
    limits = msgspec.structs.replace(
        WebhookLimits(), **{name: value for name, value in given.items() if value is not None}
    )
    raise_open_files_limit(limits.connections)
    certificate = Certificate(certfile, keyfile) if certfile else None
    if certificate is not None:
        warn_key_mode(keyfile or certfile)
    bound = bind(host, port)
    with bound:
        _report_tokens(settings, allow_anonymous=is_bound_to_loopback(bound))
        for finding in check_file_mode(settings):
            diagnostics.warning(finding.message, finding.hint)
        listener = _ListenRun(settings, terms, limits, bound, certificate, capture, hold=hold)
        return asyncio.run(listener.run(status_every, deliver=not no_engine, verbose=verbose))


def _report_tokens(settings: Settings, *, allow_anonymous: bool) -> None:
    """Report environments without a token; raises ConfigError where no sender could be accepted."""
    without = [name for name, found in settings.environments.items() if found.webhook_token is None]
    if allow_anonymous:
        if without:
            diagnostics.warning(
                f"webhooks for {', '.join(without)} need no token: every program on this machine may send",
                f"a proxy in front needs one to hand on what it gets; sprig-tui keys token {without[0]} --generate",
            )
    elif len(without) == len(settings.environments):
        raise ConfigError(
            "no environment has a webhook token, and this address is reached from elsewhere",
            hint="sprig-tui keys token production --generate makes one; or listen on 127.0.0.1",
        )
    elif without:
        diagnostics.warning(
            f"webhooks for {', '.join(without)} are refused: no token is set",
            f"sprig-tui keys token {without[0]} --generate makes one",
        )
    if not allow_anonymous:
        _warn_short_tokens(settings)


def _warn_short_tokens(settings: Settings) -> None:
    from sprig_tui.config.secret_lint import MIN_WEBHOOK_TOKEN_CHARS

    short = [
        name
        for name, found in settings.environments.items()
        if found.webhook_token is not None and 0 < len(found.webhook_token.reveal()) < MIN_WEBHOOK_TOKEN_CHARS
    ]
    if short:
        diagnostics.warning(
            f"the webhook token of {', '.join(short)} is short enough to be guessed, and strangers reach this address",
            f"sprig-tui keys token {short[0]} --generate makes one that is not",
        )


def warn_key_mode(file: Path | None) -> None:
    """Warn of a private key that other users can read."""
    import os
    import stat

    if file is not None and os.name == "posix" and file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        diagnostics.warning(
            f"others on this machine can read the private key in {printable(str(file))}",
            "chmod 600 makes it its owner's alone",
        )


class _ListenRun:
    """One run of the command."""

    def __init__(
        self,
        settings: Settings,
        options: RunOptions,
        limits: WebhookLimits,
        bound: socket.socket,
        certificate: Certificate | None,
        capture: Path | None,
        *,
        hold: bool,
    ) -> None:
        self._settings = settings
        self._hold = hold
        self._options = options
        self._limits = limits
        self._bound = bound
        self._certificate = certificate
        self._tls = certificate.context if certificate is not None else None
        self._capture = capture

    async def run(self, status_every: float, *, deliver: bool, verbose: bool) -> int:
        """Returns the exit code."""
        from sprig_tui.cli.background_comparison import background_comparison
        from sprig_tui.cli.commands.run import lost_journal_code
        from sprig_tui.cli.session import service_session
        from sprig_tui.config.paths import find_paths
        from sprig_tui.delivery.metrics import DeliveryMetrics
        from sprig_tui.server.server import is_bound_to_loopback, running_server
        from sprig_tui.webhooks.app import WebhookReceiver
        from sprig_tui.webhooks.capture import RequestCapture
        from sprig_tui.webhooks.capture_folders import remember_capture_folder

        level = logging.INFO if verbose else logging.WARNING
        async with service_session(self._settings, self._options, log_level=level) as session:
            journal, stack = session.journal, session.stack
            if self._capture:
                remember_capture_folder(find_paths().state_dir, self._capture)
            capture = (
                stack.enter_context(RequestCapture(self._capture, self._settings.rules.store_raw))
                if self._capture
                else None
            )
            metrics = DeliveryMetrics(journal)
            receiver = WebhookReceiver(
                journal,
                self._settings.rules,
                self._options.environments(self._settings),
                self._limits,
                allow_anonymous=is_bound_to_loopback(self._bound),
                metrics=metrics,
                on_queued=session.wake_engine,
                on_request=capture.save if capture else None,
            )
            server = await stack.enter_async_context(
                running_server(receiver.application, self._bound, self._limits, self._tls, traffic=receiver.traffic)
            )
            if not session.is_open:
                diagnostics.info(
                    f"listening on {server.url}, and answering 503 until the journal is there; Ctrl-C stops"
                )
            await session.run(self._start_engine(session, metrics, deliver=deliver))
            if not session.stopped:
                _report_start(server, session.engine)
                comparison = background_comparison(self._settings, journal, metrics.registry)
                running = self._run_until_stopped(session, server, receiver, comparison, capture, status_every)
                await session.run(running)
            if not session.stopped:
                raise ConfigError("it does not listen any more", hint="start it again; what was accepted is stored")
            receiver.set_stopping()
            await session.signals.drain(_shut_down(server, session.engine))
            if not session.is_open:
                diagnostics.info("stopped; the journal could not be opened until now")
                return ExitCode.OK
            diagnostics.info(f"stopped; {await _status_text(receiver, session.engine, journal)}")
            lost = await lost_journal_code(journal)
        return session.service_exit_code or lost

    async def _start_engine(self, session: DeliverySession, metrics: DeliveryMetrics, *, deliver: bool) -> None:
        """Start the engine, or without it the heartbeat, when the journal is open."""
        from sprig_tui.delivery.heartbeat import Heartbeat

        await session.opened()
        if self._hold:
            await hold_at_start(session.journal, self._settings)
        if not deliver:
            await session.stack.enter_async_context(Heartbeat(session.journal, "listen"))
            return
        engine = await session.start_engine("listen", on_result=metrics.record)
        report_elsewhere(engine.override_urls())

    async def _run_until_stopped(
        self,
        session: DeliverySession,
        server: RunningServer,
        receiver: WebhookReceiver,
        comparison: PeriodicComparison,
        capture: RequestCapture | None,
        status_every: float,
    ) -> None:
        def on_reload(settings: Settings) -> None:
            if capture is not None:
                capture.store_raw = settings.rules.store_raw
            receiver.reconfigure(settings.rules, self._options.environments(settings))
            comparison.reconfigure(settings)

        others = [
            asyncio.create_task(session.reload_on_change(on_reload, receiver.set_config_problem)),
            asyncio.create_task(comparison.run()),
        ]
        if self._certificate is not None:
            others.append(asyncio.create_task(reload_certificate(self._certificate, session.signals.hangup_event())))
        if status_every:
            others.append(asyncio.create_task(_report_status(receiver, session.engine, session.journal, status_every)))
        try:
            await server.wait_closed()
        finally:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)


def _report_start(server: RunningServer, engine: Engine | None) -> None:
    served = sorted(engine.served_environments()) if engine is not None else []
    if engine is not None and not served:
        diagnostics.warning(
            "no environment has a write key: what comes stays queued", "set one with sprig-tui keys set production"
        )
    delivers = f"delivering for {', '.join(served)}" if served else "delivering nothing"
    diagnostics.info(f"listening on {server.url}, {delivers}; webhooks go to /webhooks/ENVIRONMENT; Ctrl-C stops")


async def _shut_down(server: RunningServer, engine: Engine | None) -> bool:
    """Answer accepted requests, and let requests to Segment finish."""
    if engine is None:
        await server.shut_down()
        return True
    _, drained = await asyncio.gather(server.shut_down(), engine.drain(STOP_TIMEOUT_S))
    return drained


async def reload_certificate(certificate: Certificate, hangup: asyncio.Event) -> None:
    """Load a renewed certificate, at SIGHUP or when its files change."""
    from sprig_tui.cli.reload import wait_for_request

    while True:
        await wait_for_request(hangup, CERTIFICATE_CHECK_INTERVAL_S)
        try:
            if await asyncio.to_thread(certificate.reload_if_changed):
                diagnostics.info("the certificate was renewed, and is taken up")
        except ConfigError as error:
            diagnostics.warning(f"going on with the certificate as it was: {error.message}", error.hint)


async def _report_status(receiver: WebhookReceiver, engine: Engine | None, journal: Journal, interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        diagnostics.info(await _status_text(receiver, engine, journal))


async def _status_text(receiver: WebhookReceiver, engine: Engine | None, journal: Journal) -> str:
    """One line: webhooks received, and the engine's status."""
    from sprig_tui.cli.commands.run import queued_text, status_text

    came = f"webhooks {receiver.metrics.requests:,}  rejected {receiver.metrics.rejected:,}"
    if engine is None:
        return f"{came}  queued {await queued_text(journal)}"
    return f"{came}  {await status_text(engine, journal)}"
