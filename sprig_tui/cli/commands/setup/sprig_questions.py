"""Questions about the way from Sprig: a webhook, Sprig's REST API, or a file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from sprig_tui.cli import diagnostics, prompts
from sprig_tui.cli.commands.keys.secrets import (
    SPRIG_KEY_TEXTS,
    WEBHOOK_TOKEN_TEXTS,
    accept_secret,
    api_key_problems,
    generate_token,
    store_secret,
)
from sprig_tui.cli.commands.listen import DEFAULT_PORT
from sprig_tui.cli.commands.setup import dialogue
from sprig_tui.errors import ConfigError, SprigTuiError
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from sprig_tui.cli.commands.setup.observation import Observation
    from sprig_tui.config.settings import Settings

WEEK_WORDS = "7d"
MAX_PORT = 65_535


def ask_input(seen: Observation) -> str:
    """How answers come; returns the path of a file where one was chosen."""
    dialogue.say("How do answers come from Sprig?")
    picked = dialogue.choose(
        (
            "webhook: Sprig sends each answer as soon as it is given; the usual way",
            "Sprig's REST API: this program fetches answers, such as those of last week",
            "a file that was exported from Sprig: CSV, JSON or JSON Lines",
        ),
        seen.settings,
    )
    if picked == 0:
        ask_webhook(seen)
    elif picked == 1:
        ask_api_key(seen)
    elif picked == 2:
        return ask_file(seen.settings)
    return ""


# -- webhook ----------------------------------------------------------------------------------------------------------


def ask_webhook(seen: Observation) -> None:
    """Address and token to copy, the clicks in Sprig, and the first webhook as it arrives."""
    name, shown = seen.name, _webhook_token(seen)
    dialogue.say("In Sprig: Integrations > Webhooks, in the product and environment that this one is for. Copy:")
    dialogue.rows(
        [("address", f"https://YOUR.HOST/webhooks/{name}"), ("API secret", shown), ("event", "Answer submitted")]
    )
    dialogue.say(
        "YOUR.HOST is the name under which Sprig reaches this machine over https: that of a proxy or a tunnel of yours "
        f"which hands on to http://127.0.0.1:{DEFAULT_PORT}.",
    )
    journal = seen.facts.journal
    if journal is not None and any(worker.role == "listen" for worker in journal.workers):
        diagnostics.info("sprig-tui listen runs already, and receives.")
        _wait(seen, None)
        return
    dialogue.say("Who receives there?")
    picked = dialogue.choose(
        (
            "this program, here and now, until the first answer came: it stores, and sends nothing",
            "sprig-tui listen, in another terminal: start it there now; it also sends, if there is a Write Key",
        ),
        seen.settings,
        skip="enter to go on without waiting",
    )
    if picked == 0:
        _wait(seen, _ask_port(seen.settings))
    elif picked == 1:
        _wait(seen, None)


def _webhook_token(seen: Observation) -> str:
    """The token to show: a new one, which is stored, or words about the one that is there."""
    name, token = seen.name, seen.environment.webhook_token
    if token is not None:
        diagnostics.info(f"{name} has a webhook token, {token.masked()}, which is not shown again.")
        if not prompts.confirm("make a new one? webhooks that carry the old one are then rejected"):
            return f"the one that you have, {token.masked()}"
    made = generate_token()
    store_secret(seen.settings, WEBHOOK_TOKEN_TEXTS, name, made, keyring=False)
    return f"{made}  (shown this once)"


def _ask_port(settings: Settings) -> int:
    while True:
        answer = dialogue.ask(f"port, or enter for {DEFAULT_PORT}:", settings)
        if not answer:
            return DEFAULT_PORT
        if answer.isascii() and answer.isdigit() and int(answer) <= MAX_PORT:
            return int(answer)
        diagnostics.warning(f"{answer[:20]!r} is no port from 0 to {MAX_PORT:,}")


def _wait(seen: Observation, port: int | None) -> None:
    from sprig_tui.cli.commands.setup.observation import observe_settings
    from sprig_tui.cli.commands.setup.webhook_arrival import wait_for_answer

    settings = observe_settings()
    try:
        arrived = dialogue.run_until_enter(lambda: wait_for_answer(settings, seen.name, port=port))
    except ConfigError as error:
        diagnostics.warning(error.message, "if that is sprig-tui listen, choose to wait for it")
        return
    if not arrived:
        diagnostics.info("going on; sprig-tui setup looks again when it is started the next time")


def ask_environment_id(seen: Observation, learnt: str) -> None:
    """Offer to save Sprig's id of the environment, which a body carried."""
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_environment

    name = seen.name
    known = seen.environment.sprig_environment_id
    if not learnt or learnt == known:
        return
    diagnostics.info(
        f"What came from Sprig carries the environment id {one_line(learnt, limit=60)}. Saved, it keeps answers of "
        "another environment of Sprig's out of this one."
    )
    owner = next((one.name for one in seen.settings.environments.values() if one.sprig_environment_id == learnt), "")
    if owner:
        diagnostics.warning(
            f"that is the id of {owner}, by the config: these answers belong to {owner}, not to {name}",
            f"in Sprig the webhook may stand in the wrong environment; its address would end in /webhooks/{owner}",
        )
        return
    if known:
        diagnostics.warning(f"{name} has another id, {one_line(known, limit=60)}: which one is right is yours to know")
    if prompts.confirm(f"save {one_line(learnt, limit=40)} as the id of {name}?"):
        save_environment(find_paths(), name, {"sprig_environment_id": learnt})
        diagnostics.success(f"stored: sprig_environment_id of {name}, in {find_paths().config_file}")


# -- REST API ---------------------------------------------------------------------------------------------------------


def ask_api_key(seen: Observation) -> None:
    """The key of Sprig's API, tried before it is stored; then answers of a week, which are stored only."""
    name, settings = seen.name, seen.settings
    if seen.environment.sprig_api_key is None:
        dialogue.say(
            f"In Sprig: Integrations > Enrichment > Data Import API, in the environment that {name} stands for. "
            "The key is tried before it is stored."
        )

        def find_problems(key: str) -> list[str]:
            return asyncio.run(api_key_problems(settings, key))

        secret = None
        while secret is None:
            text = dialogue.paste("the key of Sprig's API")
            if not text.strip():
                return
            secret = accept_secret(settings, SPRIG_KEY_TEXTS, name, text, force=False, find_problems=find_problems)
        store_secret(settings, SPRIG_KEY_TEXTS, name, secret, keyring=False)
    dialogue.say("Which answers shall be fetched into the journal now? Nothing is sent by that.")
    picked = dialogue.choose(
        ("those of the last 7 days", "all that Sprig has; that may take a while"),
        seen.settings,
        skip="enter to fetch none",
    )
    if picked >= 0:
        _pull(name, WEEK_WORDS if picked == 0 else "")


def _pull(environment: str, since: str) -> None:
    """Fetch answers into the journal, and send nothing; `since` is an age, empty for all that is new."""
    from sprig_tui.cli.commands.pull import PullOptions, TimeArgument
    from sprig_tui.cli.commands.pull_run import PullRun
    from sprig_tui.cli.commands.setup.observation import observe_settings
    from sprig_tui.cli.run_options import RunOptions
    from sprig_tui.clock import SystemClock
    from sprig_tui.journal.moments import parse_moment

    start = TimeArgument(since, parse_moment(since, SystemClock().now())) if since else None
    request = PullOptions(since=start).to_request()
    pulling = PullRun(observe_settings(), RunOptions(), request, (environment,), None, deliver=False)
    try:
        asyncio.run(pulling.run_once(as_json=False))
    except SprigTuiError as error:
        diagnostics.warning(f"nothing more was fetched: {error.message}", error.hint)


# -- file -------------------------------------------------------------------------------------------------------------


def ask_file(settings: Settings) -> str:
    """The path of a file of answers that can be read; empty to skip."""
    from sprig_tui.sprig.reader import read_responses

    while True:
        answer = dialogue.ask("path of the file, or enter to skip:", settings)
        if not answer:
            return ""
        path = str(Path(answer.strip("'\"")).expanduser())
        try:
            read_responses([path])
        except SprigTuiError as error:
            diagnostics.warning(error.message, error.hint)
            continue
        return path
