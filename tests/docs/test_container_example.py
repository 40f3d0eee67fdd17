"""Container: the commands and secrets of the image and of the composition are those of the program."""

from __future__ import annotations

import json
import re

import click
from support.pages_of_documentation import ROOT, blocks

from sprig_tui.cli.program import program
from sprig_tui.config.journal_location import JOURNAL_URL_VARIABLE
from sprig_tui.config.secrets import WEBHOOK_TOKEN, WRITE_KEY

IMAGE = (ROOT / ".github" / "Containerfile").read_text(encoding="utf-8")
COMPOSITION = next(text for text in blocks("operating", "yaml") if "services:" in text)


def _assert_parses(argv: list[str]) -> None:
    command: click.Command = program
    context = click.Context(program, info_name="sprig-tui")
    while isinstance(command, click.Group):
        inner = command.get_command(context, argv[0])
        assert inner is not None, argv
        command, argv = inner, argv[1:]
    command.make_context("sprig-tui", argv, parent=context)


def test_the_commands_are_understood() -> None:
    shown = re.findall(r"^ +command: \[(.*)\]$", COMPOSITION, re.MULTILINE)
    assert len(shown) == 3
    for line in shown:
        _assert_parses([word.strip(' "') for word in line.split(",")])
    of_image = re.search(r"^CMD (.*)$", IMAGE, re.MULTILINE)
    assert of_image is not None
    _assert_parses(json.loads(of_image[1]))


def test_the_secrets_have_the_names_of_variables() -> None:
    named = set(re.findall(r"\bSPRIG_TUI_[A-Z_]+\b", COMPOSITION))
    assert named == {
        JOURNAL_URL_VARIABLE,
        WRITE_KEY.variable_name("production"),
        WEBHOOK_TOKEN.variable_name("production"),
    }


def test_the_image_runs_without_root_and_asks_readiness() -> None:
    assert re.findall(r"^USER (.*)$", IMAGE, re.MULTILINE) == ["10001:10001"]
    assert "HEALTH_URL=http://127.0.0.1:8722/readyz" in IMAGE
    assert re.search(r"^HEALTHCHECK .*\n.*HEALTH_URL", IMAGE, re.MULTILINE)
