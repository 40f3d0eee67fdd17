"""Command `keys rotate`: a new Write Key for the source of the present one, without a gap."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from sprig_tui.cli import diagnostics, output, prompts
from sprig_tui.cli.commands.keys.secrets import WRITE_KEY_TEXTS, accept_secret
from sprig_tui.cli.context import open_settings, read_secrets
from sprig_tui.cli.options import ENVIRONMENT_TYPE, CliCommand, SecretArgumentError, json_option, yes_option
from sprig_tui.clock import SystemClock
from sprig_tui.config.secrets import PUBLIC_API_TOKEN, WRITE_KEY
from sprig_tui.errors import ConfigError, ExitCode, SegmentApiError, SprigTuiError
from sprig_tui.formatting import format_duration
from sprig_tui.text import mask, one_line

if TYPE_CHECKING:
    from sprig_tui.cli.shutdown import ShutdownSignals
    from sprig_tui.config.environment import Environment, WriteKey
    from sprig_tui.config.settings import Settings
    from sprig_tui.segment.public_api_models import Source
    from sprig_tui.setup.key_rotation import SourceCount

DEFAULT_LOOK_S = 180
"""How long a test event is looked for: Segment's counts are asked for a minute late, and are half a minute behind."""
LOOK_INTERVAL_S = 10.0
MAX_SHOWN_KEYS = 3
CONFIG_TEXT = (
    "listen, run, the console and whatever watches or repeats take it from there within seconds, for what is queued "
    "too; a single send, pull or replay that runs now keeps the old key to its end"
)
KEYRING_TEXT = (
    "what runs asks the keyring again when it is started again, or at SIGHUP: until then it sends with the old key"
)


class _Rotation(Struct):
    """One rotation, as far as it came."""

    settings: Settings
    environment: Environment
    old: WriteKey
    source: Source | None = None
    """The source of the old key; None where it is not known."""
    new_key: str = ""
    new_source: Source | None = None
    """The source of the new key; None where it is not known."""
    switched_at: int = 0
    """ms since 1970 UTC; 0 until then."""
    test_event: dict[str, Any] | None = None
    counted: tuple[SourceCount, ...] | None = None

    def __repr__(self) -> str:
        # the key must not reach a log
        return f"_Rotation({self.environment.name!r}, {self.source!r})"

    @property
    def name(self) -> str:
        """The environment's."""
        return self.environment.name

    @property
    def place(self) -> str:
        """Where the key is kept: the config file, or an entry of the keyring."""
        from sprig_tui.config.paths import find_paths

        reference = self.old.reference
        return str(find_paths().config_file) if reference is None else f"the {reference.label}"

    @property
    def source_name(self) -> str:
        """For the place in Segment."""
        return one_line(self.source.name) if self.source is not None else "the source"


@click.command("rotate", cls=CliCommand, short_help="Replace a key by a new one of the same source, without a gap.")
@click.argument("environment", type=ENVIRONMENT_TYPE, metavar="ENV")
@click.argument("surplus", nargs=-1, metavar="", type=click.UNPROCESSED)
@click.option("--paste", is_flag=True, help="Use a key that was made in Segment: from a hidden prompt or stdin.")
@click.option("--send-test-event", is_flag=True, help="Send one with the new key, and wait until Segment counts it.")
@click.option(
    "--look",
    "look_s",
    type=click.IntRange(0, 3600),
    metavar="SECONDS",
    help=f"How long to look for counts; {DEFAULT_LOOK_S} with --send-test-event, else 0.",
)
@click.option("--force", is_flag=True, help="Take a pasted key that looks odd, or whose source does.")
@yes_option
@json_option
def rotate(
    environment: str,
    surplus: tuple[str, ...],
    *,
    paste: bool,
    send_test_event: bool,
    look_s: int | None,
    force: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Switch ENV to a new Write Key of the same source; the old one works until you remove it in Segment.

    With a token of Segment's Public API (sprig-tui keys workspace) the new key is made there; without one, or with
    --paste, you make it in Segment (Generate New Key) and paste it. The config is changed, and running processes that
    use it take the new key by themselves. The old key is never removed by this command. Exit code 1 when a test event
    was sent and not counted in time, 3 when Segment was not reached.
    """
    if surplus:
        run = f"sprig-tui keys rotate {environment[:40]} --paste"
        raise SecretArgumentError("key", run, "and if that was a real key, replace it")
    settings = open_settings(quiet=True)
    _check_writable(settings.environment(environment))
    settings = read_secrets(settings, WRITE_KEY, PUBLIC_API_TOKEN)
    found = settings.environment(environment)
    rotation = _Rotation(settings, found, _check_writable(found))
    paste = paste or settings.workspace.token is None
    try:
        rotation.source = _source_of_old_key(rotation, needed=not paste)
        pasted = _read_pasted_key(rotation, force=force) if paste else ""
        agreed = pasted is not None and _confirm(rotation, pasted=pasted, sends=send_test_event, yes=yes)
    except KeyboardInterrupt:
        diagnostics.info("nothing was made or changed")
        raise
    if pasted is None or not agreed:
        return ExitCode.USAGE
    look = look_s if look_s is not None else DEFAULT_LOOK_S if send_test_event else 0
    code = asyncio.run(_rotate(rotation, pasted, send_test_event=send_test_event, look_s=look))
    if as_json and rotation.switched_at:
        output.write_json(_to_json(rotation))
    return code


def _check_writable(environment: Environment) -> WriteKey:
    """The present key, which stands in the config or in an entry of the keyring that sprig-tui made.

    Raises ConfigError for any other place.
    """
    from sprig_tui.config.secret_keyring import SERVICE
    from sprig_tui.setup.key_rotation import api_keys_place

    key = environment.write_key
    if key is None:
        raise ConfigError(
            f"{environment.name} has no key to replace", hint=f"sprig-tui keys set {environment.name} stores one"
        )
    ours = key.reference is not None and key.reference.service == SERVICE
    if key.read_from != "config" and not ours:
        raise ConfigError(
            f"the key of {environment.name} comes from {key.read_from}, which sprig-tui cannot write",
            hint=f"in Segment press Generate New Key ({api_keys_place('the source')}), put the {key.read_from}, "
            "start again what uses it, and only then remove the old one in Segment",
        )
    return key


def _source_of_old_key(rotation: _Rotation, *, needed: bool) -> Source | None:
    """The source that gets a further key; `needed` raises ConfigError or SegmentApiError where it is not found."""
    from sprig_tui.cli.workspace import list_sources
    from sprig_tui.setup.key_owner import find_owner

    settings, name = rotation.settings, rotation.name
    if settings.workspace.token is None:
        return None
    try:
        owner = find_owner(rotation.old.reveal(), list_sources(settings), settings, name)
    except (SegmentApiError, ConfigError) as error:
        if needed:
            raise
        diagnostics.warning(f"whose key it is could not be asked: {error.message}", error.hint)
        return None
    for mismatch in owner.mismatches:
        diagnostics.warning(f"the present key of {name}: its source: {mismatch}")
    if owner.source is None and needed:
        raise ConfigError(
            f"the present key of {name} ({rotation.old.masked()}): {owner.text}",
            hint=f"make the key in Segment, then sprig-tui keys rotate {name} --paste; or sprig-tui keys set {name}",
        )
    return owner.source


def _read_pasted_key(rotation: _Rotation, *, force: bool) -> str | None:
    """The new key from a prompt or a pipe; None, with the reason on stderr, where it cannot be used."""
    from sprig_tui.config.secret_lint import WRITE_KEY_RULES, lint_secret

    if prompts.is_interactive():
        from sprig_tui.setup.key_rotation import api_keys_place

        diagnostics.info(f"in Segment press Generate New Key: {api_keys_place(rotation.source_name)}")
    text = prompts.read_secret(f"new write key of {rotation.name}")
    if lint_secret(text, WRITE_KEY_RULES).secret == rotation.old.reveal():
        diagnostics.failure(f"this is the present key of {rotation.name}", "paste the new one")
        return None
    return accept_secret(
        rotation.settings,
        WRITE_KEY_TEXTS,
        rotation.name,
        text,
        force=force,
        find_problems=lambda key: _pasted_key_problems(rotation, key),
    )


def _pasted_key_problems(rotation: _Rotation, key: str) -> list[str]:
    """What the workspace says against a pasted key; its source becomes known."""
    from sprig_tui.cli.workspace import list_sources
    from sprig_tui.setup.key_owner import find_owner

    if rotation.settings.workspace.token is None:
        return []
    try:
        owner = find_owner(key, list_sources(rotation.settings), rotation.settings, rotation.name)
    except (SegmentApiError, ConfigError) as error:
        diagnostics.warning(f"whose key it is could not be asked: {error.message}", error.hint)
        return []
    rotation.new_source = owner.source
    problems = list(owner.warnings)
    old = rotation.source
    if owner.source is not None and old is not None and owner.source.id != old.id:
        problems.append(f"the present key belongs to another source, {one_line(old.name)}")
    if owner.text not in problems:
        diagnostics.info(f"the new key: {owner.text}")
    for problem in problems:
        diagnostics.warning(problem)
    return problems


def _confirm(rotation: _Rotation, *, pasted: str, sends: bool, yes: bool) -> bool:
    """Say exactly what will happen, and ask."""
    from sprig_tui.segment.public_api_models import source_text

    name, source = rotation.name, rotation.source
    about = f", of the source {one_line(source_text(source))}" if source is not None else ""
    diagnostics.info(f"{name} has the key {rotation.old.masked()}{about}")
    _tell_other_keys(rotation, pasted)
    if not pasted:
        diagnostics.info("- Segment makes one more Write Key for that source")
    diagnostics.info(f"- {name} is switched to {mask(pasted) if pasted else 'it'} in {rotation.place}")
    if sends:
        diagnostics.info("- one test event is sent with the new key; it reaches the destinations of the source")
    diagnostics.info(f"- {rotation.old.masked()} keeps working until you remove it in Segment")
    for other in rotation.settings.environments.values():
        if other.name != name and other.write_key == rotation.old:
            diagnostics.warning(f"{other.name} has the same key, and keeps it")
    if yes:
        return True
    if not prompts.is_interactive():
        diagnostics.failure("nothing was made or changed: there is no terminal to confirm it at", "add --yes")
        return False
    question = f"switch {name} to a new key?"
    agreed = prompts.confirm_name(question, name) if rotation.environment.protected else prompts.confirm(question)
    if not agreed:
        diagnostics.info("nothing was made or changed")
    return agreed


def _tell_other_keys(rotation: _Rotation, pasted: str) -> None:
    """Keys that the source has beside the present one, such as that of a rotation that was interrupted."""
    used = {rotation.old.reveal(), pasted}
    others = [key for key in (rotation.source.write_keys if rotation.source is not None else ()) if key not in used]
    if not others:
        return
    shown = ", ".join(mask(key) for key in others[:MAX_SHOWN_KEYS])
    more = f" and {len(others) - MAX_SHOWN_KEYS:,} more" if len(others) > MAX_SHOWN_KEYS else ""
    diagnostics.warning(
        f"that source also has the {'key' if len(others) == 1 else 'keys'} {shown}{more}",
        "one that an interrupted rotation made can be taken with --paste; one that nothing uses any more can be "
        "removed in Segment",
    )


async def _rotate(rotation: _Rotation, pasted: str, *, send_test_event: bool, look_s: int) -> ExitCode:
    from sprig_tui.cli.shutdown import ShutdownRequested, ShutdownSignals

    with ShutdownSignals() as signals:
        if pasted:
            rotation.new_key = pasted
        elif not await _make_key(rotation, signals):
            return ExitCode.INTERRUPTED
        _switch(rotation)
        code = ExitCode.OK
        try:
            if send_test_event:
                code = await signals.guard(_send_test_event(rotation))
            if look_s and code == ExitCode.OK:
                code = await signals.guard(_look(rotation, look_s, sent=send_test_event))
        except ShutdownRequested:
            diagnostics.info(f"stopped; {rotation.name} uses the new key already")
            code = ExitCode.INTERRUPTED
    _tell_removal(rotation)
    return code


async def _make_key(rotation: _Rotation, signals: ShutdownSignals) -> bool:
    """Whether the key was made; a first Ctrl-C waits for Segment's answer, so that no key is made unseen."""
    from sprig_tui.cli.shutdown import ShutdownRequested
    from sprig_tui.cli.workspace import public_api
    from sprig_tui.setup.key_rotation import api_keys_place, make_key

    source = rotation.source
    if source is None:
        raise ValueError("there is no source to make a key for")

    async def tell() -> None:
        await signals.requested.wait()
        diagnostics.info("Segment is making a key: its answer is waited for; again to stop at once")

    telling = asyncio.ensure_future(tell())
    try:
        async with public_api(rotation.settings.workspace) as api:
            made = await signals.complete(make_key(api, source.id))
    except ShutdownRequested:
        diagnostics.warning(
            f"stopped: {rotation.name} keeps its key, and whether Segment made a new one is not known",
            f"look there, and remove it if it is not wanted: {api_keys_place(source.name)}",
        )
        return False
    finally:
        telling.cancel()
    rotation.new_key, rotation.new_source = made.write_key, made.source
    how = "; its answer did not come, and the key was found afterwards" if made.found else ""
    diagnostics.success(f"Segment made {mask(made.write_key)} for the source {one_line(source.name)}{how}")
    return True


def _switch(rotation: _Rotation) -> None:
    """Store the new key; raises ConfigError, which says that a key was made."""
    from sprig_tui.cli.commands.keys.storage import save_secret
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.save import save_environment
    from sprig_tui.setup.key_rotation import api_keys_place

    settings, name, key = rotation.settings, rotation.name, rotation.new_key
    in_keyring = rotation.old.reference is not None
    stored_in = rotation.place
    try:
        if in_keyring:
            stored_in = save_secret(settings, WRITE_KEY, name, key, keyring=True)
        else:
            save_environment(find_paths(), name, {WRITE_KEY.key: key}, digest=settings.document.digest)
    except SprigTuiError as error:
        place = api_keys_place(rotation.source_name)
        raise ConfigError(
            f"{name} keeps its key: the new one, {mask(key)}, could not be stored: {error.message}",
            hint=f"the new key stands in Segment: {place}; sprig-tui keys rotate {name} --paste takes it, "
            "or remove it there",
        ) from error
    rotation.switched_at = SystemClock().now()
    diagnostics.success(f"{name} is switched to {mask(key)} in {stored_in}")
    diagnostics.info(KEYRING_TEXT if in_keyring else CONFIG_TEXT)


async def _send_test_event(rotation: _Rotation) -> ExitCode:
    from msgspec.structs import replace

    from sprig_tui.cli.commands.keys.check import send_event
    from sprig_tui.config.environment import WriteKey

    environment = replace(rotation.environment, write_key=WriteKey(rotation.new_key))
    rotation.test_event, code = await send_event(rotation.settings, environment)
    return code


async def _look(rotation: _Rotation, look_s: int, *, sent: bool) -> ExitCode:
    """Ask Segment what it counted since the switch, until it counted something or the time is over."""
    from sprig_tui.cli.log_format import clock_time
    from sprig_tui.cli.workspace import public_api
    from sprig_tui.ingest.test_event import EVENT_NAME
    from sprig_tui.setup.key_rotation import counted_since

    event = EVENT_NAME if sent else rotation.settings.rules.event
    since = clock_time(rotation.switched_at)[11:16]
    if rotation.settings.workspace.token is None:
        diagnostics.info("what Segment counts cannot be asked: there is no token of its Public API")
        return ExitCode.OK
    diagnostics.info(f"looking for {event!r} in Segment's counts, for up to {format_duration(look_s)}; Ctrl-C stops")
    loop = asyncio.get_running_loop()
    end = loop.time() + look_s
    async with public_api(rotation.settings.workspace) as api:
        while True:
            try:
                counted = await counted_since(api, rotation.switched_at, SystemClock().now(), (event,))
            except SegmentApiError as error:
                diagnostics.warning(f"what Segment counts could not be asked: {error.message}", error.hint)
                return error.exit_code
            if counted:
                rotation.counted = counted
                return _tell_counts(rotation, event, since)
            remaining = end - loop.time()
            if remaining <= 0:
                break
            await asyncio.sleep(min(LOOK_INTERVAL_S, remaining))
    rotation.counted = counted
    if counted is None:
        diagnostics.warning(
            "it is too early: Segment's counts are asked for a minute late", f"sprig-tui reconcile -e {rotation.name}"
        )
    else:
        diagnostics.warning(
            f"Segment has counted no {event!r} since {since}",
            f"look again: sprig-tui keys check {rotation.name}; the debugger of the source shows what came",
        )
    return ExitCode.REJECTED if sent else ExitCode.OK


def _tell_counts(rotation: _Rotation, event: str, since: str) -> ExitCode:
    wanted = rotation.new_source
    code = ExitCode.OK
    for count in rotation.counted or ():
        times = "once" if count.total == 1 else f"{count.total:,} times"
        text = f"the source {one_line(count.source_name or count.source_id)} counted {event!r} {times}"
        if wanted is None or count.source_id == wanted.id:
            diagnostics.success(f"{text} since {since}")
        else:
            diagnostics.info(f"{text} since {since}")
    if wanted is not None and all(count.source_id != wanted.id for count in rotation.counted or ()):
        diagnostics.warning(f"the source {one_line(wanted.name)} has counted none")
        code = ExitCode.REJECTED
    diagnostics.info("counts go by source, not by key: another program with the old key is in them too")
    return code


def _tell_removal(rotation: _Rotation) -> None:
    from sprig_tui.cli.log_format import clock_time
    from sprig_tui.setup.key_rotation import api_keys_place

    since = clock_time(rotation.switched_at)[:16].replace(" ", "T")
    diagnostics.info(f"see what Segment counted: sprig-tui reconcile -e {rotation.name} --since {since}")
    diagnostics.info(
        f"then remove {rotation.old.masked()} in Segment: {api_keys_place(rotation.source_name)}; before that, switch "
        "every other machine and program that uses it, since Segment answers 200 to a removed key and drops the event"
    )


def _to_json(rotation: _Rotation) -> dict[str, Any]:
    from sprig_tui.segment.timestamps import format_iso
    from sprig_tui.setup.key_rotation import api_keys_place

    source = rotation.new_source
    return {
        "environment": rotation.name,
        "old_key": rotation.old.masked(),
        "new_key": mask(rotation.new_key),
        "source": {"id": source.id, "name": source.name} if source is not None else None,
        "switched_at": format_iso(rotation.switched_at),
        "test_event": rotation.test_event,
        "counted": [
            {"source": count.source_name, "source_id": count.source_id, "events": count.total}
            for count in rotation.counted
        ]
        if rotation.counted is not None
        else None,
        "remove_old_key_at": api_keys_place(rotation.source_name),
    }
