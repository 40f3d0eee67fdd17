import shlex
from pathlib import Path

import pytest

from sprig_tui.console.payload.file_picker import (
    MAX_DROP_CHARS,
    complete_path,
    dropped_paths,
    intended_path,
    list_folder,
    looks_like_path,
    split_typed,
)
from sprig_tui.formatting import size_text


@pytest.fixture
def folder(tmp_path):
    for name in ("alpha.jsonl", "Alpha two.csv.gz", "beta.json", "notes.txt", ".hidden.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "archive").mkdir()
    (tmp_path / "broken.json").symlink_to(tmp_path / "nowhere")
    return tmp_path


def test_dropped_paths_in_every_terminal_notation(folder):
    spaced, plain = str(folder / "Alpha two.csv.gz"), str(folder / "beta.json")
    for text in (
        spaced,
        f"{spaced}\n",
        shlex.quote(spaced) + " ",
        spaced.replace(" ", "\\ "),
        f'"{spaced}"',
        "file://" + spaced.replace(" ", "%20"),
    ):
        assert dropped_paths(text) == (spaced,), text
    assert dropped_paths(f"{shlex.quote(spaced)} {plain}") == (spaced, plain)
    assert dropped_paths(f"file://{plain}\r\nfile://{spaced.replace(' ', '%20')}\r\n") == (plain, spaced)
    assert dropped_paths(str(folder)) == (str(folder),)


def test_home_is_a_folder_too(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert dropped_paths("~/beta.json") == (str(folder / "beta.json"),)


@pytest.mark.parametrize(
    "text",
    ["", "  \n ", "hello there", "/no/such/file.json", "it's", "\0", "x" * 5_000, "/x" * MAX_DROP_CHARS, "~noone/x"],
)
def test_dropped_paths_ignores_any_other_text(text):
    assert dropped_paths(text) == ()


def test_picker_lists_folders_and_data_files_with_sizes(folder):
    listing = list_folder(str(folder))
    assert [(item.name, item.is_folder) for item in listing.items] == [
        ("all files in this folder", True),
        ("archive", True),
        ("Alpha two.csv.gz", False),
        ("alpha.jsonl", False),
        ("beta.json", False),
    ]
    assert listing.items[0].size == 3
    assert listing.items[-1].size == 2


def test_hidden_files_are_listed_on_request(folder):
    assert [item.name for item in list_folder(str(folder), ".h").items] == [".hidden.json"]


def test_unreadable_folder_is_reported_in_the_picker(tmp_path):
    listing = list_folder(str(tmp_path / "none"))
    assert listing.items == ()
    assert listing.fault == f"cannot list {tmp_path}/none: No such file or directory"


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("", ""), ("al", "Alpha"), ("ALPHA ", "Alpha two.csv.gz"), ("b", "beta.json"), ("ar", "archive/"), ("zz", "zz")],
)
def test_typed_path_is_completed(folder, typed, completed):
    typed = f"{folder}/{typed}"
    assert complete_path(typed, list_folder(*split_typed(typed))) == f"{folder}/{completed}"


def test_a_huge_folder_is_listed_in_part(tmp_path, monkeypatch):
    monkeypatch.setattr("sprig_tui.console.payload.file_picker.MAX_ENTRIES", 3)
    for number in range(10):
        Path(tmp_path, f"{number}.json").touch()
    listing = list_folder(str(tmp_path))
    assert (len(listing.items), listing.more) == (3, 8)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_234, "1.2 KB"), (5e6, "5.0 MB"), (7e12, "7,000.0 GB")],
)
def test_file_sizes_are_formatted(size, text):
    assert size_text(size) == text


def test_path_typed_after_another_replaces_it(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    spaced, plain = str(folder / "Alpha two.csv.gz"), str(folder / "beta.json")
    for behind in (plain, f"'{plain}'", f"file://{plain}", "~/beta.json"):
        assert intended_path(f"/usr/lib/{behind}") == plain, behind
    assert intended_path("/usr/lib/" + "file://" + spaced.replace(" ", "%20")) == spaced
    assert intended_path("/usr/lib/" + spaced.replace(" ", "\\ ")) == spaced
    assert intended_path(plain) == plain
    assert intended_path("/usr/lib//no/such.json") == "/no/such.json", "what is said to be missing is what was meant"
    assert intended_path("/usr/li") == "/usr/li"


def test_dropped_paths_may_include_a_missing_file(folder):
    plain, gone = str(folder / "beta.json"), str(folder / "gone.json")
    assert dropped_paths(f"{plain} {gone}") == (plain, gone)
    assert dropped_paths(f"{gone} {gone}") == ()
    assert dropped_paths(f"{plain} is what I mean") == ()


@pytest.mark.parametrize(
    ("text", "is_one"), [("/tmp/x", True), ("~/x", True), ("'/tmp/a b'", True), ("file:///x", True), ("x.json", False)]
)
def test_looks_like_path_accepts_whole_paths(text, is_one):
    assert looks_like_path(text) is is_one
