"""Source checks: mismatches of sources and environments, and finding a source by name or key."""

from __future__ import annotations

import pytest

from sprig_tui.segment.public_api_models import Source, find_source, source_of_key
from sprig_tui.segment.source_checks import source_mismatches

BUILT_IN = ("production", "development")


def flagged(name: str, environment: str, *labels: str, others: tuple[str, ...] = BUILT_IN) -> tuple[str, ...]:
    return source_mismatches(Source(id="1", name=name, labels=labels), environment, (*others, environment))


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        ("Acme production", "production"),
        ("AcmeProd", "production"),
        ("acme-live", "production"),
        ("Checkout", "production"),
        ("Checkout", "development"),
        ("Acme dev", "development"),
        ("Local sandbox", "development"),
        ("Staging", "development"),
        ("Reproduction of delivery", "development"),
        ("Latest devices contest", "production"),
        ("Staging EU", "staging-eu"),
        ("acme_stg_2", "staging"),
        ("Проверка", "production"),
        ("", "production"),
    ],
)
def test_source_that_fits_has_no_mismatch(name: str, environment: str) -> None:
    assert flagged(name, environment) == ()


@pytest.mark.parametrize(
    ("name", "environment", "word"),
    [
        ("Acme production", "development", "production"),
        ("AcmePROD", "development", "prod"),
        ("acme.live", "staging", "live"),
        ("Acme dev", "production", "dev"),
        ("Sandbox", "production", "sandbox"),
        ("qa-web", "production", "qa"),
        ("Acme dev", "staging", "dev"),
        ("Prod copy for dev", "production", "dev"),
        ("Acme production", "acme", "production"),
    ],
)
def test_source_name_of_another_stage_is_a_mismatch(name: str, environment: str, word: str) -> None:
    assert flagged(name, environment) == (f"its name says {word!r}",)


def test_labels_and_slugs_are_checked() -> None:
    assert flagged("Acme", "development", "environment: prod", "type: web") == (
        "its label 'environment: prod' says 'prod'",
    )
    slugged = Source(id="1", name="Acme", slug="acme-production")
    assert source_mismatches(slugged, "development", BUILT_IN) == ("its slug says 'production'",)
    same = Source(id="1", name="Acme Production", slug="acme-production")
    assert source_mismatches(same, "development", BUILT_IN) == ("its name says 'production'",)


def test_name_of_another_environment_is_a_mismatch() -> None:
    others = (*BUILT_IN, "staging-us", "acme", "test")
    assert flagged("Staging US", "staging-eu", others=others) == (
        "its name says 'staging-us', which is another environment",
    )
    assert flagged("Acme web", "production", others=others) == ("its name says 'acme', which is another environment",)
    assert flagged("Testing", "development", others=others) == ("its name says 'testing'",)
    assert flagged("Acme EU", "acme-eu", others=others) == ()


def test_disabled_source_is_a_mismatch() -> None:
    off = Source(id="1", name="Acme", enabled=False)
    assert source_mismatches(off, "production", BUILT_IN) == ("it is disabled: Segment drops what comes for it",)


SOURCES = (
    Source(id="s1", name="Web", slug="web", write_keys=("k1",)),
    Source(id="s2", name="web", slug="web-old", write_keys=("k2", "k3")),
    Source(id="s3", name="Twin", slug="twin-a"),
    Source(id="s4", name="Twin", slug="twin-b"),
)


@pytest.mark.parametrize(
    ("text", "found"),
    [("Web", "s1"), ("web-old", "s2"), (" s3 ", "s3"), ("TWIN-B", "s4")],
)
def test_source_is_found_by_name_slug_or_id(text: str, found: str) -> None:
    source = find_source(text, SOURCES).source
    assert source is not None
    assert source.id == found


@pytest.mark.parametrize(
    ("text", "fault", "hint"),
    [
        ("Twin", "2 sources are called 'Twin'", "twin-a, twin-b"),
        ("web", "2 sources are called 'web'", "web, web-old"),
        ("Tvin", "no source is called 'Tvin'", "did you mean 'Twin'?"),
        ("zzz", "no source is called 'zzz'", "there are: "),
        ("  ", "no source is named", ""),
    ],
)
def test_unknown_or_ambiguous_source_name_is_a_fault(text: str, fault: str, hint: str) -> None:
    found = find_source(text, SOURCES)
    assert found.source is None
    assert found.fault == fault
    assert hint in found.hint


def test_source_of_write_key() -> None:
    assert source_of_key("k3", SOURCES) == SOURCES[1]
    assert source_of_key("k4", SOURCES) is None
