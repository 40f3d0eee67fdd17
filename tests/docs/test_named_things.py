"""What README and topics name exists: metrics, exit codes, reasons, commands and options."""

from __future__ import annotations

import re
from typing import Any

import click
from prometheus_client import CollectorRegistry
from support.pages_of_documentation import PAGES

from sprig_tui.cli.program import COMMANDS, program
from sprig_tui.clock import SystemClock
from sprig_tui.delivery.metrics import DeliveryMetrics
from sprig_tui.errors import ExitCode
from sprig_tui.reasons import Reason
from sprig_tui.reconcile.metrics import ReconcileMetrics
from sprig_tui.server.rejections import TrafficMetrics
from sprig_tui.webhooks.metrics import WebhookMetrics

FOREIGN_OPTIONS = {"--supervised"}
"""Options of other programs, and those that no help shows."""


def _metric_names() -> set[str]:
    journal: Any = None
    registry: CollectorRegistry = DeliveryMetrics(journal).registry
    WebhookMetrics(registry)
    TrafficMetrics(registry)
    ReconcileMetrics(registry, SystemClock())
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in registry.collect()}


def _options(command: click.Command, context: click.Context) -> set[str]:
    found = {name for param in command.get_params(context) for name in (*param.opts, *param.secondary_opts)}
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            found |= _options(inner, click.Context(inner, info_name=name, parent=context))
    return found


def test_operating_lists_every_metric_and_no_other() -> None:
    named = set(re.findall(r"\bsprig_tui_[a-z_]+\b", PAGES["operating"].partition("## Metrics")[2]))
    # the supervisor of `run --workers` has one more
    assert named == _metric_names() | {"sprig_tui_worker_restarts_total"}


def test_exit_codes_are_those_of_the_program() -> None:
    for page in ("README", "scripts"):
        rows = re.findall(r"^\| (\d+) \|", PAGES[page], re.MULTILINE)
        assert [int(code) for code in rows] == sorted(ExitCode), page


def test_mapping_lists_every_reason() -> None:
    section = PAGES["mapping"].partition("## Why an answer is withheld")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE) == [reason.value for reason in Reason]


def test_commands_and_options_exist() -> None:
    options = _options(program, click.Context(program, info_name="sprig-tui")) | {"--help", "-h"} | FOREIGN_OPTIONS
    for page, text in PAGES.items():
        prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
        for code in re.findall(r"`([^`\n]+)`", prose):
            for word in re.findall(r"(?:^|\s)(--[a-z][a-z-]+)", code):
                assert word in options or not code.startswith(("sprig-tui", "--")), f"{page}: {code}"
            if command := re.match(r"sprig-tui ([a-z]+)(?= |$)", code):
                assert command[1] in COMMANDS, f"{page}: {code}"
