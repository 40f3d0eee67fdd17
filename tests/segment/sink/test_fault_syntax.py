"""Fault rules of the fake Segment as text and as JSON."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.errors import ConfigError
from sprig_tui.segment.sink import FaultRule, parse_rule, parse_rules, read_rules, rules_from_json


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("503", FaultRule(do="status", status=503)),
        ("503@3", FaultRule(do="status", status=503, first=3, last=3)),
        ("503@2-4", FaultRule(do="status", status=503, first=2, last=4)),
        ("503@2-", FaultRule(do="status", status=503, first=2)),
        ("429:5%", FaultRule(do="status", status=429, rate=0.05)),
        ("429:0.5%@10-", FaultRule(do="status", status=429, rate=0.005, first=10)),
        ("429+retry-after=2:5%", FaultRule(do="status", status=429, retry_after="2", rate=0.05)),
        ("429+retry-after=date:30:50%", FaultRule(do="status", status=429, retry_after="date:30", rate=0.5)),
        (
            "429+reset=20+retry-after=soon",
            FaultRule(do="status", status=429, rate_limit_reset="20", retry_after="soon"),
        ),
        ("reset@every:10", FaultRule(do="reset", every=10)),
        ("reset+accept@3", FaultRule(do="reset", accept=True, first=3, last=3)),
        ("close@times:2", FaultRule(do="close", times=2)),
        ("hang@source:Production", FaultRule(do="hang", source="Production")),
        ("hang@source:Production:20%", FaultRule(do="hang", source="Production", rate=0.2)),
        ("400~poison", FaultRule(do="status", status=400, contains="poison")),
        ("400@2-4~a @ b ~ 5%", FaultRule(do="status", status=400, first=2, last=4, contains="a @ b ~ 5%")),
        ("400@id:sprig-17", FaultRule(do="status", status=400, message_id="sprig-17")),
        ("slow=0.5", FaultRule(do="slow", seconds=0.5)),
        ("slow=2s:10%", FaultRule(do="slow", seconds=2.0, rate=0.1)),
        ("trickle", FaultRule(do="trickle")),
        ("truncate", FaultRule(do="truncate")),
        ("html=502", FaultRule(do="html", status=502)),
        ("huge=5MB", FaultRule(do="huge", megabytes=5.0)),
        ("content-type", FaultRule(do="content-type")),
        ("unsuccess+refuse", FaultRule(do="unsuccess", accept=False)),
        ("redirect=https://sign-in.example:8080/x@2", FaultRule(
            do="redirect", location="https://sign-in.example:8080/x", first=2, last=2
        )),
        ("400+body=not json", FaultRule(do="status", status=400, body="not json")),
        (" 503@1 ", FaultRule(do="status", status=503, first=1, last=1)),
    ],
)  # fmt: skip
def test_fault_rule_is_parsed(text: str, rule: FaultRule) -> None:
    assert msgspec.structs.replace(parse_rule(text), name="") == rule
    assert parse_rule(text).label == text.strip()


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("", 1, "expected a status or one of reset, close"),
        ("explode", 1, "expected a status or one of"),
        ("503=2", 1, "expected a status or one of"),
        ("reset=2", 6, "reset takes no value"),
        ("slow=fast", 6, "expected a number"),
        ("html=2.5", 6, "expected a number"),
        ("503@", 4, "expected a number, a range"),
        ("503@x", 4, "expected a number, a range"),
        ("503@every:0", 11, "every: needs a number from 1"),
        ("503@2-4;", 8, "expected +, @, :PERCENT% or ~"),
        ("503:5", 4, "expected a share"),
        ("503+maybe", 4, "expected an option"),
        ("503+accept=1", 4, "expected an option"),
        ("503+retry-after", 4, "expected an option"),
        ("400~", 5, "no text after ~"),
        ("503 @2", 4, "expected +, @, :PERCENT% or ~"),
    ],
)
def test_fault_rule_error_names_rule_and_position(text: str, position: int, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_rule(text)
    assert f"fault rule {text!r}, character {position}: " in caught.value.message
    assert says in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    ["199", "600", "99999", "503@0", "503@4-2", "503:101%", "429+retry-after=date:soon", "html=42", "400~\udcff"],
)
def test_fault_rule_value_out_of_range_is_rejected(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^fault rule '"):
        parse_rule(text)


@given(st.text(max_size=40) | st.text("45@+:~%=-every reset", max_size=20))
def test_fault_rule_of_any_text_is_a_rule_or_a_config_error(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(parse_rule(text), FaultRule)


def test_fault_rules_may_be_texts_and_objects() -> None:
    rule = FaultRule(do="reset")
    assert parse_rules(["503", rule])[1] is rule


def test_fault_rules_from_a_json_file(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    given = [{"do": "status", "status": 503, "first": 2, "last": 4, "accept": True}, "reset@every:10", {"do": "hang"}]
    path.write_text(json.dumps(given))
    rules = read_rules(path)
    assert rules[0] == FaultRule(do="status", status=503, first=2, last=4, accept=True)
    assert (rules[1].do, rules[1].every) == ("reset", 10)
    assert rules[2].label == "hang"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a JSON list"),
        (b"{}", "not a JSON list"),
        (b"\xff", "not a JSON list"),
        (b"[" * 100_000, "not a JSON list"),
        (b'[{"do":"reset"},{"do":"explode"}]', "rule 2: "),
        (b'[{"do":"reset","frist":2}]', "frist"),
        (b'[{"status":503}]', "do"),
        (b'[{"do":"status"}]', "status must be from 200 to 599"),
        (b'[{"do":"slow","seconds":-1}]', "seconds must be"),
        (b'[{"do":"status","status":429,"retry_after":"a\\nb"}]', "control characters"),
        (b'["503", "503@x"]', "rule 2: fault rule '503@x', character 4"),
        (b"[3]", "rule 1: "),
    ],
)
def test_invalid_json_error_names_the_rule(content: bytes, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rules_from_json(content, "faults.json")
    assert caught.value.message.startswith("faults.json: ")
    assert says in caught.value.message


def test_missing_fault_rules_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.json: No such file"):
        read_rules(tmp_path / "missing.json")
