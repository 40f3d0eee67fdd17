import base64
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.console.clipboard import FILE_NAME, MAX_OSC52_BYTES, Clipboard, local_tools, safe_text


@pytest.fixture
def tools(tmp_path):
    """Makes a program on a PATH of its own that keeps what it is given; `status` is how it ends."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def make(name, status=0, hang=False):
        program = folder / name
        body = (
            "while :; do read -r x || :; done"
            if hang
            else f'printf "%s " "$@" > "$0.args"; /bin/cat > "$0.got"; exit {status}'
        )
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
        return Path(f"{program}.got")

    make.path = str(folder)
    return make


@pytest.fixture
def written():
    return []


@pytest.fixture
def clipboard(tmp_path, tools, written):
    def make(**environ):
        return Clipboard(
            tmp_path / "state" / "deep", written.append, environ={"PATH": tools.path, **environ}, platform="linux"
        )

    return make


async def test_the_desktops_own_tool_comes_first(clipboard, tools, written, tmp_path):
    got, tmux = tools("wl-copy"), tools("tmux")
    outcome = await clipboard(WAYLAND_DISPLAY="wayland-0", TMUX="/tmp/tmux").copy("acct_1 日本")
    assert outcome.route == "wl-copy"
    assert got.read_text() == "acct_1 日本"
    assert not tmux.exists()
    assert not written
    file = tmp_path / "state" / "deep" / FILE_NAME
    assert outcome.message("userId") == f"copied userId by wl-copy; also in {file}"


async def test_copied_text_is_always_in_a_private_file(clipboard, tmp_path):
    outcome = await clipboard().copy("secret-ish answer")
    file = tmp_path / "state" / "deep" / FILE_NAME
    assert outcome.file == file
    assert file.read_text() == "secret-ish answer"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_a_secret_is_written_to_no_file(clipboard, tools, tmp_path, written):
    tools("wl-copy")
    outcome = await clipboard(WAYLAND_DISPLAY="wayland-0").copy("token", is_secret=True)
    assert outcome.message("the token") == "copied the token by wl-copy"
    lost = await Clipboard(tmp_path / "state", None, environ={}).copy("token", is_secret=True)
    assert lost.message("the token").startswith("the token was not copied: no clipboard could be reached")
    assert not list(tmp_path.rglob(FILE_NAME))


async def test_local_clipboard_tool_is_not_used_over_ssh(clipboard, tools, written):
    got = tools("xclip")
    outcome = await clipboard(DISPLAY=":0", SSH_CONNECTION="10.0.0.1 1 10.0.0.2 22").copy("x")
    assert not got.exists()
    assert written == ["x"]
    assert "OSC 52" in outcome.route


async def test_tmux_route_sets_the_outer_clipboard(clipboard, tools, written):
    got = tools("tmux")
    outcome = await clipboard(TMUX="/tmp/tmux-0/default,1,0").copy("x")
    assert outcome.route == "tmux"
    assert got.with_suffix(".args").read_text().split() == ["load-buffer", "-w", "-"]
    assert not written


async def test_failing_clipboard_tool_is_skipped(clipboard, tools, written):
    tools("xclip", status=1)
    got = tools("xsel")
    assert (await clipboard(DISPLAY=":0").copy("x")).route == "xsel"
    assert got.read_text() == "x"
    tools("xsel", status=1)
    tools("tmux", status=1)
    assert "OSC 52" in (await clipboard(DISPLAY=":0", TMUX="t").copy("x")).route


async def test_hanging_clipboard_tool_is_killed(clipboard, tools, monkeypatch, written):
    monkeypatch.setattr("sprig_tui.console.clipboard.TOOL_TIMEOUT_S", 0.05)
    tools("xclip", hang=True)
    assert "OSC 52" in (await clipboard(DISPLAY=":0").copy("x")).route


async def test_text_too_long_for_osc52_is_only_in_the_file(clipboard, written, tmp_path):
    most = MAX_OSC52_BYTES // 4 * 3
    assert (await clipboard().copy("x" * most)).route
    assert len(base64.b64encode(written.pop().encode())) <= MAX_OSC52_BYTES
    outcome = await clipboard().copy("x" * (most + 3))
    assert (outcome.route, written) == ("", [])
    assert outcome.message("it").startswith("no clipboard could be reached: it is in ")
    assert outcome.file.read_text() == "x" * (most + 3)


@pytest.mark.skipif(os.name == "nt", reason="folders have modes there of another kind")
async def test_unwritable_state_folder_is_reported(tmp_path, written):
    (tmp_path / "state").write_text("a file")
    outcome = await Clipboard(tmp_path / "state" / "deep", written.append, environ={}).copy("x")
    assert outcome.file is None
    assert outcome.message("it").startswith(
        "copied it by the terminal (OSC 52, if it allows that); cannot make the folder"
    )
    outcome = await Clipboard(tmp_path / "state" / "deep", None, environ={}).copy("x")
    assert outcome.message("it").startswith("it was not copied: cannot make the folder")


async def test_copied_escape_sequence_is_made_visible(clipboard, written):
    outcome = await clipboard().copy("a\x1b[201~; rm -rf x\r\n\tb\x9b2J\x7f\ud800")
    assert written == ["a␛[201~; rm -rf x\n\tb⟨U+009B⟩2J␡\ufffd"]
    assert outcome.replaced == 4
    assert "4 control characters made visible" in outcome.message("it")


@pytest.mark.parametrize(
    ("environ", "platform", "first"),
    [
        ({}, "darwin", ["pbcopy"]),
        ({"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}, "linux", ["wl-copy", "xclip", "xsel"]),
        ({"WSL_DISTRO_NAME": "Ubuntu"}, "linux", ["clip.exe"]),
        ({}, "win32", ["clip.exe"]),
        ({}, "linux", []),
    ],
)
def test_the_tools_of_each_desktop(environ, platform, first):
    assert [command[0] for command in local_tools(environ, platform)] == first


async def test_windows_gets_its_own_encoding(clipboard, tools):
    got = tools("clip.exe")
    assert (await clipboard(WSL_DISTRO_NAME="Ubuntu").copy("日本")).route == "clip.exe"
    assert got.read_bytes().decode("utf-16") == "日本"


@given(st.text(st.characters(codec=None), max_size=200))
def test_copied_text_has_no_control_characters_but_tab_and_lf(text):
    safe, replaced = safe_text(text)
    assert all(one in "\t\n" or not (ord(one) < 32 or 127 <= ord(one) < 160) for one in safe)
    safe.encode()
    assert safe_text(safe) == (safe, 0)
    if not replaced and "\r\n" not in text:
        assert safe == text, "everything else stays as it is"
