"""Changing the config: everything else byte for byte, no change lost, never half a file."""

from __future__ import annotations

import multiprocessing
import stat
import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sprig_tui.config.paths import Paths, paths_in_folder
from sprig_tui.config.save import delete_environment, save_environment
from sprig_tui.config.settings import load_settings
from sprig_tui.config.toml_edit import edit_environment, parse_statements, remove_environment
from sprig_tui.config.toml_file import read_config_file
from sprig_tui.errors import ConfigError
from sprig_tui.files import file_lock, write_atomically

KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
OTHER = "k2222222222222222222222222222222"

COMMENTED = """\
# ours, do not touch
title = "x"   # kept

[environments.production]  # the live one
# the key of the HTTP source "web (production)"
write_key = "old"  # set by mira
endpoint = "eu"

# about staging
[environments.staging]
write_key = "staging"

[other.tool]
anything = [1, 2,
  3] # [environments.production]
text = \"\"\"
[environments.production]
write_key = "not this"
\"\"\"
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return paths_in_folder(str(tmp_path / "home"))


def test_a_value_is_changed_in_place_and_comments_stay() -> None:
    changed = edit_environment(COMMENTED, "production", {"write_key": KEY})
    assert changed == COMMENTED.replace('"old"', f'"{KEY}"')


def test_a_new_key_stands_after_the_tables_last_one() -> None:
    changed = edit_environment(COMMENTED, "production", {"protected": False})
    assert changed == COMMENTED.replace('endpoint = "eu"\n', 'endpoint = "eu"\nprotected = false\n')


def test_removing_a_key_takes_its_line_only() -> None:
    changed = edit_environment(COMMENTED, "production", {"write_key": None})
    assert changed == COMMENTED.replace('write_key = "old"  # set by mira\n', "")


def test_removing_a_table_leaves_the_comment_above_the_next() -> None:
    changed = remove_environment(COMMENTED, "production")
    assert "# about staging\n[environments.staging]" in changed
    assert tomllib.loads(changed)["environments"] == {"staging": {"write_key": "staging"}}
    assert tomllib.loads(changed)["other"] == tomllib.loads(COMMENTED)["other"]


def test_removing_the_last_environment_is_no_fault() -> None:
    assert remove_environment("[environments.a]\nwrite_key = 'x'\n", "a") == ""
    assert remove_environment("a = 1\n", "nowhere") == "a = 1\n"


def test_a_missing_table_is_added_at_the_end() -> None:
    assert edit_environment("", "dev", {"endpoint": "eu"}) == '[environments.dev]\nendpoint = "eu"\n'
    assert edit_environment("a = 1", "dev", {"endpoint": "eu"}) == 'a = 1\n\n[environments.dev]\nendpoint = "eu"\n'


def test_windows_line_ends_are_kept() -> None:
    text = COMMENTED.replace("\n", "\r\n")
    changed = edit_environment(text, "production", {"write_key": KEY, "protected": True})
    assert changed.replace("\r\n", "").count("\n") == 0
    assert tomllib.loads(changed)["environments"]["production"]["protected"] is True


def test_a_header_at_the_very_end_without_newline() -> None:
    assert tomllib.loads(edit_environment("[environments.a]", "a", {"endpoint": "eu"})) == {
        "environments": {"a": {"endpoint": "eu"}}
    }
    assert tomllib.loads(edit_environment("[environments.a]\nprotected=true", "a", {"endpoint": "eu"})) == {
        "environments": {"a": {"endpoint": "eu", "protected": True}}
    }


@pytest.mark.parametrize(
    "text",
    [
        'environments = {production = {endpoint = "eu"}}\n',
        'environments.production.endpoint = "eu"\n',
        '[environments]\nproduction = {endpoint = "eu"}\n',
        '[environments]\nproduction.endpoint = "eu"\n',
        "environments = 3\n",
        "[[environments]]\nx = 1\n",
    ],
)
def test_config_that_cannot_be_edited_safely_prints_the_lines_to_add(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        edit_environment(text, "production", {"write_key": KEY, "protected": True})
    assert "[environments.production]" in caught.value.hint
    assert "protected = true" in caught.value.hint
    assert KEY not in caught.value.hint + caught.value.message


plain_text = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\r"), max_size=12)
scalars = st.one_of(plain_text, st.integers(-9, 10**15), st.booleans(), st.floats(allow_nan=False))
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.dictionaries(plain_text, scalars, max_size=2))
comments = st.lists(
    st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, blacklist_characters="\x7f"), max_size=20), max_size=3
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, str, str]:
    """What stands before the environment's table, the table, and what stands after it."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))

    def tables(names: list[str]) -> str:
        parts = []
        for name in names:
            body = draw(st.dictionaries(plain_text, values, max_size=3))
            remarks = "".join(f"# {line}\n" for line in draw(comments))
            parts.append(remarks + tomli_w.dumps({name: body}, multiline_strings=draw(st.booleans())))
        return "\n".join(parts)

    own = draw(st.dictionaries(st.sampled_from(["write_key", "endpoint", "write_key_env"]), plain_text, max_size=3))
    lines = ["[environments.production]"]
    for key, value in own.items():
        lines.extend(f"# {line}" for line in draw(comments))
        lines.append(tomli_w.dumps({key: value}).rstrip("\n") + draw(st.sampled_from(["", "  # why", "\t#\"'["])))
    before, after = tables(["first", "second"]), tables(["third"])
    table = "\n".join(lines) + "\n"
    return tuple(part.replace("\n", newline) for part in (before, table, after))  # type: ignore[return-value]  # three


@settings(max_examples=150, deadline=None)
@given(documents(), plain_text, st.sampled_from(["write_key", "endpoint", "sprig_environment_id"]))
def test_everything_outside_the_table_is_byte_identical(parts: tuple[str, str, str], value: str, key: str) -> None:
    before, table, after = parts
    text = before + table + after
    wanted = tomllib.loads(text)
    assume(wanted["environments"]["production"].get(key) != value)
    changed = edit_environment(text, "production", {key: value})
    wanted["environments"]["production"][key] = value
    assert tomllib.loads(changed) == wanted
    assert changed.startswith(before)
    assert changed.endswith(after)
    kept = [line for line in table.splitlines() if line.startswith("#")]
    inside = changed[len(before) : len(changed) - len(after)]
    assert [line for line in inside.splitlines() if line.startswith("#")] == kept


@settings(max_examples=100, deadline=None)
@given(documents())
def test_removing_keeps_everything_else(parts: tuple[str, str, str]) -> None:
    before, _, after = parts
    changed = remove_environment("".join(parts), "production")
    assert changed.startswith(before)
    assert changed.endswith(after)
    assert "production" not in tomllib.loads(changed).get("environments", {})


@settings(max_examples=100, deadline=None)
@given(documents())
def test_statements_cover_the_text_in_order(parts: tuple[str, str, str]) -> None:
    text = "".join(parts)
    found = parse_statements(text)
    position = 0
    for item in found:
        assert text[position : item.start].strip() == ""
        assert item.start < item.end
        position = item.end
    assert text[position:].strip() == ""


def test_the_file_is_made_with_its_folder_for_the_owner_only(paths: Paths) -> None:
    save_environment(paths, "production", {"write_key": KEY})
    assert stat.S_IMODE(paths.config_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.config_file.parent.stat().st_mode) == 0o700
    key = load_settings(paths, {}).environments["production"].write_key
    assert key is not None
    assert key.reveal() == KEY


def test_a_wide_mode_is_narrowed_by_the_next_change(paths: Paths) -> None:
    paths.config_file.parent.mkdir()
    paths.config_file.write_text("")
    paths.config_file.chmod(0o644)
    assert read_config_file(paths.config_file).is_readable_by_others
    save_environment(paths, "production", {"write_key": KEY})
    assert not read_config_file(paths.config_file).is_readable_by_others


def test_a_link_is_written_through(paths: Paths, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles" / "sprig.toml"
    target.parent.mkdir()
    target.write_text("# mine\n")
    paths.config_file.parent.mkdir()
    paths.config_file.symlink_to(target)
    save_environment(paths, "production", {"endpoint": "eu"})
    assert paths.config_file.is_symlink()
    assert target.read_text() == '# mine\n\n[environments.production]\nendpoint = "eu"\n'


def test_a_change_under_another_digest_is_refused(paths: Paths) -> None:
    digest = save_environment(paths, "production", {"endpoint": "eu"})
    assert digest == read_config_file(paths.config_file).digest
    save_environment(paths, "development", {"endpoint": "eu"}, digest=digest)
    before = paths.config_file.read_bytes()
    with pytest.raises(ConfigError, match="changed by someone else"):
        save_environment(paths, "production", {"endpoint": "us"}, digest=digest)
    assert paths.config_file.read_bytes() == before


def test_a_file_that_came_up_since_is_a_change_too(paths: Paths) -> None:
    digest = read_config_file(paths.config_file).digest
    save_environment(paths, "production", {"endpoint": "eu"})
    with pytest.raises(ConfigError, match="changed by someone else"):
        delete_environment(paths, "production", digest=digest)


def test_save_environment_refuses_what_would_not_load(paths: Paths) -> None:
    with pytest.raises(ConfigError, match="neither a region"):
        save_environment(paths, "production", {"endpoint": "ftp://nowhere"})
    with pytest.raises(ConfigError, match="cannot name an environment"):
        save_environment(paths, "Prod uction", {"endpoint": "eu"})
    assert not paths.config_file.exists()


def test_a_broken_config_is_left_alone(paths: Paths) -> None:
    paths.config_file.parent.mkdir()
    paths.config_file.write_text("[environments\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        save_environment(paths, "production", {"endpoint": "eu"})
    assert paths.config_file.read_text() == "[environments\n"


def test_a_byte_order_mark_stays(paths: Paths) -> None:
    paths.config_file.parent.mkdir()
    paths.config_file.write_bytes(b"\xef\xbb\xbf# by a Windows editor\r\n")
    save_environment(paths, "production", {"endpoint": "eu"})
    assert paths.config_file.read_bytes().startswith(b"\xef\xbb\xbf# by a Windows editor\r\n\r\n[environments")


def test_a_failed_write_leaves_the_old_file_and_no_litter(paths: Paths) -> None:
    save_environment(paths, "production", {"endpoint": "eu"})
    blocked = paths.config_file.parent / "blocked"
    blocked.mkdir()
    (blocked / "inside").write_text("")
    with pytest.raises(ConfigError, match="cannot write"):
        write_atomically(blocked, b"x")  # a file cannot replace a folder
    assert sorted(p.name for p in paths.config_file.parent.iterdir()) == [".config.toml.lock", "blocked", "config.toml"]


def test_the_lock_is_waited_for_and_named(paths: Paths) -> None:
    save_environment(paths, "production", {"endpoint": "eu"})
    with (
        file_lock(paths.config_file),
        pytest.raises(ConfigError, match="another process is changing"),
        file_lock(paths.config_file, timeout_s=0.05),
    ):
        pytest.fail("two held the lock")


def _add_many(folder: str, first: int) -> None:
    for number in range(first, first + 10):
        save_environment(paths_in_folder(folder), f"env-{number}", {"write_key": f"{number:032d}"})


def test_two_processes_lose_no_change(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_add_many, args=(str(tmp_path), first)) for first in (0, 10)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    table = tomllib.loads((tmp_path / "config.toml").read_text())["environments"]
    assert sorted(table) == sorted(f"env-{number}" for number in range(20))
    assert sorted(p.name for p in tmp_path.iterdir()) == [".config.toml.lock", "config.toml"]
