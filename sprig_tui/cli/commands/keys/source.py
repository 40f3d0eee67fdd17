"""Choice of a Write Key for `keys set`: pasted, or taken from a source of the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from sprig_tui.cli import diagnostics, prompts
from sprig_tui.cli.prompts import read_secret
from sprig_tui.cli.workspace import NO_TOKEN_HINT, list_sources
from sprig_tui.config.secret_lint import WRITE_KEY_CHARS, WRITE_KEY_RULES, lint_secret
from sprig_tui.errors import ConfigError, SegmentApiError
from sprig_tui.segment.public_api_models import Source, find_source, source_of_key, source_text, state_text
from sprig_tui.segment.source_checks import source_mismatches
from sprig_tui.text import mask

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings

MAX_LISTED_SOURCES = 50
"""Sources listed; any other can be chosen by name."""


class KeyChoice(NamedTuple):
    """A chosen key, and the warnings about its source."""

    text: str
    warnings: tuple[str, ...] = ()


def choose_key(settings: Settings, environment: str, named: str | None) -> KeyChoice:
    """The key for an environment; `named` is the source that a script asks for. Raises ConfigError, SegmentApiError.

    Without a token a key is pasted or piped, as ever. With one, a person is offered the workspace's sources, and a
    pasted key is looked up among them; a workspace that does not answer stops no paste.
    """
    if named is not None:
        if settings.workspace.token is None:
            raise ConfigError(
                "--source looks into the workspace, and there is no token of Segment's Public API", hint=NO_TOKEN_HINT
            )
        match = find_source(named, list_sources(settings))
        if match.source is None:
            raise ConfigError(match.fault, hint=match.hint)
        return key_of_source(match.source, settings, environment)
    sources = _sources(settings)
    if sources and prompts.is_interactive():
        picked = _pick_source(sources, settings, environment)
        if picked is not None:
            return key_of_source(picked, settings, environment)
    text = read_secret(f"write key of {environment}")
    return KeyChoice(text, pasted_key_warnings(text, sources, settings, environment))


def looked_up_key(text: str, settings: Settings, environment: str) -> KeyChoice:
    """A key that was not chosen by its source, looked up as a pasted one is."""
    return KeyChoice(text, pasted_key_warnings(text, _sources(settings), settings, environment))


def _sources(settings: Settings) -> tuple[Source, ...]:
    if settings.workspace.token is None:
        return ()
    try:
        return list_sources(settings)
    except (SegmentApiError, ConfigError) as error:
        diagnostics.warning(f"the workspace's sources cannot be listed: {error.message}", error.hint)
        return ()


def _pick_source(sources: Sequence[Source], settings: Settings, environment: str) -> Source | None:
    """The source that the user picks; None to paste a key."""
    doubts = {source.id: source_mismatches(source, environment, settings.environments) for source in sources}
    # sorting keeps the order within each half
    listed = sorted(sources, key=lambda source: bool(doubts[source.id]))
    diagnostics.info("sources of the workspace:")
    for line in _source_lines(listed[:MAX_LISTED_SOURCES], doubts):
        diagnostics.info(line)
    if len(listed) > MAX_LISTED_SOURCES:
        diagnostics.info(f"  and {len(listed) - MAX_LISTED_SOURCES:,} more, which can be named")
    while True:
        answer = prompts.prompt_line(f"number or name of the source for {environment}, or enter to paste a key: ")
        if not answer:
            return None
        if source_of_key(answer, sources) or (len(answer) == WRITE_KEY_CHARS and answer.isalnum()):
            diagnostics.warning("that is a key, and now on the screen", "press enter, and paste it where it is hidden")
            continue
        if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= min(MAX_LISTED_SOURCES, len(listed)):
            return listed[int(answer) - 1]
        match = find_source(answer, sources)
        if match.source is not None:
            return match.source
        diagnostics.warning(match.fault, match.hint)


def _source_lines(sources: Sequence[Source], warnings: dict[str, tuple[str, ...]]) -> list[str]:
    cells = [
        (
            f"{number:>4}",
            source.name[:40],
            source.kind[:20],
            ", ".join(source.labels)[:40],
            state_text(source.enabled),
            mask(source.write_keys[0]) if source.write_keys else "key not visible",
        )
        for number, source in enumerate(sources, 1)
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    rows = ["  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    flags = (f"  ! {'; '.join(warnings[source.id])}" if warnings[source.id] else "" for source in sources)
    return [row + flag for row, flag in zip(rows, flags, strict=True)]


def key_of_source(source: Source, settings: Settings, environment: str) -> KeyChoice:
    """The first key of a source, which is said, and what speaks against it; raises ConfigError where none is seen."""
    if not source.write_keys:
        raise ConfigError(
            f"the token sees no write key of {source.name}",
            hint="give it the role of a source admin or workspace owner, or paste the key",
        )
    from sprig_tui.setup.key_owner import key_to_take

    key = key_to_take(source, settings, environment)
    which = "the first" if key == source.write_keys[0] else "the present one"
    others = f", {which} of its {len(source.write_keys)} keys" if len(source.write_keys) > 1 else ""
    diagnostics.info(f"taking {mask(key)}{others}, from source {source_text(source)}")
    return KeyChoice(key, _source_warnings(source, key, settings, environment))


def pasted_key_warnings(text: str, sources: Sequence[Source], settings: Settings, environment: str) -> tuple[str, ...]:
    """What has to be confirmed of a pasted key, by the workspace's sources; whose it is is said."""
    from sprig_tui.setup.key_owner import OwnerKind, find_owner

    key = lint_secret(text, WRITE_KEY_RULES).secret
    if not key or not sources:
        return ()
    owner = find_owner(key, sources, settings, environment)
    if owner.kind is OwnerKind.NO_SOURCE:
        diagnostics.warning(
            "this key belongs to no source of the workspace", "it may be another workspace's; Segment would not say so"
        )
        # a script may know of another workspace, so it is told and not stopped
        return owner.warnings if prompts.is_interactive() else ()
    if owner.source is None:
        diagnostics.info(owner.text)
        return ()
    diagnostics.info(f"this key belongs to source {source_text(owner.source)}")
    return _report_mismatches(owner.source, owner.mismatches, environment)


def _source_warnings(source: Source, key: str, settings: Settings, environment: str) -> tuple[str, ...]:
    from sprig_tui.setup.key_owner import find_owner

    return _report_mismatches(source, find_owner(key, [source], settings, environment).mismatches, environment)


def _report_mismatches(source: Source, mismatches: tuple[str, ...], environment: str) -> tuple[str, ...]:
    for mismatch in mismatches:
        diagnostics.warning(f"source {source.name}: {mismatch}", f"is it the one for {environment}?")
    return mismatches
