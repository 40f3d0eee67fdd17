"""JSON of anything: random bytes in records, paths and texts never end a command, and stdout stays one value a line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sprig_tui.cli.json_text import embed_json, escape_invalid_utf8, json_text

Run = Callable[..., Any]
NOT_UTF8 = b"caf\xe9-\xff.jsonl"
HIDING = "tag \U000e0041 selector \U000e0100 filler \u3164 mark a\u0301"


def surrogates(data: bytes) -> str:
    """As the system hands over names and arguments."""
    return data.decode("utf-8", "surrogateescape")


texts = st.one_of(st.text(st.characters(exclude_categories=())), st.binary().map(surrogates))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


@given(values, st.booleans())
@example("\x7f", True)
def test_any_value_is_one_line_of_json(value: Any, ascii_only: bool) -> None:
    text = json_text(value, ascii_only=ascii_only)
    text.encode("utf-8")
    assert len(text.splitlines()) == 1
    assert "\x7f" not in text
    assert not ascii_only or text.isascii()
    json.loads(text)


@given(st.one_of(st.binary(), values.map(lambda value: json.dumps(value, indent=2).encode())))
def test_any_bytes_can_be_embedded(data: bytes) -> None:
    text = json_text({"raw": embed_json(data), "after": 1})
    assert len(text.splitlines()) == 1
    found = json.loads(text)
    assert found["after"] == 1
    if not data:
        assert found["raw"] is None
    elif found["raw"] != data.decode("utf-8", "backslashreplace"):
        assert found["raw"] == json.loads(data)


@given(st.binary())
def test_bytes_that_are_no_utf_8_are_written_out_and_all_others_stay(data: bytes) -> None:
    assert escape_invalid_utf8(surrogates(data)) == data.decode("utf-8", "backslashreplace")


def test_ascii_option_escapes_invisible_characters(cli: Run, write: Run, answer: Run) -> None:
    file = write(json.dumps(answer(1, response=HIDING), ensure_ascii=False))
    plain = cli("preview", file, "-e", "development", "--json")
    ascii_only = cli("preview", file, "-e", "development", "--json", "--ascii")
    assert not plain.out.isascii()
    assert ascii_only.out.isascii()
    assert plain.json == ascii_only.json
    assert not cli("preview", file, "-e", "development", "--json").out.isascii()


@pytest.mark.parametrize("raw", [b'{"userId": "\xff\xfe", "surveyId": 1}\n', b'{\n "a": "\xe9"\n}\n', b"\xff\n"])
def test_a_record_that_is_no_utf_8_can_be_looked_at(cli: Run, configured: Path, tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "odd.jsonl"
    file.write_bytes(b'{"surveyId": 1}\n' + raw)
    assert cli("send", file, "-e", "development", "--no-wait", "--json", "--force").code == 1
    ids = [row["id"] for row in cli("log", "-n", "0", "--json").rows]
    assert ids
    for number in ids:
        done = cli("log", "--detail", str(number), "--json")
        assert done.code == 0, done.err
        assert len(done.out.splitlines()) == 1
        assert done.json["id"] == number
        assert cli("log", "--detail", str(number)).code == 0


def test_names_that_are_no_utf_8_end_no_command(
    process: Run, cli: Run, tmp_path: Path, answer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = os.fsencode(tmp_path) + b"/home-\xe9\x1b[31m"
    file = os.fsencode(tmp_path) + b"/" + NOT_UTF8
    Path(surrogates(file)).write_text(json.dumps(answer(1)) + "\n")
    monkeypatch.setenv("SPRIG_TUI_HOME", surrogates(home))
    shown = process("preview", surrogates(file), "-e", "development", "--json")
    assert shown.code == 0, shown.err
    assert shown.json["source"]["name"].endswith(r"caf\xe9-\xff.jsonl")
    stored = cli("send", surrogates(file), "-e", "development", "--no-wait", "--json")
    assert stored.code == 0, stored.err
    for command in ("paths", "doctor --offline", "journal info", "log", "status", "keys list"):
        for words in (command.split(), [*command.split(), "--json"]):
            done = cli(*words)
            assert done.code == 0, (words, done.err)
            assert "\x1b" not in done.out + done.err
            assert "Traceback" not in done.err
            for line in done.out.splitlines() if "--json" in words else ():
                json.loads(line)
