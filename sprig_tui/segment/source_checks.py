"""Source checks: whether the name and labels of a source fit an environment. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sprig_tui.segment.public_api_models import Source

_STAGE_WORDS = {
    "production": ("production", "prod", "prd", "live"),
    "staging": ("staging", "stage", "stg", "preprod"),
    "test": ("test", "testing", "tests", "qa", "uat", "sandbox"),
    "development": ("development", "develop", "developer", "dev", "local"),
}
_STAGE_OF = {word: stage for stage, words in _STAGE_WORDS.items() for word in words}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")


def source_mismatches(source: Source, environment: str, environments: Iterable[str]) -> tuple[str, ...]:
    """Reasons against using this source for `environment`, in words; empty if there are none.

    `environments` are all configured names. Reasons are a word for another stage (prod, production, live against dev,
    development, staging, test) in its name, slug or labels, another environment's name or stage, and a disabled
    source.
    """
    own = set(_stages_in(environment))
    others = {name: tuple(_split_words(name)) for name in environments if name != environment}
    other_stages = {stage for name in others for stage in _stages_in(name)} - own
    reasons: list[str] = []
    for place, text in _source_texts(source):
        words = _split_words(text)
        for word in dict.fromkeys(words):
            stage = _STAGE_OF.get(word, "")
            if stage and stage not in own and (stage in other_stages or _is_opposite_stage(stage, own)):
                reasons.append(f"its {place} says {word!r}")
        for name, parts in others.items():
            known = any(part in _STAGE_OF for part in parts) and len(parts) == 1
            if (
                not known
                and _contains_words(words, parts)
                and not _contains_words(tuple(_split_words(environment)), parts)
            ):
                reasons.append(f"its {place} says {name!r}, which is another environment")
    if source.enabled is False:
        reasons.append("it is disabled: Segment drops what comes for it")
    return tuple(dict.fromkeys(reasons))


def stage_of(word: str) -> str:
    """The stage that a word such as `prod` or `qa` means; empty for any other word."""
    return _STAGE_OF.get(word.casefold(), "")


def stage_words(stage: str) -> tuple[str, ...]:
    """All words for a stage, including its name."""
    return _STAGE_WORDS.get(stage, ())


def _source_texts(source: Source) -> Iterable[tuple[str, str]]:
    yield "name", source.name
    if source.slug and _split_words(source.slug) != _split_words(source.name):
        yield "slug", source.slug
    for label in source.labels:
        yield f"label {label!r}", label


def _is_opposite_stage(stage: str, own: set[str]) -> bool:
    """Whether exactly one of the two is production; false for an environment without a stage."""
    return bool(own) and (stage == "production") != ("production" in own)


def _stages_in(text: str) -> list[str]:
    return [_STAGE_OF[word] for word in _split_words(text) if word in _STAGE_OF]


def _split_words(text: str) -> tuple[str, ...]:
    """Words of a name such as `AcmeProd` or `acme-prod_2`, in lower case."""
    return tuple(word.casefold() for word in _WORD.findall(text))


def _contains_words(words: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    return bool(parts) and any(words[at : at + len(parts)] == parts for at in range(len(words)))
