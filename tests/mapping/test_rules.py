"""Mapping rules: omitted and hashed fields, and the rejection of invalid rules."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from sprig_tui.errors import ConfigError
from sprig_tui.mapping.mapper import Mapper, map_response
from sprig_tui.mapping.properties import PROPERTY_PATHS
from sprig_tui.mapping.records import HashKey, Rules
from sprig_tui.mapping.rules import check_rules

from .conftest import Make

NOW = 1_800_000_000_000


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def properties(response: Any, *, omit: Iterable[str] = (), hash_: Iterable[str] = ()) -> dict[str, Any]:
    rules = Rules(omit=frozenset(omit), hash=frozenset(hash_))
    mapping = map_response(response, rules, environment="production", now_ms=NOW)
    assert mapping.withheld is None
    found = json.loads(mapping.body)["properties"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("path", PROPERTY_PATHS)
def test_every_property_can_be_omitted(make: Make, path: str) -> None:
    full = make(old_visitor_id=7, survey_created_at="2025-01-01T00:00:00Z")
    name = path.removeprefix("properties.")
    expected = {key: value for key, value in properties(full).items() if key != name}
    assert properties(full, omit={path}) == expected
    assert len(expected) == 11


@pytest.mark.parametrize("path", PROPERTY_PATHS)
def test_every_property_can_be_hashed(make: Make, path: str) -> None:
    full = make(old_visitor_id=7, survey_created_at="2025-01-01T00:00:00Z", email="  Mira@Example.com ")
    name = path.removeprefix("properties.")
    plain = properties(full)[name]
    text = plain if isinstance(plain, str) else json.dumps(plain, separators=(",", ":"))
    assert properties(full, hash_={path})[name] == sha(text.strip().lower())


def test_email_hash_is_of_its_trimmed_lower_case_text(make: Make) -> None:
    found = properties(make(email=" Mira@Example.COM\n"), hash_={"properties.email"})["email"]
    assert found == sha("mira@example.com")


def test_null_and_absent_values_are_not_hashed(make: Make) -> None:
    hash_ = {"properties.email", "properties.triggeringEvent", "properties.response", "properties.attributes"}
    found = properties(make(email=None, triggering_event=None, response=b"null", attributes=None), hash_=hash_)
    assert "email" not in found
    assert (found["triggeringEvent"], found["response"], found["attributes"]) == (None, None, None)


def attributes(make: Make, raw: bytes, **rules: set[str]) -> bytes:
    from msgspec import Raw

    response = make(attributes=Raw(raw))
    found = map_response(
        response,
        Rules(**{key: frozenset(f"properties.attributes.{path}" for path in paths) for key, paths in rules.items()}),
        environment="production",
        now_ms=NOW,
    ).body
    return found[found.index(b'"attributes":') + 13 : found.index(b',"triggeringEvent"')]


@pytest.mark.parametrize(
    ("raw", "omit", "expected"),
    [
        (b'{"plan":"team","a":1e400}', {"plan"}, b'{"a":1e400}'),
        (b'{"a":{"b":{"c":1,"d":2}},"e":3}', {"a.b.c"}, b'{"a":{"b":{"d":2}},"e":3}'),
        (b'{"a.b":1,"a":{"b":2}}', {"a.b"}, b'{"a":{}}'),
        (b'{"a.b":{"c":1}}', {"a.b.c"}, b'{"a.b":{}}'),
        (b'{ "kept" : 1.50 }', {"other"}, b'{ "kept" : 1.50 }'),
        (b'{"a":[{"b":1,"c":2},[{"b":3}],4]}', {"a.b"}, b'{"a":[{"c":2},[{}],4]}'),
        (b"[1]", {"plan"}, b"[1]"),
        (b'"text"', {"plan"}, b'"text"'),
        (b"{}", {"plan"}, b"{}"),
        (b'{"plan":1,"plan":2,"x":3}', {"plan"}, b'{"x":3}'),
    ],
)
def test_omit_inside_attributes(make: Make, raw: bytes, omit: set[str], expected: bytes) -> None:
    assert attributes(make, raw, omit=omit) == expected


def test_hash_inside_attributes(make: Make) -> None:
    raw = b'{"Phone":" +46 70 ","n":12345678901234567890,"t":true,"o":{"k":"\\u00c9"},"z":null,"rest":1}'
    found = json.loads(attributes(make, raw, hash={"Phone", "n", "t", "o.k", "z"}))
    assert found == {
        "Phone": sha("+46 70"),
        "n": sha("12345678901234567890"),
        "t": sha("true"),
        "o": {"k": sha("é")},
        "z": None,
        "rest": 1,
    }


def test_rules_inside_an_answer(make: Make) -> None:
    video = make(
        question_type="VIDEOVOICE",
        response=b'{"mediaType":"video","videoUrl":"https://video.example/1","transcription":"Hello"}',
    )
    found = properties(video, omit={"properties.response.videoUrl"}, hash_={"properties.response.transcription"})
    assert found["response"] == {"mediaType": "video", "transcription": sha("hello")}


@pytest.mark.parametrize("rule", ["omit", "hash"])
@pytest.mark.parametrize(
    "path",
    [
        "userId",
        "event",
        "type",
        "context.integration",
        "context.integration.name",
        "timestamp",
        "messageId",
        "properties",
    ],
)
def test_required_fields_cannot_be_named_in_rules(rule: str, path: str) -> None:
    with pytest.raises(ConfigError, match=f"mapping.{rule}: {path} is required"):
        check_rules(Rules(**{rule: frozenset({path})}))


@pytest.mark.parametrize(
    ("rules", "message", "hint"),
    [
        ({"omit": {"sentAt"}}, "mapping.omit: sentAt is not part of the mapping", "take it out"),
        ({"hash": {"properties.emial"}}, "mapping.hash: there is no field properties.emial", "properties.email"),
        ({"hash": {"email"}}, "mapping.hash: there is no field email", "did you mean properties.email?"),
        ({"omit": {"zzz"}}, "mapping.omit: there is no field zzz", "one of properties.surveyName"),
        ({"omit": {"properties.attributes."}}, "there is no field properties.attributes.", "properties.attributes"),
        ({"omit": {"properties.email.x"}}, "there is no field properties.email.x", "properties.email"),
        ({"omit": {"properties.email"}, "hash": {"properties.email"}}, "to be omitted and hashed", "one of the two"),
        ({"event": " "}, "mapping.event is empty", "leave it out"),
        ({"integration_name": ""}, "mapping.integration needs a name and a version", "such as"),
        ({"integration_version": " "}, "mapping.integration needs a name and a version", "such as"),
        ({"event": "\ud800"}, "not valid Unicode", "type it again"),
    ],
)
def test_invalid_rules_raise_config_error(rules: dict[str, Any], message: str, hint: str) -> None:
    made = Rules(**{key: frozenset(value) if isinstance(value, set) else value for key, value in rules.items()})
    with pytest.raises(ConfigError) as caught:
        Mapper(made)
    assert message in caught.value.message
    assert hint in caught.value.hint


KEYED = Rules(hmac=frozenset({"properties.email"}), hmac_key=HashKey("a-key-of-the-team-0001"))


def keyed(text: str, key: str = "a-key-of-the-team-0001") -> str:
    return hmac.new(key.encode(), text.encode(), "sha256").hexdigest()


def test_hmac_is_of_the_same_text_as_sha256_with_the_key(make: Make) -> None:
    rules = replace(KEYED, hash=frozenset({"properties.visitorId"}))
    found = json.loads(map_response(make(email=" Mira@Example.COM\n"), rules, environment="e", now_ms=NOW).body)
    assert found["properties"]["email"] == keyed("mira@example.com")
    assert found["properties"]["visitorId"] == sha("b3f0b1de-5f6c-4b52-8f8c-0c6a4f1f9a77")


def test_hmac_reaches_inside_attributes_beside_the_other_rules(make: Make) -> None:
    raw = b'{"a":"X","b":"Y","c":"Z","n":null}'
    paths = {name: frozenset({f"properties.attributes.{name}"}) for name in "abc"}
    rules = Rules(
        omit=paths["a"],
        hash=paths["b"],
        hmac=paths["c"] | {"properties.attributes.n"},
        hmac_key=HashKey("another-key-0001"),
    )
    mapping = map_response(make(attributes=Raw(raw)), rules, environment="e", now_ms=NOW)
    found = json.loads(mapping.body)["properties"]["attributes"]
    assert found == {"b": sha("y"), "c": keyed("z", "another-key-0001"), "n": None}
    note = next(field.note for field in mapping.fields if field.path == "properties.attributes")
    assert "hashed with mapping.hmac_key, as the rules ask: c, n" in note


def test_hmac_is_named_in_the_trace_and_its_key_nowhere(make: Make) -> None:
    mapping = map_response(make(), KEYED, environment="e", now_ms=NOW)
    note = next(field.note for field in mapping.fields if field.path == "properties.email")
    assert note == "HMAC-SHA256 of its trimmed lower-case text with mapping.hmac_key, as the rules ask"
    assert "a-key-of-the-team" not in f"{KEYED} {mapping.fields}"


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (replace(KEYED, hmac_key=None), "mapping.hmac names properties.email, and its key could not be read"),
        (replace(KEYED, hash=KEYED.hmac), "properties.email is in both hash and hmac"),
        (replace(KEYED, omit=KEYED.hmac), "properties.email is to be omitted and hashed"),
        (replace(KEYED, hmac=frozenset({"userId"})), "mapping.hmac: userId is required and is sent as it is"),
    ],
)
def test_nothing_is_mapped_where_a_keyed_hash_cannot_be_made(rules: Rules, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Mapper(rules)
    assert said in raised.value.message


def test_rules_never_change_the_message_id_or_the_digest(make: Make) -> None:
    ids = {
        (mapping.message_id, mapping.digest)
        for mapping in (
            map_response(make(), rules, environment="e", now_ms=NOW)
            for rules in (
                Rules(),
                KEYED,
                Rules(hash=frozenset({"properties.response", "properties.question", "properties.responseGroupId"})),
                Rules(omit=frozenset({"properties.response", "properties.question", "properties.questionType"})),
                replace(KEYED, hmac=frozenset({"properties.response", "properties.responseGroupId"})),
                Rules(store_raw="none"),
            )
        )
    }
    assert len(ids) == 1
