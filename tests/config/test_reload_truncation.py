"""Truncated configs that are still valid TOML are distinguished from deliberately shortened ones."""

from __future__ import annotations

import tomllib

import pytest

from sprig_tui.config.reload import is_config_truncated

WHOLE = """\
# ours
[environments.production]
write_key = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
endpoint = "eu"   # Dublin
requests_per_second = 25

[mapping]
omit = ["properties.attributes"]
hash = [
  "properties.email",
]

[delivery]
max_retries = 12
"""


def valid_prefixes(text: str) -> list[str]:
    found = []
    for end in range(len(text)):
        try:
            tables = tomllib.loads(text[:end])
        except tomllib.TOMLDecodeError:
            continue
        if tables != tomllib.loads(text):
            found.append(text[:end])
    return found


def test_truncated_config_is_recognised_at_every_valid_prefix():
    found = valid_prefixes(WHOLE)
    assert len(found) > 20
    # without any statement it is empty, which is told by itself
    assert [text for text in found if tomllib.loads(text) and not is_config_truncated(WHOLE, text)] == []


def test_truncated_config_is_recognised_after_other_changes():
    changed = WHOLE.replace('"eu"', '"us"').replace("[environments", "# new\n[environments")
    found = [text for text in valid_prefixes(changed) if "mapping" not in text and "rite_key" in text]
    assert found
    assert all(is_config_truncated(WHOLE, text) for text in found)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(WHOLE, id="the same"),
        pytest.param(WHOLE.replace("12", "7"), id="a value at its end"),
        pytest.param(WHOLE.replace("endpoint", "# endpoint"), id="a key in the middle"),
        pytest.param(WHOLE.replace('omit = ["properties.attributes"]\n', ""), id="a rule in the middle"),
        pytest.param(WHOLE + "gzip = true\n", id="more at its end"),
        pytest.param(WHOLE.partition("[mapping]")[0] + "# no rules any more\n", id="a comment says that it is whole"),
        pytest.param("[delivery]\nmax_retries = 12\n", id="only its end"),
        pytest.param("[environments.staging]\nendpoint = 'eu'\n", id="another one"),
    ],
)
def test_complete_config_is_not_taken_for_truncated(now):
    assert not is_config_truncated(WHOLE, now)


def test_number_at_the_end_without_newline_may_be_truncated():
    assert is_config_truncated(WHOLE, WHOLE.partition("5\n\n[mapping]")[0])
    assert is_config_truncated("a = 1\nb = 25", "a = 1\nb = 2")
    assert not is_config_truncated("a = 1\nb = 25\n", "a = 1\nb = 2\n")
