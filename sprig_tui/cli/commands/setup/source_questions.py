"""Questions about the source: the workspace's token, a source that is chosen or made, or a pasted Write Key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sprig_tui.cli import diagnostics, prompts
from sprig_tui.cli.commands.keys.secrets import (
    PUBLIC_API_TOKEN_TEXTS,
    WRITE_KEY_TEXTS,
    accept_secret,
    report_stored,
)
from sprig_tui.cli.commands.keys.source import KeyChoice, key_of_source, pasted_key_warnings
from sprig_tui.cli.commands.keys.storage import save_secret
from sprig_tui.cli.commands.setup import dialogue
from sprig_tui.cli.context import open_settings
from sprig_tui.cli.secret_trials import report_trial, try_token
from sprig_tui.cli.workspace import list_sources, public_api
from sprig_tui.config.secrets import PUBLIC_API_TOKEN, WRITE_KEY
from sprig_tui.errors import ConfigError, SegmentApiError
from sprig_tui.segment.public_api_models import Source, find_source, state_text
from sprig_tui.segment.source_checks import source_mismatches
from sprig_tui.setup.guides import guide_lines
from sprig_tui.setup.model import ActionKind
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.config.toml_edit import TomlValue
    from sprig_tui.segment.public_api import PublicApiClient
    from sprig_tui.setup.secret_trial import SecretTrial
    from sprig_tui.setup.source_creation import CreatedSource, Done, NewSource

MAX_LISTED_SOURCES = 12
"""Sources listed; any other can be named. More would leave no room for the question on a small terminal."""
CREATE_WORD, PASTE_WORD = "new", "paste"
PROBLEM_TEXTS = {
    "not-named": "the source has no name yet",
    "not-labelled": "the source has no label yet",
    "no-key": "the source's key is not known yet",
}
"""By the value of a CreationFault."""


def ask_region(settings: Settings, environment: str) -> None:
    """Where the workspace is, before a first key or token is sent anywhere."""
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_environment
    from sprig_tui.config.urls import parse_endpoint

    now = settings.environment(environment).endpoint
    # a workspace that is known has its region, which another environment of it shares
    usual = settings.workspace.region if settings.workspace.token is not None else now
    dialogue.say(
        "In which region is your Segment workspace? It is us unless it was made for the EU. With the wrong one Segment "
        "answers 200, and nothing arrives."
    )
    while True:
        answer = dialogue.ask(f"us, eu or an address, or enter for {usual}:", settings) or usual
        try:
            endpoint, note = parse_endpoint(answer, "")
        except ConfigError as error:
            diagnostics.warning(error.message, error.hint)
            continue
        if note:
            diagnostics.info(note)
        if endpoint != now:
            save_environment(find_paths(), environment, {"endpoint": endpoint})
            diagnostics.success(f"stored: {environment} sends to {endpoint}, in {find_paths().config_file}")
        return


def has_endpoint(settings: Settings, environment: str) -> bool:
    """Whether the config says where the environment sends."""
    table = settings.document.tables.get("environments", {}).get(environment, {})
    return isinstance(table, dict) and "endpoint" in table


def ask_token(settings: Settings, environment: str) -> None:
    """The token of Segment's Public API, or none."""
    from msgspec.structs import replace

    from sprig_tui.config.environment import PublicApiToken
    from sprig_tui.config.paths import find_paths

    dialogue.say(
        "With a token of Segment's Public API this program lists your sources, makes one for you if you want, and sees "
        "whether Segment counted your answer.",
    )
    for line in guide_lines(ActionKind.STORE_TOKEN, environment):
        diagnostics.info(f"  {line}")
    region = _region(settings, environment)

    trials: list[SecretTrial] = []

    def find_problems(secret: str) -> list[str]:
        tried = replace(settings.workspace, token=PublicApiToken(secret), region=region)
        trials.append(asyncio.run(try_token(tried)))
        return report_trial(trials[-1])

    while True:
        text = dialogue.paste("the token")
        if not text.strip():
            diagnostics.info("going without a token; sprig-tui keys workspace stores one later")
            return
        secret = accept_secret(settings, PUBLIC_API_TOKEN_TEXTS, "", text, force=False, find_problems=find_problems)
        if secret is not None:
            break
    found = trials[-1].region if trials and trials[-1].region else region
    others: dict[str, TomlValue | None] = {"region": found} if found != settings.workspace.region else {}
    place = save_secret(settings, PUBLIC_API_TOKEN, "", secret, keyring=False, others=others)
    report_stored(PUBLIC_API_TOKEN_TEXTS, "", place, open_settings(quiet=True).workspace.token)
    if find_paths().config_file.exists():
        diagnostics.info("its mode is 0600: only you can read it")


def _region(settings: Settings, environment: str) -> str:
    """The region of the Public API that belongs to where the environment sends; the stored one where it has none."""
    from sprig_tui.config.urls import parse_region

    try:
        return parse_region(settings.environment(environment).endpoint, "")
    except ConfigError:
        return settings.workspace.region


def ask_key(settings: Settings, environment: str) -> None:
    """The Write Key: of a source that is chosen or made, or pasted; linted, and its owner said, before it is stored."""
    while True:
        sources = _sources(settings) if settings.workspace.token is not None else ()
        chosen = _choose(sources, settings, environment)
        if chosen is None:
            return
        secret = accept_secret(
            settings,
            WRITE_KEY_TEXTS,
            environment,
            chosen.text,
            force=False,
            find_problems=lambda _, warnings=chosen.warnings: warnings,  # type: ignore[misc]  # bound now
        )
        if secret is not None:
            place = save_secret(settings, WRITE_KEY, environment, secret, keyring=False)
            found = open_settings(quiet=True).environments[environment]
            report_stored(WRITE_KEY_TEXTS, environment, place, found.write_key)
            return
        diagnostics.info("nothing was stored")


def _sources(settings: Settings) -> tuple[Source, ...] | None:
    """The workspace's sources; None where they cannot be listed, which is said."""
    try:
        return list_sources(settings)
    except (SegmentApiError, ConfigError) as error:
        diagnostics.warning(f"the workspace's sources cannot be listed: {error.message}", error.hint)
        return None


def _choose(sources: tuple[Source, ...] | None, settings: Settings, environment: str) -> KeyChoice | None:
    """A key and the warnings about it; None to skip."""
    if sources is None or settings.workspace.token is None:
        return _paste(sources or (), settings, environment)
    listed = _list_sources(sources, settings, environment)
    diagnostics.info(
        f"Type the number or the name of the source for {environment}; or {CREATE_WORD} to make one in Segment, which "
        f"is shown before it is made; or {PASTE_WORD} to paste a key."
    )
    while True:
        answer = dialogue.ask(f"number, name, {CREATE_WORD} or {PASTE_WORD}, or enter to skip:", settings)
        if not answer:
            return None
        if answer.lower() == PASTE_WORD:
            return _paste(sources, settings, environment)
        if answer.lower() == CREATE_WORD:
            made = _create(settings, environment)
            return _choose(_sources(settings), settings, environment) if made is None else made
        if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(listed):
            return _key_of(listed[int(answer) - 1], sources, settings, environment)
        match = find_source(answer, sources)
        if match.source is not None:
            return _key_of(match.source, sources, settings, environment)
        diagnostics.warning(match.fault, match.hint)


def _list_sources(sources: Sequence[Source], settings: Settings, environment: str) -> Sequence[Source]:
    """Print the sources, those that fit first; returns the printed ones in their order."""
    doubts = {source.id: source_mismatches(source, environment, settings.environments) for source in sources}
    listed = sorted(sources, key=lambda source: (bool(doubts[source.id]), source.kind != "HTTP API"))
    if not listed:
        diagnostics.info("The workspace has no source yet.")
        return ()
    diagnostics.info(f"The workspace has {len(listed):,} source{'' if len(listed) == 1 else 's'}:")
    lines: list[tuple[str, str]] = []
    for number, source in enumerate(listed[:MAX_LISTED_SOURCES], 1):
        about = ", ".join(filter(None, (source.kind, *source.labels, state_text(source.enabled))))
        hidden = "" if source.write_keys else ", key not visible"
        lines.append((str(number), f"{one_line(source.name, limit=40)} ({one_line(about, limit=60)}{hidden})"))
        if doubts[source.id]:
            lines.append(("", f"! {'; '.join(doubts[source.id])}"))
    dialogue.rows(lines)
    if len(listed) > MAX_LISTED_SOURCES:
        diagnostics.info(f"  and {len(listed) - MAX_LISTED_SOURCES:,} more, which can be named")
    return listed[:MAX_LISTED_SOURCES]


def _key_of(source: Source, sources: Sequence[Source], settings: Settings, environment: str) -> KeyChoice | None:
    try:
        return key_of_source(source, settings, environment)
    except ConfigError as error:
        diagnostics.warning(error.message, error.hint)
        return _paste(sources, settings, environment)


def _paste(sources: Sequence[Source], settings: Settings, environment: str) -> KeyChoice | None:
    dialogue.say("The Write Key of a source stands in Segment. Five clicks, if there is no source yet:")
    for number, line in enumerate(guide_lines(ActionKind.PASTE_KEY, environment), 1):
        diagnostics.info(f"  {number}. {line}")
    text = dialogue.paste(f"the Write Key of {environment}")
    if not text.strip():
        return None
    if settings.workspace.token is None:
        diagnostics.info("whose key it is cannot be known without a token of Segment's Public API")
    return KeyChoice(text, pasted_key_warnings(text, sources, settings, environment))


# -- a new source -----------------------------------------------------------------------------------------------------


def _create(settings: Settings, environment: str) -> KeyChoice | None:
    """The key of a source that was made after a question; None where none was made."""
    from sprig_tui.setup.source_creation import CreationFault, SourceCreationError, ask_proposal, with_slug

    async def propose() -> NewSource:
        async with public_api(settings.workspace) as api:
            return await ask_proposal(api, environment)

    try:
        new = asyncio.run(propose())
        while True:
            if not _confirm(new):
                diagnostics.info("nothing was made")
                return None
            try:
                return _use(_make(settings, new), settings, environment)
            except SourceCreationError as error:
                if error.fault is not CreationFault.SLUG_TAKEN:
                    raise
                diagnostics.warning(error.message, error.hint)
                taken = error.source
            if taken is not None and prompts.confirm(f"use that source for {environment}?"):
                return _key_of(taken, (taken,), settings, environment)
            slug = dialogue.ask("another slug, or enter to go back:", settings)
            if not slug:
                return None
            new = with_slug(new, slug)
    except SegmentApiError as error:
        diagnostics.warning(error.message, error.hint)
        return None


def _confirm(new: NewSource) -> bool:
    from sprig_tui.setup.source_creation import planned_parts

    diagnostics.info("This will be made in Segment, and nothing else is changed there:")
    dialogue.rows([(part.title, part.text) for part in planned_parts(new)])
    return prompts.confirm("make this source?")


def _make(settings: Settings, new: NewSource) -> CreatedSource:
    """The source; raises SourceCreationError and other SegmentApiErrors."""
    from sprig_tui.setup.source_creation import CreationFault, continue_creation, create_source

    made = _run_to_end(settings, new, lambda api: create_source(api, new, on_done=_report_done))
    while made.problems:
        for problem in made.problems:
            what = PROBLEM_TEXTS.get(problem.fault, "a part is missing")
            diagnostics.warning(f"{what}: {problem.detail}", problem.hint)
        if all(problem.fault is CreationFault.NO_KEY for problem in made.problems):
            break
        if not prompts.confirm("try once more what is missing?"):
            break
        again = partial(continue_creation, new=new, created=made, on_done=_report_done)
        made = _run_to_end(settings, new, again)
    return made


def _report_done(done: Done, source: Source) -> None:
    texts = {
        "created": f"made in Segment: a source with the slug {source.slug}",
        "found": f"made in Segment, though its answer did not come: a source with the slug {source.slug}",
        "named": f"named {source.name}",
        "labelled": f"labelled {', '.join(source.labels)}",
    }
    diagnostics.success(one_line(texts[done]))


def _run_to_end(
    settings: Settings, new: NewSource, work: Callable[[PublicApiClient], Coroutine[Any, Any, CreatedSource]]
) -> CreatedSource:
    """The result of work that a first Ctrl-C does not stop, since Segment would not be asked how it ended."""
    from sprig_tui.cli.shutdown import ShutdownRequested, ShutdownSignals

    async def run() -> CreatedSource:
        with ShutdownSignals() as signals:
            async with public_api(settings.workspace) as api:
                return await signals.complete(work(api))

    try:
        return asyncio.run(run())
    except ShutdownRequested:
        diagnostics.warning(
            "stopped: whether Segment made all of the source is not known",
            f"sprig-tui setup lists it if it is there; in Segment look for the slug {new.slug}",
        )
        raise KeyboardInterrupt from None


def _use(made: CreatedSource, settings: Settings, environment: str) -> KeyChoice | None:
    if not made.write_key:
        return _paste((made.source,), settings, environment)
    return _key_of(made.source, (made.source,), settings, environment)
