"""Config edits: everything else stays byte for byte, no change is lost, writes are atomic."""

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
from sprig_tui.config.toml_edit import edit_environment, edit_oauth, parse_statements, remove_environment
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


def test_edit_changes_a_value_in_place_and_keeps_comments() -> None:
    changed = edit_environment(COMMENTED, "production", {"write_key": KEY})
    assert changed == COMMENTED.replace('"old"', f'"{KEY}"')


def test_edit_adds_a_key_after_the_last_of_its_table() -> None:
    changed = edit_environment(COMMENTED, "production", {"protected": False})
    assert changed == COMMENTED.replace('endpoint = "eu"\n', 'endpoint = "eu"\nprotected = false\n')


def test_edit_removes_only_the_line_of_a_key() -> None:
    changed = edit_environment(COMMENTED, "production", {"write_key": None})
    assert changed == COMMENTED.replace('write_key = "old"  # set by mira\n', "")


def test_removing_a_table_keeps_the_comment_above_the_next() -> None:
    changed = remove_environment(COMMENTED, "production")
    assert "# about staging\n[environments.staging]" in changed
    assert tomllib.loads(changed)["environments"] == {"staging": {"write_key": "staging"}}
    assert tomllib.loads(changed)["other"] == tomllib.loads(COMMENTED)["other"]


@pytest.mark.parametrize(
    "text",
    [
        "[environments.a]\nwrite_key = 'x'\n[environments.a.oauth]\nkey_id = 'k'\n",
        "[environments.a.oauth]\nkey_id = 'k'\n",
        "[environments.a]\noauth.key_id = 'k'\nwrite_key = 'x'\n",
        "[environments.a]\noauth = { key_id = 'k' }\n",
        "[environments.a.oauth]\nkey_id = 'k'\n[environments.a]\nwrite_key = 'x'\n",
    ],
)
def test_environment_is_removed_with_its_oauth_table(text: str) -> None:
    rest = "# about b\n[environments.b]\nwrite_key = 'y'\n[environments.b.oauth]\nkey_id = 'l'\n"
    assert remove_environment(text, "a") == ""
    assert remove_environment(text + rest, "a") == rest
    assert remove_environment(rest + text, "a") == rest
    apart = f"{text}{rest}[environments.a.further]\nvalue = 1\n"
    assert remove_environment(apart, "a") == rest


@pytest.mark.parametrize(
    "text",
    [
        "[environments.a]\nwrite_key = 'x'\n[environments.a.oauth]\nkey_id = 'k'\n# about b\n[environments.b]\n",
        "[environments.a]\noauth = { key_id = 'k' }\nwrite_key = 'x'\n# about b\n[environments.b]\n",
        "[environments.a]\nwrite_key = 'x'\n# about b\n[environments.b]\n",
        "[environments.a.oauth]\nkey_id = 'k'\n# about b\n",
        "# about b\n",
    ],
)
def test_oauth_table_is_set_and_removed_whatever_its_form(text: str) -> None:
    changed = edit_oauth(text, "a", {"client_id": "c", "key_id": "l"})
    before, after = tomllib.loads(text), tomllib.loads(changed)
    assert after["environments"]["a"].pop("oauth") == {"client_id": "c", "key_id": "l"}
    before.setdefault("environments", {}).setdefault("a", {}).pop("oauth", None)
    assert after == before
    assert "# about b\n" in changed
    assert "oauth" not in edit_oauth(changed, "a", None)
    assert "oauth" not in edit_oauth(text, "a", None)


@pytest.mark.parametrize("header", ["", "[environments.a]\nendpoint = 'eu'\n"])
def test_edit_beside_an_oauth_table(header: str) -> None:
    table = "[environments.a.oauth]\nkey_id = 'k'\n"
    changed = edit_environment(header + table, "a", {"write_key": "x"})
    wanted = tomllib.loads(header + table)
    wanted["environments"]["a"]["write_key"] = "x"
    assert tomllib.loads(changed) == wanted
    assert edit_environment(changed, "a", {"write_key": None}) in (header + table, f"{table}\n[environments.a]\n")


def test_last_environment_can_be_removed() -> None:
    assert remove_environment("[environments.a]\nwrite_key = 'x'\n", "a") == ""
    assert remove_environment("a = 1\n", "nowhere") == "a = 1\n"


def test_edit_adds_a_missing_table_at_the_end() -> None:
    assert edit_environment("", "dev", {"endpoint": "eu"}) == '[environments.dev]\nendpoint = "eu"\n'
    assert edit_environment("a = 1", "dev", {"endpoint": "eu"}) == 'a = 1\n\n[environments.dev]\nendpoint = "eu"\n'


def test_edit_keeps_windows_line_ends() -> None:
    text = COMMENTED.replace("\n", "\r\n")
    changed = edit_environment(text, "production", {"write_key": KEY, "protected": True})
    assert changed.replace("\r\n", "").count("\n") == 0
    assert tomllib.loads(changed)["environments"]["production"]["protected"] is True


def test_edit_after_a_final_header_without_newline() -> None:
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
def test_edit_keeps_all_bytes_outside_the_table(parts: tuple[str, str, str], value: str, key: str) -> None:
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
def test_removing_an_environment_keeps_all_other_bytes(parts: tuple[str, str, str]) -> None:
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


def test_save_creates_file_and_folder_for_the_owner_only(paths: Paths) -> None:
    save_environment(paths, "production", {"write_key": KEY})
    assert stat.S_IMODE(paths.config_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.config_file.parent.stat().st_mode) == 0o700
    key = load_settings(paths, {}).environments["production"].write_key
    assert key is not None
    assert key.reveal() == KEY


def test_save_restricts_the_mode_to_0600(paths: Paths) -> None:
    paths.config_file.parent.mkdir()
    paths.config_file.write_text("")
    paths.config_file.chmod(0o644)
    assert read_config_file(paths.config_file).is_readable_by_others
    save_environment(paths, "production", {"write_key": KEY})
    assert not read_config_file(paths.config_file).is_readable_by_others


def test_save_writes_through_a_symlink(paths: Paths, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles" / "sprig.toml"
    target.parent.mkdir()
    target.write_text("# mine\n")
    paths.config_file.parent.mkdir()
    paths.config_file.symlink_to(target)
    save_environment(paths, "production", {"endpoint": "eu"})
    assert paths.config_file.is_symlink()
    assert target.read_text() == '# mine\n\n[environments.production]\nendpoint = "eu"\n'


def test_save_rejects_a_file_changed_since_it_was_read(paths: Paths) -> None:
    digest = save_environment(paths, "production", {"endpoint": "eu"})
    assert digest == read_config_file(paths.config_file).digest
    save_environment(paths, "development", {"endpoint": "eu"}, digest=digest)
    before = paths.config_file.read_bytes()
    with pytest.raises(ConfigError, match="changed by someone else"):
        save_environment(paths, "production", {"endpoint": "us"}, digest=digest)
    assert paths.config_file.read_bytes() == before


def test_save_rejects_a_file_created_since_it_was_read(paths: Paths) -> None:
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


def test_save_leaves_an_invalid_config_unchanged(paths: Paths) -> None:
    paths.config_file.parent.mkdir()
    paths.config_file.write_text("[environments\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        save_environment(paths, "production", {"endpoint": "eu"})
    assert paths.config_file.read_text() == "[environments\n"


def test_save_keeps_a_byte_order_mark(paths: Paths) -> None:
    paths.config_file.parent.mkdir()
    paths.config_file.write_bytes(b"\xef\xbb\xbf# by a Windows editor\r\n")
    save_environment(paths, "production", {"endpoint": "eu"})
    assert paths.config_file.read_bytes().startswith(b"\xef\xbb\xbf# by a Windows editor\r\n\r\n[environments")


def test_failed_save_leaves_the_old_file_and_no_temporary_one(paths: Paths) -> None:
    save_environment(paths, "production", {"endpoint": "eu"})
    blocked = paths.config_file.parent / "blocked"
    blocked.mkdir()
    (blocked / "inside").write_text("")
    with pytest.raises(ConfigError, match="cannot write"):
        write_atomically(blocked, b"x")  # a file cannot replace a folder
    assert sorted(p.name for p in paths.config_file.parent.iterdir()) == [".config.toml.lock", "blocked", "config.toml"]


def test_save_waits_for_the_lock_and_reports_a_timeout(paths: Paths) -> None:
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


def test_concurrent_saves_of_two_processes_lose_no_change(tmp_path: Path) -> None:
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
