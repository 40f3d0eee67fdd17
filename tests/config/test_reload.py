"""Config reload: which changed configs a running process uses, and startup without the last config."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sprig_tui.config.paths import paths_in_folder
from sprig_tui.config.reload import STABLE_FOR_S, ConfigReloader, read_held_notes
from sprig_tui.config.save import delete_environment, save_environment
from sprig_tui.config.settings import load_settings
from sprig_tui.config.startup import load_settings_at_start, removed_since_last_use

WHOLE = """\
[environments.production]
write_key = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
endpoint = "eu"
webhook_token = "production-token-0123456789"
[environments.staging]
endpoint = "https://segment.example"
[mapping]
hash = ["properties.email"]
omit = ["properties.attributes.plan"]
"""


class Followed:
    """A config file, and a process that follows it."""

    def __init__(self, home: Path, text: str | None = WHOLE) -> None:
        self.paths = paths_in_folder(str(home))
        self.file = self.paths.config_file
        home.mkdir(exist_ok=True)
        if text is not None:
            self.file.write_text(text)
        self.now = 0.0
        self.reload = ConfigReloader(self.paths, self.load(), self.load, monotonic=lambda: self.now)

    def load(self):
        return load_settings(self.paths, {})

    def look(self, text: str | None = None, **how: bool) -> str:
        """What a look says after this was written: its kind, and what was lost or is held against it."""
        if text is not None:
            self.file.write_text(text)
        news = self.reload.poll(**how)
        if news is None:
            return ""
        if news.kind == "changed":
            self.reload.apply(news.settings)
        return f"{news.kind}: {', '.join(news.removed)}{news.message}".replace(f"{self.file}", "it")


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path / "home")


BROKEN: dict[str, Callable[[Path], object]] = {
    "is not there": lambda file: file.unlink(),
    "is empty": lambda file: file.write_text(""),
    "is empty ": lambda file: file.write_text("# later\n\n"),
    "not valid TOML": lambda file: file.write_text(WHOLE[:60]),
    "breaks off": lambda file: file.write_text(WHOLE.partition("[mapping]")[0]),
    "breaks off ": lambda file: file.write_text(WHOLE.replace("eu", "us").partition("[environments.staging]")[0]),
    "unknown key": lambda file: file.write_text(WHOLE + "hide = []\n"),
    "not UTF-8": lambda file: file.write_bytes(b"\xff\xfe"),
    "is a folder": lambda file: (file.unlink(), file.mkdir()),
    "points to": lambda file: (file.unlink(), file.symlink_to("elsewhere")),
}


@pytest.mark.parametrize("why", BROKEN)
def test_reload_ignores_an_incomplete_config(followed, why):
    BROKEN[why](followed.file)
    said = followed.look()
    assert said.startswith("held: it")
    assert why.strip() in said
    followed.now += 10 * STABLE_FOR_S
    assert followed.look() == "", "said once"
    assert followed.reload.settings.rules.hash == {"properties.email"}
    [held] = read_held_notes(followed.paths)
    assert (held.pid, why.strip() in held.why) == (os.getpid(), True)
    if followed.file.is_dir():
        followed.file.rmdir()
    followed.file.unlink(missing_ok=True)
    assert followed.look(WHOLE) == "restored: "
    assert read_held_notes(followed.paths) == ()


def test_reload_that_loses_nothing_is_immediate(followed):
    assert followed.look(WHOLE.replace("eu", "us")) == "changed: "
    assert followed.look(WHOLE + "[delivery]\ngzip = true\n") == "changed: "
    assert followed.look(WHOLE + '[delivery]\ngzip = true\n[console]\ntheme = "nord"\n') == "changed: "
    assert followed.look(WHOLE + "[delivery]\ngzip = true\n") == "changed: ", "the console's own"
    assert followed.reload.settings.delivery.gzip


def test_reload_that_removes_waits_for_a_stable_file_and_names_it(followed):
    less = WHOLE.replace("hash", "# hash").replace('webhook_token = "production-token', 'webhook_token = ""\n#')
    lost = "environments.production.webhook_token, mapping.hash"
    assert followed.look(less) == f"held: it lacks {lost}"
    followed.now += STABLE_FOR_S - 1
    assert followed.look(less + "# more to come\n") == "", "not still yet, for the same reason"
    followed.now += STABLE_FOR_S - 1
    assert followed.look() == ""
    followed.now += 1
    assert followed.look() == f"changed: {lost}"
    assert followed.reload.settings.environments["production"].webhook_token is None


def test_reload_names_each_removed_rule(followed):
    followed.look(WHOLE.replace('"properties.email"', '"properties.response"'))
    followed.now += STABLE_FOR_S
    assert followed.look() == "changed: mapping.hash properties.email"


def test_user_can_confirm_a_config_that_may_be_truncated(followed):
    less = WHOLE.partition("[mapping]")[0]
    assert followed.look(less).startswith("held: it breaks off")
    assert followed.look(confirmed=True) == "changed: mapping"
    assert followed.look("", confirmed=True) == "held: it is empty", "nobody means that"


def test_reload_waits_when_the_last_number_may_be_cut_off(followed):
    followed.look(WHOLE + "[delivery]\nmax_retries = 40\n")
    assert "breaks off in its last line" in followed.look(WHOLE + "[delivery]\nmax_retries = 4")
    followed.now += 10 * STABLE_FOR_S
    assert followed.look() == ""
    assert followed.reload.settings.delivery.max_retries == 40
    assert followed.look(WHOLE + "[delivery]\nmax_retries = 4\n") == "changed: "
    assert followed.reload.settings.delivery.max_retries == 4


def test_reload_trusts_files_written_by_sprig_tui(followed):
    delete_environment(followed.paths, "staging")
    assert followed.look() == "changed: environments.staging"
    save_environment(followed.paths, "production", {"webhook_token": None})
    assert followed.look() == "changed: environments.production.webhook_token"


def test_own_edit_of_a_truncated_config_is_not_trusted(followed):
    followed.file.write_text(WHOLE.partition("[mapping]")[0])
    save_environment(followed.paths, "staging", {"protected": True})
    followed.now += STABLE_FOR_S
    assert followed.look().startswith("held: it")
    assert followed.reload.settings.rules.hash


def test_config_file_that_appears_is_loaded_at_once(tmp_path):
    followed = Followed(tmp_path / "home", None)
    assert followed.look() == ""
    assert followed.look(WHOLE) == "changed: "


def test_swapped_folder_behind_a_link_is_one_change(tmp_path):
    """As Kubernetes replaces a ConfigMap: ..data, on the way to the file, becomes a link to another folder."""
    home = tmp_path / "home"
    for name, text in (("..1", WHOLE), ("..2", WHOLE.replace("eu", "us"))):
        (home / name).mkdir(parents=True)
        (home / name / "config.toml").write_text(text)
    (home / "..data").symlink_to("..1")
    (home / "config.toml").symlink_to("..data/config.toml")
    followed = Followed(home, None)
    (home / "..new").symlink_to("..2")
    (home / "..new").replace(home / "..data")
    assert followed.look() == "changed: "
    (home / "..data").unlink()
    assert followed.look().startswith("held: it points to")


def test_last_config_stores_key_names_without_values(followed):
    [kept] = followed.paths.state_dir.iterdir()
    text = kept.read_text()
    assert "webhook_token" in text
    assert "properties.email" in text
    assert "production-token" not in text
    assert "Zq8T" not in text


def test_startup_names_keys_lost_since_the_last_use(followed):
    followed.file.write_text(WHOLE.partition("[mapping]")[0])
    [(text, _)] = removed_since_last_use(followed.paths, followed.load())
    assert "lacks what it had" in text
    assert text.endswith(": mapping")
    followed.file.unlink()
    [(text, hint)] = removed_since_last_use(followed.paths, followed.load())
    assert "is not there, and was on" in text
    assert text.endswith("defaults are used for environments, mapping")
    assert "config-seen.json" in hint
    followed.file.write_text(WHOLE)
    assert list(removed_since_last_use(followed.paths, followed.load())) == []


def test_startup_waits_for_a_config_that_is_being_replaced(followed):
    followed.file.unlink()
    steps = [lambda: followed.file.write_text("[mapp"), lambda: followed.file.write_text(WHOLE)]

    def sleep(_seconds: float) -> None:
        followed.now += 1
        steps.pop(0)()

    settings = load_settings_at_start(followed.paths, sleep=sleep, monotonic=lambda: followed.now)
    assert settings.rules.hash == {"properties.email"}
    assert steps == []


def test_startup_wait_is_limited(followed):
    followed.file.unlink()

    def sleep(seconds: float) -> None:
        followed.now += seconds

    assert load_settings_at_start(followed.paths, sleep=sleep, monotonic=lambda: followed.now).document.mode is None
    assert 2 < followed.now < 5
