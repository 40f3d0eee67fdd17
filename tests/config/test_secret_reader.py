"""Secrets of commands and of the keyring: which place counts, when they are read, and what happens when that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring
from support.file_keyring import FileKeyring

from sprig_tui.config.environment import WriteKey
from sprig_tui.config.paths import paths_in_folder
from sprig_tui.config.reload import ConfigReloader, read_held_notes
from sprig_tui.config.secret_reader import SecretReader
from sprig_tui.config.secrets import PUBLIC_API_TOKEN, WEBHOOK_TOKEN, WRITE_KEY
from sprig_tui.config.settings import Settings, load_settings
from sprig_tui.errors import ConfigError, SecretReadError
from sprig_tui.mapping.mapper import Mapper
from sprig_tui.mapping.records import HashKey

KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
OTHER = "k2bbbbbbCCCCdddd2222EEEEffff2Sky"


class Process:
    """A process with a config, a command that prints what a file has, and a clock of its own."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        self.paths = paths_in_folder(str(home))
        self.shown = home / "shown"
        self.shown.write_text(KEY)
        self.runs = home / "runs"
        self.runs.touch()
        self.script = home / "secret.sh"
        self.script.write_text(f"#!/bin/sh\necho ran >>{self.runs}\nexec cat {self.shown}\n")
        self.script.chmod(0o700)
        self.environ: dict[str, str] = {}
        self.now = 1000.0
        self.reader = SecretReader(environ={"PATH": "/usr/bin:/bin"}, monotonic=lambda: self.now)
        self.reader.require()

    @property
    def count(self) -> int:
        """How often the command ran."""
        return len(self.runs.read_text().splitlines())

    def configure(self, text: str) -> None:
        self.paths.config_file.write_text(text.replace("SCRIPT", str(self.script)))

    def load(self) -> Settings:
        return load_settings(self.paths, self.environ)

    def start(self) -> Settings:
        return self.reader.read(self.load())

    def look(self) -> Settings:
        return self.reader.reread(self.load())


def key_of(settings: Settings, environment: str = "production") -> str | None:
    key = settings.environments[environment].write_key
    return key.reveal() if key is not None else None


@pytest.fixture
def process(tmp_path: Path) -> Process:
    made = Process(tmp_path / "home")
    made.configure('[environments.production]\nwrite_key_command = ["SCRIPT"]\n')
    return made


@pytest.fixture
def entries(tmp_path: Path) -> Iterator[FileKeyring]:
    """The system's keyring of this test."""
    before = keyring.get_keyring()
    backend = FileKeyring(tmp_path / "keyring.json")
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


def test_loading_the_settings_runs_nothing_and_the_key_is_masked_until_it_is_read(process: Process) -> None:
    key = process.load().environments["production"].write_key
    assert key is not None
    assert (process.count, key.is_read, repr(key)) == (0, False, "WriteKey(not read)")
    assert process.load().secrets() == []
    with pytest.raises(SecretReadError, match=r"command secret\.sh was not read"):
        key.reveal()


def test_the_first_place_that_is_set_counts(process: Process, entries: FileKeyring) -> None:
    entries.set_password("team", "segment", OTHER)
    process.configure(
        '[environments.production]\nwrite_key = "mmmmmmmmMMMMmmmm1111MMMMmmmm1111"\nwrite_key_env = "NAMED"\n'
        'write_key_command = ["SCRIPT"]\nwrite_key_keyring = "team/segment"\n'
    )
    places = []
    for variables in ({"SPRIG_TUI_WRITE_KEY_PRODUCTION": KEY, "NAMED": KEY}, {"NAMED": KEY}, {}):
        process.environ = variables
        key = process.start().environments["production"].write_key
        places.append(key.read_from if key else "")
    assert places == ["SPRIG_TUI_WRITE_KEY_PRODUCTION", "NAMED", "command secret.sh"]
    process.configure('[environments.production]\nwrite_key = "x"\nwrite_key_keyring = "team/segment"\n')
    found = process.start()
    assert (key_of(found), found.secrets()) == (OTHER, [OTHER])
    assert repr(found.environments["production"].write_key) == repr(WriteKey(OTHER))


def test_a_command_that_fails_at_the_start_falls_back_to_nothing(process: Process) -> None:
    process.configure(
        f'[environments.production]\nwrite_key = "{OTHER}"\nwrite_key_command = ["SCRIPT"]\n'
        'webhook_token = "a-token-in-the-config-0001"\nwebhook_token_command = ["SCRIPT"]\n'
    )
    process.shown.unlink()
    found = process.start()
    token = found.environments["production"].webhook_token
    assert (key_of(found), token is not None and token.reveal()) == (None, "")  # an empty token admits nobody
    assert [warning.message.split(":")[0] for warning in found.warnings] == ["production", "production"]
    assert "the write key cannot be read: command secret.sh ended with exit code 1" in found.warnings[0].message
    assert process.count == 1  # one command for both is run once


def test_a_running_process_runs_a_command_once_and_again_where_its_reference_changes(process: Process) -> None:
    assert key_of(process.start()) == KEY
    process.shown.write_text(OTHER)
    for _ in range(5):
        process.now += 3600
        assert key_of(process.look()) == KEY
    assert process.count == 1
    process.configure('[environments.production]\nwrite_key_command = ["SCRIPT", "again"]\n')
    assert (key_of(process.look()), process.count) == (OTHER, 2)


def test_only_what_a_command_needs_is_read(process: Process) -> None:
    process.reader.clear()
    process.reader.require((WEBHOOK_TOKEN, PUBLIC_API_TOKEN))
    assert process.start().environments["production"].write_key == process.load().environments["production"].write_key
    process.reader.require((WRITE_KEY,), ["development"])
    process.start()
    assert process.count == 0
    process.reader.require((WRITE_KEY,), ["production"])
    assert (key_of(process.start()), process.count) == (KEY, 1)


def test_sighup_reads_again_and_a_failure_keeps_the_key_and_holds_the_config(process: Process) -> None:
    settings = process.start()
    reload = ConfigReloader(process.paths, settings, process.look)
    process.shown.unlink()
    process.reader.expire()
    news = reload.poll(confirmed=True)
    assert news is not None
    assert (news.kind, key_of(news.settings)) == ("held", KEY)
    assert news.message == (
        "production: the write key cannot be read again: command secret.sh ended with exit code 1,"
        " and wrote to its error output"
    )
    assert [note.why for note in read_held_notes(process.paths)] == [news.message]
    # it is not run at each look
    process.now += 59
    assert (reload.poll(), process.count) == (None, 2)
    process.shown.write_text(OTHER)
    process.now += 1
    restored = reload.poll()
    assert restored is not None
    assert (restored.kind, process.count, reload.message) == ("restored", 3, "")
    changed = reload.poll()
    assert changed is not None
    assert (changed.kind, key_of(changed.settings)) == ("changed", OTHER)
    reload.apply(changed.settings)
    assert (reload.poll(), process.count) == (None, 3)
    reload.close()


def test_a_new_reference_that_fails_is_not_taken_up(process: Process) -> None:
    settings = process.start()
    reload = ConfigReloader(process.paths, settings, process.look)
    process.configure('[environments.production]\nwrite_key_command = ["/nowhere/op"]\n')
    news = reload.poll()
    assert news is not None
    assert (news.kind, key_of(news.settings)) == ("held", KEY)
    assert news.message == "production: the write key cannot be read: command op is not there"
    reload.close()


def test_a_key_that_failed_at_the_start_is_tried_later_and_taken_up(process: Process) -> None:
    process.shown.unlink()
    settings = process.start()
    reload = ConfigReloader(process.paths, settings, process.look)
    process.now += 30
    assert (reload.poll(), process.count) == (None, 1)
    process.now += 30
    assert (reload.poll(), process.count) == (None, 2)
    process.shown.write_text(KEY)
    process.now += 60
    assert (reload.poll(), process.count) == (None, 2)  # the pause is doubled
    process.now += 60
    news = reload.poll()
    assert news is not None
    assert (news.kind, key_of(news.settings), process.count) == ("changed", KEY, 3)
    reload.close()


def test_a_key_that_a_service_rejected_is_read_again_at_most_once_a_minute(process: Process) -> None:
    key = process.start().environments["production"].write_key
    assert key is not None
    process.reader.report_rejected(WriteKey(OTHER))  # one that no command gave
    process.look()
    process.reader.report_rejected(key)
    process.look()
    assert process.count == 1
    process.shown.write_text(OTHER)
    process.now += 60
    assert (key_of(process.look()), process.count) == (OTHER, 2)
    process.now += 3600
    process.look()
    assert process.count == 2


def test_a_locked_keyring_one_without_the_entry_and_no_keyring_are_told(
    process: Process, entries: FileKeyring, tmp_path: Path
) -> None:
    process.configure('[environments.production]\nwrite_key_keyring = "team/segment"\n')

    def said() -> str:
        process.reader.clear()
        process.reader.require()
        (warning,) = process.start().warnings
        return warning.text

    assert "keyring team/segment: there is no such entry" in said()
    (tmp_path / "locked").touch()
    assert "keyring team/segment: the keyring is locked; unlock it" in said()
    keyring.set_keyring(NoKeyring())
    assert "keyring team/segment: this system has no keyring that can be used" in said()


def test_an_unusable_output_is_a_warning_without_the_output(process: Process) -> None:
    process.shown.write_text("two words")
    found = process.start()
    assert key_of(found) is None
    (warning,) = found.warnings
    assert warning.message.startswith("production: the write key of command secret.sh cannot be used: ")
    assert "two words" not in warning.message


def test_a_command_that_is_no_list_is_an_error_without_its_text(process: Process) -> None:
    process.configure('[environments.production]\nwrite_key_command = "op read secret-path"\n')
    with pytest.raises(ConfigError, match="write_key_command: expected a list, got text") as caught:
        process.load()
    assert "secret-path" not in str(caught.value)


def test_concurrent_looks_run_a_command_once(process: Process) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def look(_: int) -> str | None:
        return key_of(process.look())

    run: Callable[[int], str | None] = look
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(run, range(8))) == {KEY}
    assert process.count == 1


HASHED = '[mapping]\nhmac = ["properties.email"]\n'


def test_the_key_of_hashes_comes_from_the_same_places_and_reaches_the_rules(process: Process) -> None:
    process.configure(f'{HASHED}hmac_key_command = ["SCRIPT"]\n')
    loaded = process.load()
    assert (process.count, loaded.rules.hmac_key, loaded.secrets()) == (0, None, [])
    found = process.start()
    assert (found.rules.hmac_key, found.secrets(), process.count) == (HashKey(KEY), [KEY], 1)
    assert KEY not in f"{found!r}"
    process.environ = {"SPRIG_TUI_HMAC_KEY": OTHER}
    assert process.load().rules.hmac_key == HashKey(OTHER)


def test_without_its_key_no_hash_falls_back_to_another(process: Process) -> None:
    process.configure(f'{HASHED}hmac_key_command = ["SCRIPT"]\nhmac_key = "{OTHER}"\n')
    process.shown.unlink()
    found = process.start()
    assert any("mapping: the hmac key cannot be read: command secret.sh" in one.message for one in found.warnings)
    with pytest.raises(ConfigError, match=r"mapping\.hmac names properties\.email, and its key could not be read"):
        Mapper(found.rules)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "mapping.hmac names fields, and there is no"),
        ('hmac_key = "short"\n', "5 characters are too few for a key"),
    ],
)
def test_a_missing_key_of_hashes_is_an_error_of_the_config(process: Process, lines: str, said: str) -> None:
    process.configure(HASHED + lines)
    with pytest.raises(ConfigError) as raised:
        process.load()
    assert said in raised.value.message
    assert "hmac_key_env" in raised.value.hint


def test_where_the_variable_of_the_key_is_not_set_all_but_mapping_works(process: Process) -> None:
    process.configure(f'{HASHED}hmac_key_env = "NOT_SET"\n')
    found = process.start()
    assert [one.message for one in found.warnings] == ["mapping: hmac_key_env names 'NOT_SET', which is not set"]
    with pytest.raises(ConfigError, match="its key could not be read"):
        Mapper(found.rules)


def test_hash_that_names_a_method_says_how_to_name_fields(process: Process) -> None:
    process.configure('[mapping]\nhash = "hmac"\n')
    with pytest.raises(ConfigError) as raised:
        process.load()
    assert 'hmac = ["properties.email"]' in raised.value.hint
